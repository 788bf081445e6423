//! Learns from operators' steps which records need changes. The result is computed from the steps
//! whenever a journal is opened.
//!
//! A step on one group counts as a review of it. A step on many does not: adding a word to a
//! thousand records, or accepting all of them, is not a judgment of each. Fixes alone do not count
//! either, because the `fix` command applies them without review.

use super::errors::journal_error;
use super::tables::computed::signals_of;
use super::tables::drafts::read_draft;
use super::tables::groups::read_group;
use super::tables::states::read_review;
use crate::error::Result;
use crate::record::{
    Estimator, GroupId, ReviewOutcome, ReviewState, Vocabulary, content_changed, was_changed,
};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashMap};

/// The reviews so far and the estimator that was trained on them.
#[derive(Debug, Default)]
pub struct Learning {
    /// The outcome for each group that was reviewed and decided.
    outcomes: BTreeMap<GroupId, ReviewOutcome>,
    estimator: Estimator,
    changes: u64,
}

impl Learning {
    /// Learns from all steps of the journal. Unreadable ones are skipped; `journal check` reports
    /// them.
    pub fn read(db: &Connection, vocabulary: &Vocabulary) -> Result<Self> {
        let groups: Vec<i64> = db
            .prepare(
                "SELECT DISTINCT group_id FROM step_entries WHERE step IN
                     (SELECT step FROM step_entries GROUP BY step HAVING count(*) = 1)",
            )
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .map_err(journal_error("reading the steps"))?;
        let mut outcomes = BTreeMap::new();
        for group in groups.into_iter().map(GroupId) {
            let outcome = readable_outcome(db, vocabulary, group);
            outcomes.extend(outcome.map(|outcome| (group, outcome)));
        }
        Ok(Self {
            estimator: Estimator::learn(outcomes.values()),
            outcomes,
            changes: 0,
        })
    }

    pub fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// How many times the estimator has changed since the journal was opened.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Learns from the newest step if it is a review of one group. Cannot fail, because the step is
    /// stored already; an unreadable step is skipped, as in [`Self::read`].
    pub fn learn_from_newest(&mut self, db: &Connection, vocabulary: &Vocabulary) {
        let group = db
            .prepare_cached(
                "SELECT min(group_id) FROM step_entries WHERE step = (SELECT max(id) FROM steps)
                 HAVING count(*) = 1",
            )
            .and_then(|mut select| select.query_row([], |row| row.get(0)).optional());
        let group = match group {
            Ok(Some(group)) => GroupId(group),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "cannot learn from the newest step");
                return;
            }
        };
        let outcome = readable_outcome(db, vocabulary, group);
        if outcome.as_ref() != self.outcomes.get(&group) {
            match outcome {
                Some(outcome) => self.outcomes.insert(group, outcome),
                None => self.outcomes.remove(&group),
            };
            self.estimator = Estimator::learn(self.outcomes.values());
            self.changes += 1;
        }
    }
}

/// [`outcome_of`], or `None` if it cannot be read.
fn readable_outcome(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
) -> Option<ReviewOutcome> {
    outcome_of(db, vocabulary, group).unwrap_or_else(|error| {
        tracing::warn!(%error, group = group.0, "cannot learn from its steps");
        None
    })
}

/// Returns the outcome of a group's reviews: the change from the draft that was first reviewed to
/// the state after the last review. `None` while the group is undecided.
fn outcome_of(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
) -> Result<Option<ReviewOutcome>> {
    let Some((draft, after)) = reviewed_span(db, group)? else {
        return Ok(None);
    };
    let first = read_draft(db, draft)?;
    let name = read_group(db, group)?.item.item_name;
    let changed = match after.draft.filter(|now| *now != draft) {
        Some(now) => {
            let last = read_draft(db, now)?;
            content_changed(&first.labels, &last.labels, &name, vocabulary)
        }
        None => false,
    };
    Ok(match was_changed(&after, changed) {
        Some(changed) => Some(ReviewOutcome {
            signals: signals_of(db, group, &first)?,
            unexplained: first.labels.unexplained_words(&name, vocabulary).len(),
            reasons: first.reasons,
            changed,
        }),
        None => None,
    })
}

/// Returns a group's draft when it was first reviewed, and its state after the last review. Steps
/// that were undone do not count.
fn reviewed_span(db: &Connection, group: GroupId) -> Result<Option<(i64, ReviewState)>> {
    struct StepEntry {
        step: i64,
        kind: String,
        target: Option<i64>,
        before: String,
        after: String,
        is_only_group: bool,
        is_fix: bool,
    }
    let entries: Vec<StepEntry> = db
        .prepare_cached(
            "SELECT e.step, s.kind, s.target, e.before, e.after,
                 NOT EXISTS (SELECT 1 FROM step_entries o
                     WHERE o.step = e.step AND o.group_id <> e.group_id),
                 json_extract(s.change, '$.fix') IS NOT NULL
             FROM step_entries e JOIN steps s ON s.id = e.step
             WHERE e.group_id = ?1 ORDER BY e.step",
        )
        .and_then(|mut select| {
            let entry = |row: &rusqlite::Row| {
                Ok(StepEntry {
                    step: row.get(0)?,
                    kind: row.get(1)?,
                    target: row.get(2)?,
                    before: row.get(3)?,
                    after: row.get(4)?,
                    is_only_group: row.get(5)?,
                    is_fix: row.get(6)?,
                })
            };
            select.query_map([group.0], entry)?.collect()
        })
        .map_err(journal_error("reading the steps"))?;
    let mut done: Vec<&StepEntry> = Vec::new();
    let by_step: HashMap<i64, &StepEntry> =
        entries.iter().map(|entry| (entry.step, entry)).collect();
    for entry in &entries {
        match (entry.kind.as_str(), entry.target) {
            ("undo", Some(target)) => done.retain(|other| other.step != target),
            ("redo", Some(target)) => done.extend(by_step.get(&target)),
            _ => done.push(entry),
        }
    }
    done.retain(|entry| entry.is_only_group);
    if done.iter().all(|entry| entry.is_fix) {
        return Ok(None);
    }
    for (place, entry) in done.iter().enumerate() {
        if let Some(draft) = read_review(db, &entry.before)?.draft
            && let Some(last) = done[place..].last()
        {
            return Ok(Some((draft, read_review(db, &last.after)?)));
        }
    }
    Ok(None)
}
