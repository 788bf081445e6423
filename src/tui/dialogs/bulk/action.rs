//! What a bulk change can do, and to which fields, with the key of each.

use crate::record::{Field, Kind};
use crate::wording::Words;

/// What is done to the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkAction {
    Add,
    Remove,
    /// One value by another; the others stay.
    Replace,
    /// All values by others.
    Set,
    /// One value by another that records have.
    Merge,
    /// One value by another that means the same, from now on too.
    Synonym,
}

impl BulkAction {
    const ALL: [(char, Self); 4] = [
        ('a', Self::Add),
        ('d', Self::Remove),
        ('r', Self::Replace),
        ('s', Self::Set),
    ];

    pub(super) fn name(self, words: Words) -> &'static str {
        match self {
            Self::Add => words.bulk_add(),
            Self::Remove => words.bulk_remove(),
            Self::Replace => words.bulk_replace(),
            Self::Set => words.bulk_set(),
            Self::Merge => words.bulk_merge(),
            Self::Synonym => words.bulk_synonym(),
        }
    }

    /// Whether it begins with a value that records have.
    pub(super) fn takes_old(self) -> bool {
        matches!(self, Self::Remove | Self::Replace)
    }

    /// Those that make sense for a field.
    pub(super) fn of(field: Field) -> impl Iterator<Item = (char, Self)> {
        let all = Self::ALL.into_iter();
        all.filter(move |(_, action)| field.is_list() || *action != Self::Add)
    }
}

/// The fields that can be changed so, with the key of each. A sentence is about one record.
pub(super) fn fields() -> impl Iterator<Item = (char, Field)> {
    let letter = |field: Field| match field {
        Field::TagsKo => 't',
        Field::Colors => 'c',
        Field::Theme => 'h',
        Field::Material => 'm',
        Field::Vibe => 'v',
        Field::ItemTypeGuess => 'y',
        Field::QueryVariantsKo => 'q',
        Field::LabelKo | Field::LabelEn => 'l',
    };
    let all = Field::ALL.iter().copied();
    let all = all.filter(|field| !matches!(field.spec().kind, Kind::Sentence(_)));
    all.map(move |field| (letter(field), field))
}

/// The value so many places further; at the ends it stays.
pub(super) fn stepped<T: Copy + PartialEq>(all: &[T], now: T, by: isize) -> T {
    let at = all.iter().position(|have| *have == now).unwrap_or(0);
    let to = at.saturating_add_signed(by).min(all.len() - 1);
    all[to]
}
