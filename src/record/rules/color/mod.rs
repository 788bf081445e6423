//! The color histogram of an icon, and the checks of color words against it.

use crate::record::{Field, PixelRule, Vocabulary, Word};
use serde::{Deserialize, Serialize};

/// Weight of lightness in color distances. It counts less than hue and chroma, since shading
/// varies the lightness of a color.
const LIGHTNESS_WEIGHT: f32 = 0.5;
/// Pixels of lower chroma look gray. They show no word whose anchors are all chromatic.
const GRAY: f32 = 0.03;
/// Gray pixels can show words with anchors of lower chroma (white, gray, black, cream).
const PALE: f32 = 0.045;
/// Minimum share of the pixels, outline excluded, closest to a word or one of its shades for the
/// color to count as shown.
const MIN_SHARE: f32 = 0.02;
/// Margin within which a pixel shows several words: salmon is red to one person and orange to
/// another.
const EITHER: f32 = 0.01;
/// Minimum share of the pixels for a dark color to count as shown: lines inside an icon are drawn
/// like its outline.
const MIN_DARK: f32 = 0.04;
/// Pixels below this OKLab lightness look black, whatever their hue.
const NEAR_BLACK: f32 = 0.25;
/// Minimum share of near-black pixels for a dark color to count as shown.
const MIN_NEAR_BLACK: f32 = 0.10;
/// A word whose anchors are all below this OKLab lightness names a dark color, which must not be
/// confused with outlines and shadows.
const DARK_WORD: f32 = 0.30;
/// Minimum share of the core pixels for a dark color to count as shown.
const MIN_CORE: f32 = 0.20;
/// A word whose anchors are all above this OKLab lightness must not be confused with highlights.
const LIGHT_WORD: f32 = 0.95;
/// Minimum share of the pixels for such a color to count as shown.
const MIN_LIGHT: f32 = 0.08;
/// Minimum share of the pixels for a word to be among those that a person would name first.
const MIN_MEASURED: f32 = 0.12;
/// An icon is multicolored if at least this many sixths of the hue circle have at least
/// [`MIN_HUE_SHARE`] of the pixels each. People call gold with red colorful, but not shades of one
/// hue.
const MIN_HUES: usize = 2;
const MIN_HUE_SHARE: f32 = 0.03;
/// Minimum chroma for a pixel to have a hue.
const COLORED: f32 = 0.05;
/// Minimum share of translucent pixels among the visible ones for an icon to count as transparent.
const MIN_TRANSLUCENT: f32 = 0.05;
/// Maximum distance from a pixel to a claimed word that covers it.
const COVERED: f32 = 0.10;
/// A label written from the icon names its largest color, or colors with at least this share.
const MIN_NAMED: f32 = 0.28;
/// A label names its largest color if it has a hue, at least this share, and more pixels than all
/// named colors together.
const MUST_NAME: f32 = 0.35;
/// A named color with a smaller share is hardly visible: it may be right or made up.
const HARDLY: f32 = 0.07;
/// Share of pixels without a claimed color from which the claims miss the main color.
const MAX_UNCLAIMED: f32 = 0.75;

/// Histogram of the opaque pixels, outline excluded, in bins of a perceptual color space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColorHistogram {
    /// Number of opaque pixels, outline included.
    pub opaque: u32,
    /// OKLab center (`[l, a, b]`, `l` in 0-1) and share of the opaque pixels, outline excluded
    /// (0-1), largest first.
    pub bins: Vec<([f32; 3], f32)>,
    /// Dark colors among the core pixels, which have opaque neighbors on all four sides, with their
    /// shares of the core.
    pub dark_core: Vec<([f32; 3], f32)>,
    /// Share of translucent pixels among the visible ones.
    #[serde(default)]
    pub translucent: f32,
}

/// A color word with its shares of the pixels.
struct WordShares<'a> {
    word: &'a Word,
    /// The share of the pixels that are closest to the word.
    nearest: f32,
    /// The share of the pixels that the word can name: no other word is closer to them by more than
    /// [`EITHER`] than the word or one of its shades.
    nameable: f32,
    /// The share of the core pixels that are dark and closest to the word.
    core: f32,
}

impl ColorHistogram {
    /// The color words that the pixels show, in vocabulary order.
    fn shown<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<&'a Word> {
        let near_black = self.bins.iter().filter(|(color, _)| color[0] < NEAR_BLACK);
        let near_black: f32 = near_black.map(|(_, share)| share).sum();
        let shares = self.word_shares(vocabulary).into_iter();
        let shown = shares.filter(|shares| {
            let anchors = &shares.word.anchors;
            let lightness = || anchors.iter().map(|[lightness, ..]| *lightness);
            if anchors.is_empty() {
                false
            } else if lightness().all(|lightness| lightness < DARK_WORD) {
                shares.nearest >= MIN_DARK
                    || near_black >= MIN_NEAR_BLACK
                    || shares.core >= MIN_CORE
            } else if lightness().all(|lightness| lightness > LIGHT_WORD) {
                shares.nameable >= MIN_LIGHT
            } else {
                shares.nameable >= MIN_SHARE
            }
        });
        shown.map(|shares| shares.word).collect()
    }

    /// The shares of each color word, in vocabulary order.
    fn word_shares<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<WordShares<'a>> {
        let words = vocabulary.entries(Field::Colors);
        let core = shares(&self.dark_core, vocabulary).into_iter();
        let core = core.map(|(word, core)| WordShares {
            word,
            nearest: 0.0,
            nameable: 0.0,
            core,
        });
        let mut shares: Vec<WordShares> = core.collect();
        let covered = vocabulary.color_shades();
        for (color, share) in &self.bins {
            let distances: Vec<f32> = distances(words, *color).collect();
            let mut best = f32::INFINITY;
            if let Some(nearest) = smallest(distances.iter().copied()) {
                shares[nearest].nearest += share;
                best = distances[nearest];
            }
            for (own, covered) in shares.iter_mut().zip(covered) {
                if covered.iter().any(|at| distances[*at] <= best + EITHER) {
                    own.nameable += share;
                }
            }
        }
        shares
    }

    /// The words that a person would name first, with the share of pixels closest to each, largest
    /// first. Contains at least one word unless the icon has no opaque pixel.
    pub fn measured<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<(&'a Word, f32)> {
        let mut shares = self.nearest_shares(vocabulary);
        shares.retain(|(_, share)| *share > 0.0);
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let much = shares.iter().filter(|(_, share)| *share >= MIN_MEASURED);
        shares.truncate(much.count().max(1));
        shares
    }

    /// The words that a model may claim, in vocabulary order: those that the pixels show, and those
    /// that cannot be checked.
    pub fn allowed<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<&'a Word> {
        let words: Vec<&Word> = vocabulary.entries(Field::Colors).iter().collect();
        let wrong = self.contradicted(&words, vocabulary);
        let is_satisfied = |word: &Word| word.pixels.is_none_or(|rule| self.satisfies(rule));
        let mut allowed = words.clone();
        allowed.retain(|word| !wrong.contains(word) && (self.opaque == 0 || is_satisfied(word)));
        allowed
    }

    /// The share of pixels closest to each color word, in vocabulary order.
    pub fn by_word(&self, vocabulary: &Vocabulary) -> Vec<f32> {
        let shares = self.nearest_shares(vocabulary).into_iter();
        shares.map(|(_, share)| share).collect()
    }

    /// Each color word with the share of pixels closest to it.
    fn nearest_shares<'a>(&self, vocabulary: &'a Vocabulary) -> Vec<(&'a Word, f32)> {
        shares(&self.bins, vocabulary)
    }

    /// The claimed colors that the pixels show neither directly nor, for a broad word such as blue,
    /// as one of its shades. Words without anchors and icons without an opaque pixel cannot be
    /// checked.
    pub fn contradicted<'a>(&self, claimed: &[&'a Word], vocabulary: &Vocabulary) -> Vec<&'a Word> {
        if self.opaque == 0 || claimed.is_empty() {
            return Vec::new();
        }
        let shown = self.shown(vocabulary);
        let claimed = claimed.iter().copied();
        claimed
            .filter(|word| match word.pixels {
                // Glass and jelly are drawn opaque, so no pixel contradicts them.
                Some(PixelRule::Translucent) => false,
                Some(rule) => !self.satisfies(rule),
                None => !word.anchors.is_empty() && !shown.contains(word),
            })
            .collect()
    }

    fn satisfies(&self, rule: PixelRule) -> bool {
        match rule {
            PixelRule::ManyColors => {
                let mut sixths = [0.0; 6];
                let colored = self.bins.iter().filter(|(c, _)| chroma(*c) >= COLORED);
                for ([_, a, b], share) in colored {
                    let turn = b.atan2(*a) / std::f32::consts::TAU;
                    sixths[(turn.rem_euclid(1.0) * 6.0) as usize % 6] += share;
                }
                sixths
                    .iter()
                    .filter(|share| **share >= MIN_HUE_SHARE)
                    .count()
                    >= MIN_HUES
            }
            PixelRule::Translucent => self.translucent >= MIN_TRANSLUCENT,
        }
    }

    /// Whether most pixels have none of these colors. False if none can be checked, or if one stands
    /// for many colors.
    pub fn misses_main_color(&self, named: &[&Word], vocabulary: &Vocabulary) -> bool {
        let many = Some(PixelRule::ManyColors);
        if named.iter().any(|word| word.pixels == many) {
            return false;
        }
        let covering = covering(named, vocabulary);
        if covering.is_empty() || self.bins.is_empty() {
            return false;
        }
        let unclaimed = self.uncovered(&covering);
        unclaimed.iter().map(|(_, share)| share).sum::<f32>() >= MAX_UNCLAIMED
    }

    /// The words that a person would name first for the pixels without a claimed color, with the
    /// share of all pixels closest to each, largest first.
    pub fn unclaimed<'a>(
        &self,
        claimed: &[&Word],
        vocabulary: &'a Vocabulary,
    ) -> Vec<(&'a Word, f32)> {
        let uncovered = self.uncovered(&covering(claimed, vocabulary));
        let mut words = shares(&uncovered, vocabulary);
        let shown = self.shown(vocabulary);
        words.retain(|(word, share)| *share >= MIN_MEASURED && shown.contains(word));
        words.sort_by(|a, b| b.1.total_cmp(&a.1));
        words
    }

    /// Whether the words do not cover the largest color of the icon, and either cover only a little
    /// or less than that color alone. It suggests that their author has not seen the icon. True if
    /// there are no words.
    pub fn claims_too_little(&self, claimed: &[&Word], vocabulary: &Vocabulary) -> bool {
        if self.bins.is_empty() {
            return false;
        }
        let covering = covering(claimed, vocabulary);
        let largest = self.measured(vocabulary).first().copied();
        if largest.is_some_and(|(word, _)| covering.contains(&word)) {
            return false;
        }
        let named = self.nearest_shares(vocabulary).into_iter();
        let named = named.filter(|(word, _)| covering.contains(word));
        let named: f32 = named.map(|(_, share)| share).sum();
        let has_hue = |word: &Word| word.anchors.iter().all(|anchor| chroma(*anchor) >= COLORED);
        named < MIN_NAMED
            || largest.is_some_and(|(word, share)| share >= MUST_NAME.max(named) && has_hue(word))
    }

    /// Whether hardly any pixel, and little of the core, shows the word or one of its shades. False
    /// if it cannot be checked.
    pub fn has_little(&self, word: &Word, vocabulary: &Vocabulary) -> bool {
        if self.bins.is_empty() || word.anchors.is_empty() {
            return false;
        }
        let shares = self.word_shares(vocabulary);
        let own = shares.iter().find(|shares| shares.word == word);
        own.is_none_or(|own| own.nameable < HARDLY && own.core < MIN_CORE)
    }

    /// The bins that are far from all these words.
    fn uncovered(&self, covering: &[&Word]) -> Vec<([f32; 3], f32)> {
        let bins = self.bins.iter();
        bins.filter(|(color, _)| covering.iter().all(|word| distance(word, *color) > COVERED))
            .copied()
            .collect()
    }
}

/// The claimed words and their shades, without words that have no anchor.
fn covering<'a>(claimed: &[&'a Word], vocabulary: &'a Vocabulary) -> Vec<&'a Word> {
    let words = vocabulary.entries(Field::Colors);
    let mut covering: Vec<&Word> = claimed.to_vec();
    for word in claimed {
        let shades = words
            .iter()
            .filter(|other| word.shades.contains(&other.word));
        covering.extend(shades);
    }
    covering.retain(|word| !word.anchors.is_empty());
    covering
}

/// Each color word with the share of the colors closest to it.
fn shares<'a>(colors: &[([f32; 3], f32)], vocabulary: &'a Vocabulary) -> Vec<(&'a Word, f32)> {
    let words = vocabulary.entries(Field::Colors);
    let mut shares: Vec<(&Word, f32)> = words.iter().map(|word| (word, 0.0)).collect();
    for (color, share) in colors {
        if let Some(nearest) = nearest(words, *color) {
            shares[nearest].1 += share;
        }
    }
    shares
}

/// Index of the word closest to a color; `None` if no word has an anchor.
fn nearest(words: &[Word], color: [f32; 3]) -> Option<usize> {
    smallest(distances(words, color))
}

/// The distance of each word to a color.
fn distances(words: &[Word], color: [f32; 3]) -> impl Iterator<Item = f32> {
    let gray = is_gray(color);
    words.iter().map(move |word| distance_to(word, color, gray))
}

/// Index of the smallest distance; `None` if all are infinite.
fn smallest(distances: impl Iterator<Item = f32>) -> Option<usize> {
    let found = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
    found
        .filter(|(_, distance)| distance.is_finite())
        .map(|(at, _)| at)
}

/// The color word closest to an OKLab color; `None` if the vocabulary has no colors.
pub fn nearest_color(vocabulary: &Vocabulary, color: [f32; 3]) -> Option<&Word> {
    let words = vocabulary.entries(Field::Colors);
    nearest(words, color).map(|at| &words[at])
}

/// Whether the word can describe an OKLab color, directly or by one of its shades.
pub fn word_matches_color(word: &Word, color: [f32; 3], vocabulary: &Vocabulary) -> bool {
    let is_shade = |nearest: &Word| word.shades.contains(&nearest.word);
    let nearest = nearest_color(vocabulary, color);
    nearest.is_some_and(|nearest| nearest == word || is_shade(nearest))
        || distance(word, color) <= COVERED
}

fn chroma([_, a, b]: [f32; 3]) -> f32 {
    (a * a + b * b).sqrt()
}

fn is_gray(color: [f32; 3]) -> bool {
    chroma(color) < GRAY
}

fn distance(word: &Word, color: [f32; 3]) -> f32 {
    distance_to(word, color, is_gray(color))
}

/// [`distance`] to a color of which it is known whether it is gray.
fn distance_to(word: &Word, color: [f32; 3], gray: bool) -> f32 {
    let anchors = word.anchors.iter();
    let squares = anchors
        .filter(|anchor| !gray || chroma(**anchor) < PALE)
        .map(|anchor| {
            let l = (anchor[0] - color[0]) * LIGHTNESS_WEIGHT;
            let (a, b) = (anchor[1] - color[1], anchor[2] - color[2]);
            l * l + a * a + b * b
        });
    squares.fold(f32::INFINITY, f32::min).sqrt()
}

#[cfg(test)]
mod tests;
