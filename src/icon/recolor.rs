//! Which color of one icon is which of another that is the same drawing.

use super::palette::Grid;
use super::{Drawing, Icon};
use crate::record::{
    Field, Recoloring, Vocabulary, Word, nearest_color, to_oklab, word_matches_color,
};
use std::collections::HashMap;

/// A color with a smaller share of the pixels is not looked for in the other icon. Less than what
/// the rules want to see of a color that a text names.
const LEAST_SHARE: f32 = 0.01;
/// A color stays the same where this part of its pixels does,
const LEAST_STAYS: f32 = 0.5;
/// and becomes another one where this part of them has it.
const LEAST_BECOMES: f32 = 1.0 / 3.0;

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
    let mut pixels: HashMap<([u8; 3], &str), usize> = HashMap::new();
    for &at in &places {
        let [r, g, b, _] = grid.pixels[at];
        if let Some(there) = names.of(others[at]) {
            *pixels.entry(([r, g, b], there)).or_default() += 1;
        }
    }
    let words = vocabulary.entries(Field::Colors);
    let colors = words.iter().filter_map(|word| {
        let becomes = becomes(word, vocabulary, &pixels, places.len())?;
        Some((word.word.clone(), becomes.to_owned()))
    });
    Some(colors.collect())
}

/// What a color becomes: `pixels` counts them by their color here and what they are there. Who
/// says black may mean a dark gray, who says blue may mean navy.
fn becomes<'v>(
    word: &Word,
    vocabulary: &'v Vocabulary,
    pixels: &HashMap<([u8; 3], &'v str), usize>,
    total: usize,
) -> Option<&'v str> {
    let mut meant: HashMap<[u8; 3], bool> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for ((here, there), count) in pixels {
        let is_meant = meant
            .entry(*here)
            .or_insert_with(|| word_matches_color(word, to_oklab(*here), vocabulary));
        if *is_meant {
            *counts.entry(there).or_default() += count;
        }
    }
    let all: usize = counts.values().sum();
    if (all as f32) < LEAST_SHARE * total as f32 {
        return None;
    }
    let part = |there: &str| counts.get(there).copied().unwrap_or_default() as f32 / all as f32;
    let words = vocabulary.entries(Field::Colors).iter();
    if let Some(stays) = words.clone().find(|to| *to == word)
        && part(&stays.word) >= LEAST_STAYS
    {
        return Some(&stays.word);
    }
    // The first in the vocabulary's order of those that are equally many.
    let most = words
        .rev()
        .max_by(|a, b| part(&a.word).total_cmp(&part(&b.word)))?;
    (part(&most.word) >= LEAST_BECOMES).then_some(most.word.as_str())
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
    fn a_word_is_followed_to_the_pixels_that_it_is_said_of() {
        // Few pixels are black, many of a gray that people call black.
        let (black, gray, gold) = ([17, 17, 17], [62, 62, 70], [212, 175, 55]);
        let mut from = flag(gray, WHITE);
        let mut to = flag(gold, WHITE);
        for icon in [&mut from, &mut to] {
            for at in 40..60 {
                icon.rgba[at * 4..at * 4 + 3].copy_from_slice(&black);
            }
        }
        assert_eq!(pairs(&from, &to, &["black"]), [Some("gold".into())]);
    }

    #[test]
    fn another_drawing_has_no_recoloring() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let mut other = flag(RED, WHITE);
        other.rgba[143 * 4 + 3] = 0;
        assert_eq!(recolor(&flag(RED, WHITE), &other, &vocabulary), None);
    }
}
