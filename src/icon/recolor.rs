//! Maps the colors of one icon to those of another icon of the same drawing.

use super::palette::PixelGrid;
use super::{Drawing, Icon};
use crate::record::{
    Field, Recoloring, Vocabulary, Word, nearest_color, to_oklab, word_matches_color,
};
use std::collections::HashMap;

/// Colors with a smaller share of the pixels are not mapped. Below the share that the rules require
/// for a color named in a text.
const MIN_SHARE: f32 = 0.01;
/// A color is unchanged if at least this share of its pixels is.
const MIN_UNCHANGED: f32 = 0.5;
/// A color maps to the most frequent new color if at least this share of its pixels has it.
const MIN_MAPPED: f32 = 1.0 / 3.0;

/// Finds which color of `to` replaces each color of `from`, pixel by pixel and without the outline.
/// `None` if they are not the same drawing.
pub fn recolor(from: &Icon, to: &Icon, vocabulary: &Vocabulary) -> Option<Recoloring> {
    if !Drawing::of(from)?.is_same(&Drawing::of(to)?) {
        return None;
    }
    let grid = PixelGrid::of(from);
    let mut places: Vec<usize> = (0..grid.pixels.len())
        .filter(|&at| grid.is_inner(at))
        .collect();
    if places.is_empty() {
        places = (0..grid.pixels.len())
            .filter(|&at| grid.is_opaque(at))
            .collect();
    }
    let others = to.rgba.as_chunks::<4>().0;
    let mut names = ColorNames::new(vocabulary);
    let mut pixels: HashMap<([u8; 3], &str), usize> = HashMap::new();
    for &at in &places {
        let [r, g, b, _] = grid.pixels[at];
        if let Some(there) = names.of(others[at]) {
            *pixels.entry(([r, g, b], there)).or_default() += 1;
        }
    }
    let words = vocabulary.entries(Field::Colors);
    let colors = words.iter().filter_map(|word| {
        let mapped = mapped_color(word, vocabulary, &pixels, places.len())?;
        Some((word.word.clone(), mapped.to_owned()))
    });
    Some(colors.collect())
}

/// The color that replaces `word`. `pixels` counts pixels by their color in the first icon and their
/// color word in the second. A color word covers its shades: black includes dark gray, blue navy.
fn mapped_color<'v>(
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
    if (all as f32) < MIN_SHARE * total as f32 {
        return None;
    }
    let share = |there: &str| counts.get(there).copied().unwrap_or_default() as f32 / all as f32;
    let words = vocabulary.entries(Field::Colors).iter();
    if let Some(same) = words.clone().find(|to| *to == word)
        && share(&same.word) >= MIN_UNCHANGED
    {
        return Some(&same.word);
    }
    // Ties go to the first in the vocabulary.
    let most = words
        .rev()
        .max_by(|a, b| share(&a.word).total_cmp(&share(&b.word)))?;
    (share(&most.word) >= MIN_MAPPED).then_some(most.word.as_str())
}

/// Cached lookup of the color word of a pixel.
struct ColorNames<'v> {
    vocabulary: &'v Vocabulary,
    known: HashMap<[u8; 3], Option<&'v str>>,
}

impl<'v> ColorNames<'v> {
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
    fn colors_are_mapped_pixel_by_pixel() {
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
    fn a_broad_color_word_includes_its_shades() {
        let found = pairs(&flag(NAVY, WHITE), &flag(RED, WHITE), &["navy", "blue"]);
        assert_eq!(found, [Some("red".into()), Some("red".into())]);
    }

    #[test]
    fn a_color_word_follows_its_most_frequent_shade() {
        // Few pixels are black; many are a dark gray that people call black.
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
    fn different_drawings_have_no_recoloring() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let mut other = flag(RED, WHITE);
        other.rgba[143 * 4 + 3] = 0;
        assert_eq!(recolor(&flag(RED, WHITE), &other, &vocabulary), None);
    }
}
