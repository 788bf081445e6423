//! What an icon's opaque pixels look like, in plain numbers that the rules and the screen share.

use super::{Category, Vocabulary, Word};
use serde::{Deserialize, Serialize};

/// How far, in OKLab, a pixel may lie from a word's nearest anchor and still show the word.
const NEAR: f32 = 0.10;
/// A pixel also shows a word that is at most this much farther than the nearest of all words.
const NEAR_BEST: f32 = 1.25;
/// Shading makes one colour dark and light, so lightness counts less than hue and chroma.
const LIGHTNESS_WEIGHT: f32 = 0.5;
/// A pixel of lower chroma is grey to the eye; it shows no word whose anchors are all coloured.
const GREY: f32 = 0.03;
/// Anchors of lower chroma (white, grey, black, cream) may be shown by grey pixels.
const PALE: f32 = 0.045;
/// A claimed colour that covers less than this share of the opaque pixels is not shown.
pub const LEAST_SHARE: f32 = 0.02;

/// The colours of the opaque pixels, gathered into bins of a perceptual space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColorHistogram {
    /// How many pixels were counted; transparent ones are left out.
    pub opaque: u32,
    /// OKLab centre (`[l, a, b]`, `l` in 0-1) and share of the opaque pixels (0-1), most first.
    pub bins: Vec<([f32; 3], f32)>,
}

impl ColorHistogram {
    /// Which colour words the pixels show, with their shares, most first. Neighbouring words share
    /// pixels (an orange red shows both), so the shares add up to more than 1.
    pub fn shown<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<(&'a Word, f32)> {
        let words = vocabulary.entries(Category::Color);
        let mut shares = vec![0.0; words.len()];
        for (color, share) in &self.bins {
            let distances: Vec<f32> = words.iter().map(|word| distance(word, *color)).collect();
            let best = distances.iter().copied().fold(f32::INFINITY, f32::min);
            for (total, distance) in shares.iter_mut().zip(distances) {
                if distance <= NEAR.max(best * NEAR_BEST) {
                    *total += share;
                }
            }
        }
        let mut shown: Vec<_> = words
            .iter()
            .zip(shares)
            .filter(|(_, share)| *share >= LEAST_SHARE)
            .collect();
        shown.sort_by(|a, b| b.1.total_cmp(&a.1));
        shown
    }

    /// The claimed colours that the pixels do not show. Words without anchors cannot be judged,
    /// nor can an icon without an opaque pixel.
    pub fn contradicted<'a>(&self, claimed: &'a [String], vocabulary: &Vocabulary) -> Vec<&'a str> {
        if self.opaque == 0 || claimed.is_empty() {
            return Vec::new();
        }
        let shown = self.shown(vocabulary);
        claimed
            .iter()
            .filter(|claim| {
                vocabulary
                    .find_exact(Category::Color, claim)
                    .is_some_and(|word| {
                        !word.anchors.is_empty() && !shown.iter().any(|(seen, _)| *seen == word)
                    })
            })
            .map(String::as_str)
            .collect()
    }
}

fn distance(word: &Word, color: [f32; 3]) -> f32 {
    let chroma = |[_, a, b]: [f32; 3]| a.hypot(b);
    let grey = chroma(color) < GREY;
    word.anchors
        .iter()
        .filter(|anchor| !grey || chroma(**anchor) < PALE)
        .map(|anchor| {
            let [l, a, b] = [0, 1, 2].map(|at| anchor[at] - color[at]);
            ((l * LIGHTNESS_WEIGHT).powi(2) + a * a + b * b).sqrt()
        })
        .fold(f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::to_oklab;

    fn histogram(pixels: &[([u8; 3], f32)]) -> ColorHistogram {
        ColorHistogram {
            opaque: 500,
            bins: pixels
                .iter()
                .map(|(rgb, share)| (to_oklab(*rgb), *share))
                .collect(),
        }
    }

    #[test]
    fn every_anchor_shows_its_own_word_best() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for word in vocabulary.entries(Category::Color) {
            for anchor in &word.anchors {
                assert_eq!(distance(word, *anchor), 0.0, "{}", word.word);
            }
        }
    }

    #[test]
    fn a_red_hat_with_a_white_fringe_is_red_and_white_but_not_blue() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let hat = histogram(&[
            ([200, 30, 35], 0.45),
            ([120, 15, 25], 0.15),
            ([245, 245, 245], 0.25),
            ([17, 17, 17], 0.15),
        ]);
        let claimed = ["red", "white", "black", "blue", "green"].map(String::from);
        assert_eq!(hat.contradicted(&claimed, &vocabulary), ["blue", "green"]);
    }

    #[test]
    fn shading_keeps_a_color_its_own() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let claims = [
            ("gold", [[255, 215, 0], [150, 110, 20]]),
            ("purple", [[150, 80, 210], [90, 40, 130]]),
            ("pink", [[255, 150, 190], [230, 100, 150]]),
            ("brown", [[100, 60, 30], [150, 100, 60]]),
        ];
        for (word, pixels) in claims {
            for rgb in pixels {
                let icon = histogram(&[(rgb, 1.0)]);
                let claimed = [word.to_string()];
                assert!(
                    icon.contradicted(&claimed, &vocabulary).is_empty(),
                    "{word} {rgb:?}"
                );
            }
        }
    }

    #[test]
    fn grey_pixels_show_no_pale_color() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let snow = histogram(&[([255, 255, 255], 0.7), ([200, 202, 205], 0.3)]);
        let claimed = ["white", "silver", "pink", "lavender", "sky blue"].map(String::from);
        assert_eq!(
            snow.contradicted(&claimed, &vocabulary),
            ["pink", "lavender", "sky blue"]
        );
    }

    #[test]
    fn an_empty_icon_contradicts_nothing() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let claimed = ["blue".to_string()];
        assert!(
            ColorHistogram::default()
                .contradicted(&claimed, &vocabulary)
                .is_empty()
        );
    }
}
