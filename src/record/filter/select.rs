//! Selects and sorts the records that pass a filter.

use super::keys::{Test, passes};
use super::query::{Condition, Query};
use super::text::{LEADS, find};
use crate::record::{Field, GroupId, GroupSummary, TrigramCounts};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32String};
use std::borrow::Borrow;
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::HashMap;
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

/// How well a record matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pass {
    No,
    /// A word matched only fuzzily.
    Fuzzy,
    Exact,
}

/// Checks records against a filter, with cached word patterns.
struct Checker {
    words: HashMap<String, WordPattern>,
    matcher: Matcher,
    /// Trigram counts over all labels; empty unless the filter uses `generic`.
    generic: TrigramCounts,
}

struct WordPattern {
    chars: Vec<char>,
    /// `None` if only exact matches count.
    fuzzy: Option<Pattern>,
}

impl WordPattern {
    fn new(word: &str) -> Self {
        let chars: Vec<char> = word.chars().collect();
        // One or two letters or lone consonants would match almost everything.
        let fuzzy = chars.len() > 2 && !chars.iter().any(|c| LEADS.contains(*c));
        let pattern = || {
            Pattern::new(
                word,
                CaseMatching::Ignore,
                Normalization::Smart,
                AtomKind::Fuzzy,
            )
        };
        Self {
            chars,
            fuzzy: fuzzy.then(pattern),
        }
    }
}

/// A record with the texts in which words are searched, prepared for the first word.
struct SearchedRecord<'a> {
    summary: &'a GroupSummary,
    texts: OnceCell<SearchedTexts>,
}

struct SearchedTexts {
    /// The name, the label and the tags in lower case.
    exact: Vec<Vec<char>>,
    /// The name and the tags.
    fuzzy: Vec<Utf32String>,
}

impl<'a> SearchedRecord<'a> {
    fn new(summary: &'a GroupSummary) -> Self {
        Self {
            summary,
            texts: OnceCell::new(),
        }
    }

    fn texts(&self) -> &SearchedTexts {
        self.texts.get_or_init(|| {
            let labels = &self.summary.labels;
            let tags = labels.values(Field::TagsKo).iter().map(String::as_str);
            let name_and_tags = std::iter::once(self.summary.name.as_str()).chain(tags);
            let all = name_and_tags.clone().chain([labels.label_ko()]);
            let letters = |text: &str| text.nfc().flat_map(char::to_lowercase).collect();
            SearchedTexts {
                exact: all.map(letters).collect(),
                fuzzy: name_and_tags.map(Utf32String::from).collect(),
            }
        })
    }
}

impl Checker {
    fn new<S: Borrow<GroupSummary>>(all: &[S], query: &Query) -> Self {
        let labels = all.iter().map(|summary| {
            let summary = summary.borrow();
            (summary.labels.label_ko(), summary.name.as_str())
        });
        Self {
            words: HashMap::new(),
            matcher: Matcher::new(Config::DEFAULT),
            generic: match uses_generic(&query.root) {
                true => TrigramCounts::of(labels),
                false => TrigramCounts::default(),
            },
        }
    }

    fn check(&mut self, condition: &Condition, record: &SearchedRecord) -> Pass {
        let summary = record.summary;
        match condition {
            Condition::Test(Test::Word(word)) => self.word(word, record),
            Condition::Test(Test::Generic(range)) => {
                let share = self.generic.share(summary.labels.label_ko(), &summary.name);
                match share.is_some_and(|share| range.contains(share)) {
                    true => Pass::Exact,
                    false => Pass::No,
                }
            }
            Condition::Test(test) => match passes(test, summary) {
                true => Pass::Exact,
                false => Pass::No,
            },
            // A negated word excludes exact matches only.
            Condition::Not(inner) => match self.check(inner, record) {
                Pass::Exact => Pass::No,
                Pass::Fuzzy | Pass::No => Pass::Exact,
            },
            Condition::All(all) => {
                let mut worst = Pass::Exact;
                for inner in all {
                    worst = worst.min(self.check(inner, record));
                    if worst == Pass::No {
                        break;
                    }
                }
                worst
            }
            Condition::Any(any) => {
                let mut best = None;
                for inner in any {
                    best = best.max(Some(self.check(inner, record)));
                    if best == Some(Pass::Exact) {
                        break;
                    }
                }
                best.unwrap_or(Pass::Exact)
            }
        }
    }

    fn word(&mut self, word: &str, record: &SearchedRecord) -> Pass {
        if !self.words.contains_key(word) {
            self.words.insert(word.to_owned(), WordPattern::new(word));
        }
        let Self { words, matcher, .. } = self;
        let Some(word) = words.get(word) else {
            return Pass::No;
        };
        let texts = record.texts();
        let mut exact = texts.exact.iter();
        if exact.any(|text| find(text, &word.chars).is_some()) {
            return Pass::Exact;
        }
        let Some(pattern) = &word.fuzzy else {
            return Pass::No;
        };
        let mut fuzzy = texts.fuzzy.iter();
        match fuzzy.any(|text| pattern.score(text.slice(..), matcher).is_some()) {
            true => Pass::Fuzzy,
            false => Pass::No,
        }
    }
}

fn uses_generic(condition: &Condition) -> bool {
    match condition {
        Condition::Test(test) => matches!(test, Test::Generic(_)),
        Condition::Not(inner) => uses_generic(inner),
        Condition::All(all) | Condition::Any(all) => all.iter().any(uses_generic),
    }
}

/// The record being edited. It keeps its place in the list until the operator leaves it, even if
/// its uncertainty and reasons change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PinnedRecord {
    pub group: GroupId,
    pub uncertainty: f32,
    pub changed_at: i64,
}

/// Sort key: most uncertain first, then in source order.
pub fn by_uncertainty(summary: &GroupSummary, pinned: Option<PinnedRecord>) -> impl Ord + use<> {
    let uncertainty = pinned.map_or(summary.uncertainty, |pinned| pinned.uncertainty);
    let uncertainty = (uncertainty.clamp(0.0, 1.0) * 1e6) as u32;
    (Reverse(uncertainty), summary.order)
}

/// Sorted indexes of the summaries that pass the filter, and of the `pinned` one.
pub fn select<S: Borrow<GroupSummary>>(
    all: &[S],
    query: &Query,
    sort: Sort,
    pinned: Option<PinnedRecord>,
) -> Vec<u32> {
    let pinned = |summary: &GroupSummary| pinned.filter(|pinned| pinned.group == summary.id);
    let mut checker = Checker::new(all, query);
    let mut found: Vec<(bool, u32)> = Vec::new();
    for (place, summary) in all.iter().enumerate() {
        let summary = summary.borrow();
        match checker.check(&query.root, &SearchedRecord::new(summary)) {
            Pass::No if pinned(summary).is_none() => {}
            pass => found.push((pass == Pass::Fuzzy, place as u32)),
        }
    }
    let at = |place: u32| all[place as usize].borrow();
    match sort {
        Sort::Uncertainty => found.sort_by_cached_key(|(fuzzy, place)| {
            let summary = at(*place);
            (*fuzzy, by_uncertainty(summary, pinned(summary)))
        }),
        Sort::Name => found.sort_by(|a, b| {
            let (x, y) = (at(a.1), at(b.1));
            (a.0, &x.name, x.order).cmp(&(b.0, &y.name, y.order))
        }),
        Sort::Time => found.sort_by_key(|(fuzzy, place)| {
            let summary = at(*place);
            let time = pinned(summary).map_or(summary.changed_at, |pinned| pinned.changed_at);
            (*fuzzy, Reverse(time), summary.order)
        }),
        Sort::Source => found.sort_by_key(|(fuzzy, place)| (*fuzzy, at(*place).order)),
    }
    found.into_iter().map(|(_, place)| place).collect()
}
