//! Learns from the steps of operators which records people change. All of it follows from the
//! steps, and is computed again whenever a journal is opened.
//!
//! A step over one group is a look at it. One over many says nothing of any: a word put into a
//! thousand records, or all accepted at once, is no judgment of each. Nor do fixes alone, which the
//! `fix` command takes too: whoever has looked goes on and accepts, or edits.

use super::errors::doing;
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

/// The looks so far and what they have taught.
#[derive(Debug, Default)]
pub struct Learning {
    /// The outcome of each group that was looked at and decided.
    looks: BTreeMap<GroupId, ReviewOutcome>,
    estimator: Estimator,
    changes: u64,
}

impl Learning {
    /// From all steps of the journal. Damaged ones are left out; `journal check` names them.
    pub fn read(db: &Connection, vocabulary: &Vocabulary) -> Result<Self> {
        let groups: Vec<i64> = db
            .prepare(
                "SELECT DISTINCT group_id FROM step_entries WHERE step IN
                     (SELECT step FROM step_entries GROUP BY step HAVING count(*) = 1)",
            )
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .map_err(doing("reading the steps"))?;
        let mut looks = BTreeMap::new();
        for group in groups.into_iter().map(GroupId) {
            match look_at(db, vocabulary, group) {
                Ok(look) => looks.extend(look.map(|look| (group, look))),
                Err(error) => tracing::warn!(%error, group = group.0, "its steps teach nothing"),
            }
        }
        Ok(Self {
            estimator: Estimator::learn(looks.values()),
            looks,
            changes: 0,
        })
    }

    pub fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// How many times it has learned something since the journal was opened.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Learns from the newest step, if it is a look at one group.
    pub fn look(&mut self, db: &Connection, vocabulary: &Vocabulary) -> Result<()> {
        let group: Option<i64> = db
            .prepare_cached(
                "SELECT min(group_id) FROM step_entries WHERE step = (SELECT max(id) FROM steps)
                 HAVING count(*) = 1",
            )
            .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
            .map_err(doing("reading a step"))?;
        let Some(group) = group.map(GroupId) else {
            return Ok(());
        };
        let look = look_at(db, vocabulary, group)?;
        if look.as_ref() != self.looks.get(&group) {
            match look {
                Some(look) => self.looks.insert(group, look),
                None => self.looks.remove(&group),
            };
            self.estimator = Estimator::learn(self.looks.values());
            self.changes += 1;
        }
        Ok(())
    }
}

/// What a group's looks came to: from the draft that the first one was at, to the state after the
/// last one. `None` while nothing is decided.
fn look_at(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
) -> Result<Option<ReviewOutcome>> {
    let Some((draft, after)) = span(db, group)? else {
        return Ok(None);
    };
    let first = read_draft(db, draft)?;
    let changed = match after.draft.filter(|now| *now != draft) {
        Some(now) => {
            let name = read_group(db, group)?.item.item_name;
            let last = read_draft(db, now)?;
            content_changed(&first.labels, &last.labels, &name, vocabulary)
        }
        None => false,
    };
    Ok(match was_changed(&after, changed) {
        Some(changed) => Some(ReviewOutcome {
            signals: signals_of(db, group, &first)?,
            reasons: first.reasons,
            changed,
        }),
        None => None,
    })
}

/// The draft of a group when it was first looked at, and its state after the last look; steps that
/// were undone are none.
fn span(db: &Connection, group: GroupId) -> Result<Option<(i64, ReviewState)>> {
    struct Entry {
        step: i64,
        kind: String,
        target: Option<i64>,
        before: String,
        after: String,
        alone: bool,
        is_fix: bool,
    }
    let entries: Vec<Entry> = db
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
                Ok(Entry {
                    step: row.get(0)?,
                    kind: row.get(1)?,
                    target: row.get(2)?,
                    before: row.get(3)?,
                    after: row.get(4)?,
                    alone: row.get(5)?,
                    is_fix: row.get(6)?,
                })
            };
            select.query_map([group.0], entry)?.collect()
        })
        .map_err(doing("reading the steps"))?;
    let mut done: Vec<&Entry> = Vec::new();
    let by_step: HashMap<i64, &Entry> = entries.iter().map(|entry| (entry.step, entry)).collect();
    for entry in &entries {
        match (entry.kind.as_str(), entry.target) {
            ("undo", Some(target)) => done.retain(|other| other.step != target),
            ("redo", Some(target)) => done.extend(by_step.get(&target)),
            _ => done.push(entry),
        }
    }
    done.retain(|entry| entry.alone);
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
