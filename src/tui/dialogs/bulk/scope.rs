//! The set of records that a bulk dialog works on.

use crate::record::{GroupId, GroupSummary};
use crate::tui::session::Session;
use crate::wording::Words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The current record.
    Record,
    Selection,
    /// The current record's recolor family.
    Family,
    /// All records that pass the filter.
    Shown,
    /// All records of the journal.
    All,
}

impl Scope {
    const ORDER: [Self; 5] = [
        Self::Record,
        Self::Selection,
        Self::Family,
        Self::Shown,
        Self::All,
    ];

    /// The selected records, or else another scope.
    pub fn of_selection_or(other: Self, session: &Session) -> Self {
        match session.selection.is_empty() {
            true => other,
            false => Self::Selection,
        }
    }

    pub fn groups(self, session: &Session) -> Vec<GroupId> {
        match self {
            Self::Record => session.current().into_iter().collect(),
            Self::Selection => session.selection.groups(),
            Self::Family => match family(session) {
                Some(family) => {
                    let groups = session.records.groups();
                    let members = groups.ids_where(|summary| summary.family == Some(family));
                    members.collect()
                }
                None => Vec::new(),
            },
            Self::Shown => session.queue.ids(&session.records).collect(),
            Self::All => session.records.groups().ids_where(|_| true).collect(),
        }
    }

    /// Whether a record of the list is in the scope.
    pub fn contains(self, summary: &GroupSummary, session: &Session) -> bool {
        match self {
            Self::Record => session.current() == Some(summary.id),
            Self::Selection => session.selection.contains(summary.id),
            Self::Family => summary.family.is_some() && summary.family == family(session),
            Self::Shown | Self::All => true,
        }
    }

    /// The next scope that contains any record.
    pub fn next(self, session: &Session) -> Self {
        let at = Self::ORDER.iter().position(|scope| *scope == self);
        let after = Self::ORDER.iter().cycle().skip(at.unwrap_or(0) + 1);
        let mut after = after.take(Self::ORDER.len());
        let next = after.find(|scope| match scope {
            Self::Record => session.current().is_some(),
            Self::Selection => !session.selection.is_empty(),
            Self::Family => family(session).is_some(),
            Self::Shown => !session.queue.is_empty(),
            Self::All => true,
        });
        next.copied().unwrap_or(self)
    }

    /// Describes the scope: `all 740 records`, `12 selected records`.
    pub fn describe(self, records: usize, words: Words) -> String {
        match self {
            Self::Record => words.this_record().to_owned(),
            Self::Selection => words.selected_records(records),
            Self::Family => words.of_this_family(words.records(records)),
            Self::Shown => words.that_the_list_shows(words.records(records)),
            Self::All => words.all_of(words.records(records)),
        }
    }
}

fn family(session: &Session) -> Option<GroupId> {
    session.records.get(session.current()?)?.family
}
