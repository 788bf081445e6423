//! The records of the workstation: summaries of all groups, details of some, the queue over them.

mod groups;
mod queue;
mod selection;
pub mod worker;

pub use groups::Groups;
#[cfg(test)]
pub use groups::Snapshot;
pub use queue::Queue;
pub use selection::Selection;
pub use worker::{Task, TaskResult, ValueCount, ValueCounts};

use crate::error::Result;
use crate::record::{
    Change, Estimator, Field, GroupDetail, GroupId, GroupSummary, Labels, Vocabulary,
};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many details are kept; beyond it those that no screen needs are dropped.
const MAX_DETAILS: usize = 400;

/// All groups as the engine last reported them.
#[derive(Debug, Default)]
pub struct Records {
    groups: Groups,
    details: HashMap<GroupId, Shown>,
    /// Details requested from the engine and not outdated since.
    requested: HashSet<GroupId>,
    /// Details that are on the way; the engine answers in the order of what it is sent.
    on_the_way: HashMap<GroupId, OnTheWay>,
    counts: ValueCounts,
    counts_stale: bool,
    source_read: bool,
}

/// A detail as it was sent, and what the steps of this session have made of it since.
#[derive(Debug)]
struct Shown {
    detail: Arc<GroupDetail>,
    /// The text after each of these steps.
    own_texts: Vec<Labels>,
}

/// How many details of a group are on the way, and how many of them from before its last step.
#[derive(Debug, Default)]
struct OnTheWay {
    all: usize,
    outdated: usize,
}

impl Records {
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    pub fn get(&self, id: GroupId) -> Option<&GroupSummary> {
        self.groups.get(id)
    }

    pub fn detail(&self, id: GroupId) -> Option<&Arc<GroupDetail>> {
        self.details.get(&id).map(|shown| &shown.detail)
    }

    /// How often every value occurs; as old as the last [`Self::count_task`].
    pub fn counts(&self) -> &ValueCounts {
        &self.counts
    }

    pub fn source_is_read(&self) -> bool {
        self.source_read
    }

    pub fn set_source_read(&mut self) {
        self.source_read = true;
    }

    /// Takes new summaries. Details that they make outdated are dropped, except the one of
    /// `current`, which stays on screen until its new one is there.
    pub fn update(&mut self, groups: Vec<GroupSummary>, current: Option<GroupId>) {
        for summary in groups {
            let id = summary.id;
            let changed = self.groups.get(id) != Some(&summary);
            self.groups.put(summary);
            if changed || self.details.contains_key(&id) {
                self.requested.remove(&id);
                if current != Some(id) {
                    self.details.remove(&id);
                }
            }
        }
        self.counts_stale = true;
    }

    /// Estimates every group's uncertainty again.
    pub fn score_by(&mut self, estimator: &Estimator) {
        self.groups.score_by(estimator);
        self.counts_stale = true;
    }

    /// Takes a detail, unless it was requested before a step that is shown already: then it is
    /// requested again. Returns whether it was taken.
    pub fn put_detail(&mut self, detail: GroupDetail) -> bool {
        let id = detail.summary.id;
        if let Entry::Occupied(mut entry) = self.on_the_way.entry(id) {
            let counts = entry.get_mut();
            let is_outdated = counts.outdated > 0;
            counts.all -= 1;
            counts.outdated = counts.outdated.saturating_sub(1);
            if counts.all == 0 {
                entry.remove();
            }
            if is_outdated {
                self.requested.remove(&id);
                return false;
            }
        }
        let shown = Shown {
            detail: Arc::new(detail),
            own_texts: Vec::new(),
        };
        self.details.insert(id, shown);
        true
    }

    /// Whether a step of this session gave a record this text, now or on the way to what is shown.
    pub fn is_own_text(&self, id: GroupId, labels: &Labels) -> bool {
        let shown = self.details.get(&id);
        shown.is_some_and(|shown| shown.own_texts.contains(labels))
    }

    /// Which of these details have to be requested from the engine.
    pub fn missing_details(&mut self, wanted: &[GroupId]) -> Vec<GroupId> {
        if self.details.len() > MAX_DETAILS {
            let keep: HashSet<GroupId> = wanted.iter().copied().collect();
            self.details.retain(|id, _| keep.contains(id));
            self.requested.retain(|id| keep.contains(id));
        }
        let missing = wanted.iter().filter(|id| self.requested.insert(**id));
        let missing: Vec<GroupId> = missing.copied().collect();
        for id in &missing {
            self.on_the_way.entry(*id).or_default().all += 1;
        }
        missing
    }

    /// Shows a change at once, by the rules of the review state machine; the engine's own report
    /// follows. Whether anything changes.
    pub fn predict(
        &mut self,
        group: GroupId,
        change: &Change,
        vocabulary: &Vocabulary,
    ) -> Result<bool> {
        let Some(shown) = self.details.get_mut(&group) else {
            return Ok(false);
        };
        let changed = Arc::make_mut(&mut shown.detail).apply(change, vocabulary)?;
        if changed {
            self.groups.predict(&shown.detail.summary);
            if let Some(counts) = self.on_the_way.get_mut(&group) {
                counts.outdated = counts.all;
            }
            let draft = shown.detail.draft.as_ref();
            shown
                .own_texts
                .extend(draft.map(|draft| draft.labels.clone()));
        }
        Ok(changed)
    }

    /// How often each value of a field occurs in these records, most first.
    pub fn values_in(&self, groups: &[GroupId], field: Field) -> Vec<ValueCount> {
        let records = groups.iter().filter_map(|id| self.get(*id));
        worker::values_in(records, field)
    }

    /// The work that counts what a change would do to these records.
    pub fn preview_task(
        &self,
        number: u64,
        groups: &[GroupId],
        change: Change,
        vocabulary: Arc<Vocabulary>,
    ) -> Task {
        let records = groups.iter().filter_map(|id| self.groups.shared(*id));
        Task::Preview {
            number,
            records: records.collect(),
            change,
            vocabulary,
        }
    }

    /// The work that brings [`Self::counts`] up to date, if it is needed.
    pub fn count_task(&mut self, vocabulary: &Arc<Vocabulary>) -> Option<Task> {
        std::mem::take(&mut self.counts_stale).then(|| Task::Count {
            all: self.groups.snapshot(),
            vocabulary: Arc::clone(vocabulary),
        })
    }

    /// The counts are to be made again.
    pub fn recount(&mut self) {
        self.counts_stale = true;
    }

    pub fn set_counts(&mut self, counts: ValueCounts) {
        self.counts = counts;
    }
}
