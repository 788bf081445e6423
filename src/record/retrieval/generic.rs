//! How much a label says that others do not, by its letters alone: what can be said without a
//! retriever.

use crate::text::clean_text;
use std::collections::{HashMap, HashSet};

/// Letters of a part.
const LETTERS: usize = 3;
/// A label is judged by so many of its rarest parts at least,
const LEAST: usize = 3;
/// and by the rarest of so many.
const OF: usize = 4;

/// How often each part of a label occurs in all labels.
#[derive(Debug, Clone, Default)]
pub struct TrigramCounts {
    labels: u32,
    counts: HashMap<[char; LETTERS], u32>,
}

impl TrigramCounts {
    /// Counts the labels, each with the name of its item, which is no description.
    pub fn of<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut generic = Self::default();
        for (label, name) in labels.filter(|(label, _)| !label.is_empty()) {
            generic.labels += 1;
            for part in parts(label, name) {
                *generic.counts.entry(part).or_default() += 1;
            }
        }
        generic
    }

    /// In how many of the other labels the rarest parts of this one stand on average, 0-1: at 0 it
    /// says something that no other one says. `None` where there is nothing to compare.
    pub fn share(&self, label: &str, name: &str) -> Option<f32> {
        let others = self.labels.checked_sub(1).filter(|others| *others > 0)?;
        let count = |part: [char; LETTERS]| self.counts.get(&part).copied().unwrap_or(1);
        let mut counts: Vec<u32> = parts(label, name).into_iter().map(count).collect();
        if label.is_empty() {
            return None;
        }
        counts.sort_unstable();
        let rarest = counts.len().div_ceil(OF).max(LEAST).min(counts.len());
        let Some(rarest) = counts.get(..rarest).filter(|rarest| !rarest.is_empty()) else {
            // Nothing is left beside the name.
            return Some(1.0);
        };
        let shared: u32 = rarest.iter().map(|count| count.saturating_sub(1)).sum();
        Some(shared as f32 / (rarest.len() as u32 * others) as f32)
    }
}

/// The parts of a label without the item's name.
fn parts(label: &str, name: &str) -> HashSet<[char; LETTERS]> {
    let label = clean_text(label);
    let label = match clean_text(name) {
        name if name.is_empty() => label,
        name => label.replace(&name, " "),
    };
    let words = label.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    // A word begins and ends with a space.
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
    fn a_label_that_says_what_all_say_is_generic() {
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
