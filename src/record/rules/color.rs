//! What an icon's opaque pixels look like, in plain numbers that the rules and the screen share.

use crate::record::{Field, Vocabulary, Word};
use serde::{Deserialize, Serialize};

/// How far, in OKLab, a pixel may lie from a word's nearest anchor and still show the word.
const NEAR: f32 = 0.10;
/// A pixel also shows a word that is at most this much farther than the nearest of all words.
const NEAR_BEST: f32 = 1.25;
/// Shading makes one color dark and light, so lightness counts less than hue and chroma.
const LIGHTNESS_WEIGHT: f32 = 0.5;
/// A pixel of lower chroma is grey to the eye; it shows no word whose anchors are all colored.
const GREY: f32 = 0.03;
/// Anchors of lower chroma (white, grey, black, cream) may be shown by grey pixels.
const PALE: f32 = 0.045;
/// A shade's word has to be the nearest one of so many pixels to stand for the word above it.
const LEAST_SHADE: f32 = 0.05;
/// A claimed color that covers less than this share of the opaque pixels is not shown.
pub const LEAST_SHARE: f32 = 0.02;

/// The colors of the opaque pixels, gathered into bins of a perceptual space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColorHistogram {
    /// How many pixels were counted; transparent ones are left out.
    pub opaque: u32,
    /// OKLab center (`[l, a, b]`, `l` in 0-1) and share of the opaque pixels (0-1), most first.
    pub bins: Vec<([f32; 3], f32)>,
}

impl ColorHistogram {
    /// Which color words the pixels show, with their shares, most first. Neighboring words share
    /// pixels (an orange red shows both), so the shares add up to more than 1.
    pub fn shown<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<(&'a Word, f32)> {
        let near = |distance: f32, best: f32| distance <= NEAR.max(best * NEAR_BEST);
        let mut shown = self.shares(vocabulary, near);
        shown.retain(|(_, share)| *share >= LEAST_SHARE);
        shown.sort_by(|a, b| b.1.total_cmp(&a.1));
        shown
    }

    /// Each color word with the share of the pixels that `shows` lets it have, given how far a
    /// pixel is from it and from the nearest of all words.
    fn shares<'a>(
        &self,
        vocabulary: &'a Vocabulary,
        shows: impl Fn(f32, f32) -> bool,
    ) -> Vec<(&'a Word, f32)> {
        let words = vocabulary.entries(Field::Colors);
        let mut shares: Vec<(&Word, f32)> = words.iter().map(|word| (word, 0.0)).collect();
        for (color, share) in &self.bins {
            let distances: Vec<f32> = words.iter().map(|word| distance(word, *color)).collect();
            let best = distances.iter().copied().fold(f32::INFINITY, f32::min);
            for ((_, total), distance) in shares.iter_mut().zip(distances) {
                if shows(distance, best) {
                    *total += share;
                }
            }
        }
        shares
    }

    /// The claimed colors that the pixels do not show, nor, for a wide word such as blue, as one
    /// of its shades. Words without anchors cannot be judged,
    /// nor can an icon without an opaque pixel.
    pub fn contradicted<'a>(&self, claimed: &'a [String], vocabulary: &Vocabulary) -> Vec<&'a str> {
        if self.opaque == 0 || claimed.is_empty() {
            return Vec::new();
        }
        let shown = self.shown(vocabulary);
        let nearest = self.shares(vocabulary, |distance, best| distance == best);
        let is_shown = |word: &Word| {
            let of_shades = nearest
                .iter()
                .filter(|(other, _)| word.shades.contains(&other.word));
            let shade: f32 = of_shades.map(|(_, share)| share).sum();
            shown.iter().any(|(seen, _)| *seen == word) || shade >= LEAST_SHADE
        };
        claimed
            .iter()
            .filter(|claim| {
                vocabulary
                    .find_exact(Field::Colors, claim)
                    .is_some_and(|word| !word.anchors.is_empty() && !is_shown(word))
            })
            .map(String::as_str)
            .collect()
    }
}

/// The word that a pixel of this OKLab color shows best; `None` without a color to choose from.
pub fn nearest_color(vocabulary: &Vocabulary, color: [f32; 3]) -> Option<&Word> {
    let words = vocabulary.entries(Field::Colors).iter();
    words
        .filter(|word| !word.anchors.is_empty())
        .min_by(|a, b| distance(a, color).total_cmp(&distance(b, color)))
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
        for word in vocabulary.entries(Field::Colors) {
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
    fn a_wide_word_may_mean_one_of_its_shades() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let claimed = ["blue", "sky blue", "green"].map(String::from);
        let night = histogram(&[([25, 30, 80], 0.9), ([240, 240, 240], 0.1)]);
        assert_eq!(
            night.contradicted(&claimed, &vocabulary),
            ["sky blue", "green"]
        );
        // Yellow lies near lime, but shows no green.
        let star = histogram(&[([255, 225, 60], 1.0)]);
        assert_eq!(star.contradicted(&claimed, &vocabulary), claimed);
        let shoes = histogram(&[([110, 40, 60], 0.6), ([20, 20, 20], 0.4)]);
        let red = ["red".to_string()];
        assert!(shoes.contradicted(&red, &vocabulary).is_empty());
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
    fn a_swatch_has_the_name_that_the_rules_go_by() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let swatches = [
            ("white", [252, 251, 248]),
            ("silver", [200, 202, 205]),
            ("black", [20, 20, 20]),
            ("red", [217, 43, 43]),
        ];
        for (word, rgb) in swatches {
            let nearest = nearest_color(&vocabulary, to_oklab(rgb)).unwrap();
            assert_eq!(nearest.word, word);
        }
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
