//! Table `heads`: the current state of each group, and what the queue shows.

use super::computed::signals_of;
use super::drafts::{DraftRow, codes, current_draft, reasons_of};
use super::groups::is_displaced;
use super::records::{label_key, read_line};
use super::{from_json, json_value, to_json};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{CurrentState, Decision, GroupId, Labels, ReviewState};
use crate::store::errors::journal_error;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A review state as stored in `heads` and `step_entries`: the line is the id of its record.
#[derive(Serialize, Deserialize)]
struct StoredReview {
    draft: Option<i64>,
    record: Option<i64>,
    edited: bool,
    decision: Decision,
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<i64>,
}

pub fn review_json(review: &ReviewState) -> Result<String> {
    let record = match review.line {
        Some(line) => {
            let unsaved = "journal, saving a group: its record was not stored first; this is a \
bug in labeler-tui";
            let unsaved = || Error::new(ErrorKind::Store, unsaved);
            Some(line.record.ok_or_else(unsaved)?)
        }
        None => None,
    };
    to_json(&StoredReview {
        draft: review.draft,
        record,
        edited: review.edited,
        decision: review.decision.clone(),
        note: review.note.clone(),
        seen: review.seen,
    })
}

pub fn read_review(db: &Connection, text: &str) -> Result<ReviewState> {
    let stored: StoredReview = from_json(text)?;
    Ok(ReviewState {
        draft: stored.draft,
        line: match stored.record {
            Some(record) => Some(read_line(db, record)?),
            None => None,
        },
        edited: stored.edited,
        decision: stored.decision,
        note: stored.note,
        seen: stored.seen,
    })
}

pub fn read_current(db: &Connection, group: GroupId) -> Result<Option<CurrentState>> {
    let row = db
        .prepare_cached("SELECT head, model_draft, failure FROM heads WHERE group_id = ?1")
        .and_then(|mut select| {
            select
                .query_row([group.0], |row| {
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(journal_error("reading a group"))?;
    row.map(|(head, answer, failure)| {
        Ok(CurrentState {
            review: read_review(db, &head)?,
            answer,
            failure,
        })
    })
    .transpose()
}

/// Whether another group has the same label.
pub fn is_duplicate(db: &Connection, group: GroupId) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM heads WHERE group_id = ?1 AND duplicate")
        .and_then(|mut select| select.exists([group.0]))
        .map_err(journal_error("reading a group"))
}

/// When a stored state counts as changed.
#[derive(Clone, Copy)]
enum ChangedAt {
    Now,
    /// Only what other groups imply about it has changed.
    AsBefore,
}

/// Writes current states in one transaction, and updates `duplicate_label` in all groups whose
/// labels become or stop being equal.
pub struct StateWriter<'a> {
    db: &'a Connection,
    pub now: Timestamp,
    changed: BTreeSet<GroupId>,
    labels: BTreeSet<String>,
}

impl<'a> StateWriter<'a> {
    pub fn new(db: &'a Connection) -> Self {
        Self {
            db,
            now: Timestamp::now(),
            changed: BTreeSet::new(),
            labels: BTreeSet::new(),
        }
    }

    pub fn read(&self, group: GroupId) -> Result<CurrentState> {
        Ok(read_current(self.db, group)?.unwrap_or_default())
    }

    pub fn write(&mut self, group: GroupId, current: &CurrentState) -> Result<()> {
        let draft = current_draft(self.db, &current.review)?;
        self.write_draft(group, current, draft.as_ref())
    }

    /// Like [`Self::write`], with the draft already read.
    pub fn write_draft(
        &mut self,
        group: GroupId,
        current: &CurrentState,
        draft: Option<&DraftRow>,
    ) -> Result<()> {
        let old_key: Option<String> = self
            .db
            .prepare_cached("SELECT label_key FROM heads WHERE group_id = ?1")
            .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
            .map_err(journal_error("reading a group"))?
            .flatten();
        let rejected = matches!(current.review.decision, Decision::Rejected(_));
        // Rejected and displaced groups do not count as duplicates.
        let counts = !rejected && !is_displaced(self.db, group)?;
        let key = draft
            .filter(|_| counts)
            .and_then(|draft| label_key(draft.labels.label_ko()));
        let duplicate = match &key {
            Some(key) => self.has_twin(group, key)?,
            None => false,
        };
        self.store(
            group,
            current,
            draft,
            key.as_deref(),
            duplicate,
            ChangedAt::Now,
        )?;
        if old_key != key {
            self.labels.extend(old_key);
            // A label without a duplicate affects no other group.
            self.labels.extend(key.filter(|_| duplicate));
        }
        self.changed.insert(group);
        Ok(())
    }

    /// Updates the groups that share an added or removed label. Returns every changed group.
    pub fn finish(mut self) -> Result<Vec<GroupId>> {
        for key in std::mem::take(&mut self.labels) {
            let twins: Vec<i64> = self
                .db
                .prepare_cached("SELECT group_id FROM heads WHERE label_key = ?1 LIMIT 2")
                .and_then(|mut select| {
                    select
                        .query_map([&key], |row| row.get(0))?
                        .collect::<rusqlite::Result<_>>()
                })
                .map_err(journal_error("looking for equal labels"))?;
            let duplicate = twins.len() > 1;
            let stale: Vec<i64> = self
                .db
                .prepare_cached(
                    "SELECT group_id FROM heads WHERE label_key = ?1 AND duplicate = ?2",
                )
                .and_then(|mut select| {
                    select
                        .query_map(params![key, !duplicate], |row| row.get(0))?
                        .collect::<rusqlite::Result<_>>()
                })
                .map_err(journal_error("looking for equal labels"))?;
            for group in stale.into_iter().map(GroupId) {
                let current = self.read(group)?;
                let draft = current_draft(self.db, &current.review)?;
                self.store(
                    group,
                    &current,
                    draft.as_ref(),
                    Some(&key),
                    duplicate,
                    ChangedAt::AsBefore,
                )?;
                self.changed.insert(group);
            }
        }
        Ok(self.changed.into_iter().collect())
    }

    fn has_twin(&self, group: GroupId, key: &str) -> Result<bool> {
        self.db
            .prepare_cached("SELECT 1 FROM heads WHERE label_key = ?1 AND group_id <> ?2 LIMIT 1")
            .and_then(|mut select| select.exists(params![key, group.0]))
            .map_err(journal_error("looking for equal labels"))
    }

    fn store(
        &self,
        group: GroupId,
        current: &CurrentState,
        draft: Option<&DraftRow>,
        key: Option<&str>,
        duplicate: bool,
        changed_at: ChangedAt,
    ) -> Result<()> {
        let stored = draft.map(|draft| codes(&draft.reasons)).unwrap_or_default();
        let reasons = reasons_of(&stored, duplicate);
        let state = current.state(!reasons.is_empty());
        let signals = match draft {
            Some(draft) => signals_of(self.db, group, draft)?,
            None => Vec::new(),
        };
        let labels = draft.map_or_else(Labels::default, |draft| draft.labels.clone());
        let review = review_json(&current.review)?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO heads (group_id, head, model_draft, failure, record,
                     has_draft, state, reasons, duplicate, signals, label_key, labels, offered,
                     committed, changed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                     COALESCE(?15, (SELECT changed_at FROM heads WHERE group_id = ?1), 0))",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    group.0,
                    review,
                    current.answer,
                    current.failure,
                    current.review.record_line().and_then(|line| line.record),
                    draft.is_some() && !current.review.is_unread(),
                    state.name(),
                    stored,
                    duplicate,
                    json_value(&signals),
                    key,
                    json_value(&labels),
                    current.offer().is_some(),
                    current.review.is_committed(),
                    match changed_at {
                        ChangedAt::Now => Some(self.now.as_millisecond()),
                        ChangedAt::AsBefore => None,
                    },
                ])
            })
            .map_err(journal_error("saving a group"))?;
        Ok(())
    }
}
