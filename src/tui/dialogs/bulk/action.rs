//! Actions and fields of a bulk change, each with its key.

use crate::record::{Field, Kind};
use crate::wording::Words;

/// A bulk change of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkAction {
    Add,
    Remove,
    /// Replaces one value with another; the other values stay.
    Replace,
    /// Replaces all values.
    Set,
    /// Replaces one value with another existing value.
    Merge,
    /// Replaces one value with a synonym, and adds it to the vocabulary as another name.
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

    /// Whether the action needs a value that the records already have.
    pub(super) fn needs_existing_value(self) -> bool {
        matches!(self, Self::Remove | Self::Replace)
    }

    /// The actions that make sense for a field.
    pub(super) fn of(field: Field) -> impl Iterator<Item = (char, Self)> {
        let all = Self::ALL.into_iter();
        all.filter(move |(_, action)| field.is_list() || *action != Self::Add)
    }
}

/// The fields of bulk changes, each with its key. Sentences are left out: each is about one record.
pub(super) fn fields() -> impl Iterator<Item = (char, Field)> {
    let all = Field::ALL.iter().copied();
    let all = all.filter(|field| !matches!(field.spec().kind, Kind::Sentence(_)));
    all.map(|field| (field.spec().letter, field))
}

/// The value `by` places after `now`; stops at both ends.
pub(super) fn stepped<T: Copy + PartialEq>(all: &[T], now: T, by: isize) -> T {
    let at = all.iter().position(|have| *have == now).unwrap_or(0);
    let to = at.saturating_add_signed(by).min(all.len() - 1);
    all[to]
}
