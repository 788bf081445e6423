//! Which color of one icon is which of another that is the same drawing.

use super::palette::Grid;
use super::{Drawing, Icon};
use crate::record::{Field, Recoloring, Vocabulary, Word, nearest_color, to_oklab};
use std::collections::HashMap;

/// A color with a smaller share of the pixels is not looked for in the other icon.
const LEAST_SHARE: f32 = 0.03;
/// A color stays the same where this part of its pixels does, and becomes another one where this
/// part of them has it.
const LEAST_PART: f32 = 1.0 / 3.0;

/// What each color that `from` shows is in `to`, pixel for pixel and without the outline. `None`
/// where they are not the same drawing.
pub fn recolor(from: &Icon, to: &Icon, vocabulary: &Vocabulary) -> Option<Recoloring> {
    if !Drawing::of(from)?.is_same(&Drawing::of(to)?) {
        return None;
    }
    let grid = Grid::of(from);
    let mut places: Vec<usize> = (0..grid.pixels.len())
        .filter(|&at| grid.is_inner(at))
        .collect();
    if places.is_empty() {
        places = (0..grid.pixels.len())
            .filter(|&at| grid.is_opaque(at))
            .collect();
    }
    let others = to.rgba.as_chunks::<4>().0;
    let mut names = Names::new(vocabulary);
    let mut pixels: HashMap<(&str, &str), usize> = HashMap::new();
    for &at in &places {
        if let (Some(here), Some(there)) = (names.of(grid.pixels[at]), names.of(others[at])) {
            *pixels.entry((here, there)).or_default() += 1;
        }
    }
    let words = vocabulary.entries(Field::Colors);
    let colors = words.iter().filter_map(|word| {
        let becomes = becomes(word, words, &pixels, places.len())?;
        Some((word.word.clone(), becomes.to_owned()))
    });
    Some(colors.collect())
}

/// What a color becomes: `pixels` counts them by what they are in both icons.
fn becomes<'v>(
    word: &Word,
    words: &'v [Word],
    pixels: &HashMap<(&str, &str), usize>,
    total: usize,
) -> Option<&'v str> {
    let count = |shades: bool, there: &str| -> usize {
        let is_it =
            |here: &str| here == word.word || (shades && word.shades.iter().any(|s| s == here));
        let of_it = pixels
            .iter()
            .filter(|((here, to), _)| is_it(here) && *to == there);
        of_it.map(|(_, count)| count).sum()
    };
    // Who says blue may mean navy.
    for shades in [false, true] {
        let counts = words.iter().map(|to| (to, count(shades, &to.word)));
        let counts: Vec<(&Word, usize)> = counts.collect();
        let all: usize = counts.iter().map(|(_, count)| count).sum();
        if (all as f32) < LEAST_SHARE * total as f32 {
            continue;
        }
        let is_part = |count: usize| count as f32 >= LEAST_PART * all as f32;
        let stays = counts
            .iter()
            .find(|(to, count)| *to == word && is_part(*count));
        // The first in the vocabulary's order of those that are equally many.
        let most = counts.iter().rev().max_by_key(|(_, count)| *count);
        let most = most.filter(|(_, count)| is_part(*count));
        return stays.or(most).map(|(to, _)| to.word.as_str());
    }
    None
}

/// The color words of pixels, each color looked up once.
struct Names<'v> {
    vocabulary: &'v Vocabulary,
    known: HashMap<[u8; 3], Option<&'v str>>,
}

impl<'v> Names<'v> {
    fn new(vocabulary: &'v Vocabulary) -> Self {
        Self {
            vocabulary,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, [r, g, b, _]: [u8; 4]) -> Option<&'v str> {
        let rgb = [r, g, b];
        *self.known.entry(rgb).or_insert_with(|| {
            let word = nearest_color(self.vocabulary, to_oklab(rgb))?;
            Some(word.word.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 12x12 icon with a corner cut off: its upper half in one color, its lower in another.
    fn flag(upper: [u8; 3], lower: [u8; 3]) -> Icon {
        let rgba = (0..144_usize).flat_map(|at| {
            let (x, y) = (at % 12, at / 12);
            let [r, g, b] = if y < 6 { upper } else { lower };
            [r, g, b, if x + y < 8 { 0 } else { 255 }]
        });
        Icon {
            width: 12,
            height: 12,
            rgba: rgba.collect(),
        }
    }

    const RED: [u8; 3] = [217, 43, 43];
    const WHITE: [u8; 3] = [252, 252, 252];
    const BLUE: [u8; 3] = [47, 111, 223];
    const NAVY: [u8; 3] = [27, 42, 92];

    fn pairs(from: &Icon, to: &Icon, words: &[&str]) -> Vec<Option<String>> {
        let vocabulary = Vocabulary::builtin().unwrap();
        let recoloring = recolor(from, to, &vocabulary).unwrap();
        let words = words.iter();
        words
            .map(|word| recoloring.get(word).map(str::to_owned))
            .collect()
    }

    #[test]
    fn colors_are_followed_from_pixel_to_pixel() {
        let found = pairs(
            &flag(RED, WHITE),
            &flag(WHITE, BLUE),
            &["red", "white", "green"],
        );
        assert_eq!(found, [Some("white".into()), Some("blue".into()), None]);
        let found = pairs(&flag(RED, WHITE), &flag(BLUE, WHITE), &["red", "white"]);
        assert_eq!(found, [Some("blue".into()), Some("white".into())]);
    }

    #[test]
    fn a_wide_word_goes_with_its_shades() {
        let found = pairs(&flag(NAVY, WHITE), &flag(RED, WHITE), &["navy", "blue"]);
        assert_eq!(found, [Some("red".into()), Some("red".into())]);
    }

    #[test]
    fn another_drawing_has_no_recoloring() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let mut other = flag(RED, WHITE);
        other.rgba[143 * 4 + 3] = 0;
        assert_eq!(recolor(&flag(RED, WHITE), &other, &vocabulary), None);
    }
}
