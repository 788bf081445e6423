//! The records that pass a filter, in the order of a queue.

use super::query::{Query, Test, passes};
use super::text::{LEADS, find};
use crate::record::{Field, GroupId, GroupSummary};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::borrow::Borrow;
use std::cmp::Reverse;
use unicode_normalization::UnicodeNormalization;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Uncertainty,
    Name,
    Time,
    Source,
}

impl Sort {
    pub const ALL: [Sort; 4] = [Self::Uncertainty, Self::Name, Self::Time, Self::Source];

    pub fn name(self) -> &'static str {
        match self {
            Self::Uncertainty => "uncertainty",
            Self::Name => "name",
            Self::Time => "time",
            Self::Source => "source order",
        }
    }

    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

struct Words {
    patterns: Vec<(bool, Vec<char>, Option<Pattern>)>,
    matcher: Matcher,
    chars: Vec<char>,
}

impl Words {
    fn new(query: &Query) -> Self {
        let patterns = query
            .terms
            .iter()
            .filter_map(|(negated, test)| match test {
                Test::Word(word) => {
                    let chars: Vec<char> = word.chars().collect();
                    // Fuzzy on one or two letters, or on lone consonants, finds everything.
                    let fuzzy =
                        !negated && chars.len() > 2 && !chars.iter().any(|c| LEADS.contains(*c));
                    let pattern = fuzzy.then(|| {
                        Pattern::new(
                            word,
                            CaseMatching::Ignore,
                            Normalization::Smart,
                            AtomKind::Fuzzy,
                        )
                    });
                    Some((*negated, chars, pattern))
                }
                _ => None,
            })
            .collect();
        Self {
            patterns,
            matcher: Matcher::new(Config::DEFAULT),
            chars: Vec::new(),
        }
    }

    /// `None`: no match. `Some(true)`: every word stands there as it is.
    fn test(&mut self, summary: &GroupSummary) -> Option<bool> {
        let Self {
            patterns,
            matcher,
            chars,
        } = self;
        let mut exact = true;
        let tags = || {
            summary
                .labels
                .values(Field::TagsKo)
                .iter()
                .map(String::as_str)
        };
        for (negated, word, pattern) in patterns {
            let mut found = [summary.name.as_str(), summary.labels.label_ko()]
                .into_iter()
                .chain(tags())
                .any(|text| {
                    chars.clear();
                    chars.extend(text.nfc().flat_map(char::to_lowercase));
                    find(chars, word).is_some()
                });
            if !found && let Some(pattern) = pattern {
                exact = false;
                found = std::iter::once(summary.name.as_str())
                    .chain(tags())
                    .any(|text| {
                        let text = Utf32Str::new(text, chars);
                        pattern.score(text, matcher).is_some()
                    });
            }
            if found == *negated {
                return None;
            }
        }
        Some(exact)
    }
}

/// The current record while it is being edited: it stays in the list, where it was, whatever
/// becomes of its uncertainty and reasons, until the operator leaves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldRecord {
    pub group: GroupId,
    pub uncertainty: f32,
    pub changed_at: i64,
}

/// Places of the summaries that pass, in order. Where nothing is being edited, nothing is `held`.
pub fn select<S: Borrow<GroupSummary>>(
    all: &[S],
    query: &Query,
    sort: Sort,
    held: Option<HeldRecord>,
) -> Vec<u32> {
    let held = |summary: &GroupSummary| held.filter(|held| held.group == summary.id);
    let mut words = Words::new(query);
    let mut found: Vec<(bool, u32)> = Vec::new();
    for (place, summary) in all.iter().enumerate() {
        let summary = summary.borrow();
        let plain = query.terms.iter().all(|(negated, test)| match test {
            Test::Word(_) => true,
            test => passes(test, summary) != *negated,
        });
        if plain && let Some(exact) = words.test(summary) {
            found.push((!exact, place as u32));
        } else if held(summary).is_some() {
            found.push((false, place as u32));
        }
    }
    let at = |place: u32| all[place as usize].borrow();
    match sort {
        Sort::Uncertainty => found.sort_by_cached_key(|(fuzzy, place)| {
            let summary = at(*place);
            let uncertainty = held(summary).map_or(summary.uncertainty, |held| held.uncertainty);
            let uncertainty = (uncertainty.clamp(0.0, 1.0) * 1e6) as u32;
            (*fuzzy, Reverse(uncertainty), summary.order)
        }),
        Sort::Name => found.sort_by(|a, b| {
            let (x, y) = (at(a.1), at(b.1));
            (a.0, &x.name, x.order).cmp(&(b.0, &y.name, y.order))
        }),
        Sort::Time => found.sort_by_key(|(fuzzy, place)| {
            let summary = at(*place);
            let time = held(summary).map_or(summary.changed_at, |held| held.changed_at);
            (*fuzzy, Reverse(time), summary.order)
        }),
        Sort::Source => found.sort_by_key(|(fuzzy, place)| (*fuzzy, at(*place).order)),
    }
    found.into_iter().map(|(_, place)| place).collect()
}
