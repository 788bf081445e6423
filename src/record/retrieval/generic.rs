//! Scores how generic a label is from its letter trigrams, without a retriever.

use crate::text::{clean_text, without};
use std::collections::{HashMap, HashSet};

/// Number of letters in a trigram.
const LETTERS: usize = 3;
/// The score uses at least this many of a label's rarest trigrams.
const MIN_RAREST: usize = 3;
/// The score uses the rarest trigrams, one of this many.
const RAREST_OF: usize = 4;

/// The number of labels that contain each trigram.
#[derive(Debug, Clone, Default)]
pub struct TrigramCounts {
    labels: u32,
    counts: HashMap<[char; LETTERS], u32>,
}

impl TrigramCounts {
    /// Counts the trigrams of labels, given with their item names, which are excluded.
    pub fn of<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut generic = Self::default();
        for (label, name) in labels.filter(|(label, _)| !label.is_empty()) {
            generic.labels += 1;
            for trigram in trigrams(label, name) {
                *generic.counts.entry(trigram).or_default() += 1;
            }
        }
        generic
    }

    /// The mean share of other labels that contain this label's rarest trigrams, 0-1. At 0, the
    /// label says something unique. `None` if there is nothing to compare.
    pub fn share(&self, label: &str, name: &str) -> Option<f32> {
        let others = self.labels.checked_sub(1).filter(|others| *others > 0)?;
        let count = |part: [char; LETTERS]| self.counts.get(&part).copied().unwrap_or(1);
        let mut counts: Vec<u32> = trigrams(label, name).into_iter().map(count).collect();
        if label.is_empty() {
            return None;
        }
        counts.sort_unstable();
        let rarest = counts
            .len()
            .div_ceil(RAREST_OF)
            .max(MIN_RAREST)
            .min(counts.len());
        let Some(rarest) = counts.get(..rarest).filter(|rarest| !rarest.is_empty()) else {
            // The label is only the name.
            return Some(1.0);
        };
        let shared: u32 = rarest.iter().map(|count| count.saturating_sub(1)).sum();
        Some(shared as f32 / (rarest.len() as u32 * others) as f32)
    }
}

/// The trigrams of a label without the item's name.
fn trigrams(label: &str, name: &str) -> HashSet<[char; LETTERS]> {
    let label = without(&clean_text(label), &clean_text(name));
    let words = label.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    // Spaces mark the ends of words.
    let letters: Vec<char> = format!(" {} ", words.join(" ")).chars().collect();
    letters
        .windows(LETTERS)
        .filter_map(|part| part.first_chunk().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_without_distinctive_words_is_generic() {
        let labels = [
            ("여우 모자는 귀여운 모자입니다", "여우 모자"),
            ("토끼 모자는 귀여운 모자입니다", "토끼 모자"),
            ("곰 모자는 귀여운 모자입니다", "곰 모자"),
            ("별 모자는 챙에 은색 별이 박힌 남색 고깔", "별 모자"),
        ];
        let generic = TrigramCounts::of(labels.into_iter());
        let share = |at: usize| generic.share(labels[at].0, labels[at].1).unwrap();
        assert!(share(0) > 0.6, "{}", share(0));
        assert_eq!(share(0), share(1));
        assert_eq!(share(3), 0.0);
        assert_eq!(generic.share("별 모자", "별 모자"), Some(1.0));
        assert_eq!(generic.share("", "별 모자"), None);
        assert_eq!(
            TrigramCounts::of(labels.into_iter().take(1)).share(labels[0].0, ""),
            None
        );
    }
}
