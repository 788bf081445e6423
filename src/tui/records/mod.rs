//! The records of the workstation: summaries of all groups, details of some, the queue.

mod groups;
mod queue;
mod selection;
pub mod worker;

pub use groups::Groups;
#[cfg(test)]
pub use groups::Snapshot;
pub use queue::{Queue, Stays};
pub use selection::Selection;
pub use worker::{Task, TaskResult, ValueCount, ValueCounts};

use crate::error::Result;
use crate::record::{
    Change, Estimator, Field, GroupDetail, GroupId, GroupSummary, Labels, Reason, SimilarDecisions,
    Vocabulary,
};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most details kept in memory. Beyond it, details that no screen needs are dropped.
const MAX_DETAILS: usize = 400;

/// All groups as the engine last reported them.
#[derive(Debug, Default)]
pub struct Records {
    groups: Groups,
    details: HashMap<GroupId, CachedDetail>,
    /// Groups whose detail was requested and is not outdated.
    requested: HashSet<GroupId>,
    /// Unanswered requests for details; the engine answers in order.
    pending: HashMap<GroupId, PendingDetails>,
    counts: ValueCounts,
    counts_stale: bool,
    source_read: bool,
    /// Scores all records, so that their order is consistent. `None` until the engine has sent one:
    /// until then the scores are its own.
    estimator: Option<Estimator>,
    /// The engine's newest estimator, not in use yet.
    newest_estimator: Option<Estimator>,
}

/// A detail from the engine with the steps of this session applied.
#[derive(Debug)]
struct CachedDetail {
    detail: Arc<GroupDetail>,
    /// The text after each of those steps.
    own_texts: Vec<Labels>,
}

/// Number of unanswered requests for the detail of a group.
#[derive(Debug, Default)]
struct PendingDetails {
    all: usize,
    /// Requests sent before the last step on the group.
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
        self.details.get(&id).map(|cached| &cached.detail)
    }

    /// Counts of all values, as of the last [`Self::count_task`].
    pub fn counts(&self) -> &ValueCounts {
        &self.counts
    }

    pub fn source_is_read(&self) -> bool {
        self.source_read
    }

    pub fn set_source_read(&mut self) {
        self.source_read = true;
    }

    /// Takes new summaries and drops outdated details. The detail of `current` stays on screen
    /// until its new one arrives.
    pub fn update(&mut self, groups: Vec<GroupSummary>, current: Option<GroupId>) {
        for mut summary in groups {
            if let Some(estimator) = &self.estimator {
                groups::rescore(&mut summary, estimator);
            }
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

    /// Takes an estimator trained on the operator's decisions, for later use.
    pub fn learn(&mut self, estimator: Estimator) {
        self.newest_estimator = Some(estimator);
    }

    /// Scores all records with the newest estimator. Returns `false` if it is in use already.
    pub fn use_newest_estimator(&mut self) -> bool {
        let Some(newest) = self.newest_estimator.take() else {
            return false;
        };
        self.groups.rescore(&newest);
        self.estimator = Some(newest);
        self.counts_stale = true;
        true
    }

    /// A record's reasons, the strongest sign of an error first.
    pub fn sorted_by_weight(&self, summary: &GroupSummary) -> Vec<Reason> {
        let estimator = self.estimator.as_ref();
        let sort = |estimator: &Estimator| estimator.sorted_by_weight(&summary.reasons);
        estimator.map_or_else(|| sort(&Estimator::default()), sort)
    }

    /// Counts over decided records with the record's strongest reason.
    pub fn similar_decisions(&self, summary: &GroupSummary) -> Option<SimilarDecisions> {
        let estimator = self.estimator.as_ref()?;
        estimator.similar_decisions(&summary.reasons)
    }

    /// Takes a detail and returns `true`, unless it was requested before a step that is already on
    /// screen; such a detail is requested again.
    pub fn put_detail(&mut self, detail: GroupDetail) -> bool {
        let id = detail.summary.id;
        if let Entry::Occupied(mut entry) = self.pending.entry(id) {
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
        let cached = CachedDetail {
            detail: Arc::new(detail),
            own_texts: Vec::new(),
        };
        self.details.insert(id, cached);
        true
    }

    /// Whether a step of this session gave the record this text since its detail arrived.
    pub fn is_own_text(&self, id: GroupId, labels: &Labels) -> bool {
        let cached = self.details.get(&id);
        cached.is_some_and(|cached| cached.own_texts.contains(labels))
    }

    /// Those of the wanted details that must be requested from the engine.
    pub fn missing_details(&mut self, wanted: &[GroupId]) -> Vec<GroupId> {
        if self.details.len() > MAX_DETAILS {
            let keep: HashSet<GroupId> = wanted.iter().copied().collect();
            self.details.retain(|id, _| keep.contains(id));
            self.requested.retain(|id| keep.contains(id));
        }
        let missing = wanted.iter().filter(|id| self.requested.insert(**id));
        let missing: Vec<GroupId> = missing.copied().collect();
        for id in &missing {
            self.pending.entry(*id).or_default().all += 1;
        }
        missing
    }

    /// Predicts a change with the review state machine and shows it at once; the engine's report
    /// follows. Returns whether anything changes.
    pub fn predict(
        &mut self,
        group: GroupId,
        change: &Change,
        vocabulary: &Vocabulary,
    ) -> Result<bool> {
        let Some(cached) = self.details.get_mut(&group) else {
            return Ok(false);
        };
        let changed = Arc::make_mut(&mut cached.detail).apply(change, vocabulary)?;
        if changed {
            self.groups.predict(&cached.detail.summary);
            if let Some(counts) = self.pending.get_mut(&group) {
                counts.outdated = counts.all;
            }
            let draft = cached.detail.draft.as_ref();
            cached
                .own_texts
                .extend(draft.map(|draft| draft.labels.clone()));
        }
        Ok(changed)
    }

    /// Counts each value of a field in these records, most frequent first.
    pub fn values_in(&self, groups: &[GroupId], field: Field) -> Vec<ValueCount> {
        let records = groups.iter().filter_map(|id| self.get(*id));
        worker::values_in(records, field)
    }

    /// The task that previews a change of these records.
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

    /// The task that updates [`Self::counts`], if they are stale.
    pub fn count_task(&mut self, vocabulary: &Arc<Vocabulary>) -> Option<Task> {
        std::mem::take(&mut self.counts_stale).then(|| Task::Count {
            all: self.groups.snapshot(),
            vocabulary: Arc::clone(vocabulary),
        })
    }

    /// Marks the counts as stale.
    pub fn invalidate_counts(&mut self) {
        self.counts_stale = true;
    }

    pub fn set_counts(&mut self, counts: ValueCounts) {
        self.counts = counts;
    }
}

/// The change with the typed word as the records will hold it, so that reports name that one: `black`
/// for 블랙.
pub fn with_stored_value(change: Change, vocabulary: &Vocabulary) -> Change {
    let stored = |field: Field, text: String| {
        let known = match field.is_closed() {
            true => vocabulary.find(field, &text),
            false => vocabulary.find_exact(field, &text),
        };
        known.map_or(text, |word| word.word.clone())
    };
    match change {
        Change::Add { field, value } => Change::Add {
            field,
            value: stored(field, value),
        },
        Change::Rename { field, from, to } => Change::Rename {
            field,
            from,
            to: stored(field, to),
        },
        change => change,
    }
}
