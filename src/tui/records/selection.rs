//! The records that the operator selected for bulk work.

use crate::record::GroupId;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct Selection {
    groups: BTreeSet<GroupId>,
    /// Number of selected records that the queue does not show.
    hidden: usize,
    /// The record where a range starts.
    anchor: Option<GroupId>,
}

impl Selection {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn hidden(&self) -> usize {
        self.hidden
    }

    pub fn contains(&self, id: GroupId) -> bool {
        self.groups.contains(&id)
    }

    pub fn groups(&self) -> Vec<GroupId> {
        self.groups.iter().copied().collect()
    }

    pub fn clear(&mut self) {
        self.groups.clear();
        self.hidden = 0;
        self.anchor = None;
    }

    pub fn toggle(&mut self, id: GroupId) {
        self.anchor = match self.groups.remove(&id) {
            true => None,
            false => {
                self.groups.insert(id);
                Some(id)
            }
        };
    }

    /// Selects the records of `shown` from the last selected one to `row`, or only `row` if none was
    /// selected before or `shown` lacks it.
    pub fn extend_to(&mut self, row: usize, shown: &[GroupId]) {
        let Some(id) = shown.get(row).copied() else {
            return;
        };
        match shown.iter().position(|shown| Some(*shown) == self.anchor) {
            Some(anchor) => {
                let rows = anchor.min(row)..=anchor.max(row);
                self.groups.extend(&shown[rows]);
                self.anchor = Some(id);
            }
            None => self.toggle(id),
        }
    }

    pub fn set(&mut self, groups: impl IntoIterator<Item = GroupId>) {
        self.groups = groups.into_iter().collect();
        self.hidden = 0;
    }

    /// Recounts the hidden records after a change of the queue.
    pub fn count_hidden(&mut self, shown: impl Iterator<Item = GroupId>) {
        if !self.groups.is_empty() {
            let shown = shown.filter(|id| self.groups.contains(id)).count();
            self.hidden = self.groups.len() - shown;
        }
    }
}
