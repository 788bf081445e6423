//! Versions and review states as the journal holds them, and what the queue shows of both.

use super::fault::{doing, unreadable};
use super::rules::label_key;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{
    CommittedBy, CurrentState, Decision, FieldConfidence, GroupId, Labels, Line, Origin, Reason,
    ReviewState, uncertainty,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A review state as `heads` and `step_entries` hold it: the line by the number of its record.
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

pub(super) fn review_json(review: &ReviewState) -> Result<String> {
    let record = match review.line {
        Some(line) => {
            let unsaved = "journal, saving a group: its record was not stored before; this is a \
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

pub(super) fn read_review(db: &Connection, text: &str) -> Result<ReviewState> {
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

pub(super) fn read_line(db: &Connection, record: i64) -> Result<Line> {
    let (version, by): (i64, String) = db
        .prepare_cached("SELECT draft, made_by FROM records WHERE id = ?1")
        .and_then(|mut select| select.query_row([record], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(doing("reading a record"))?;
    Ok(Line {
        record: Some(record),
        version,
        by: CommittedBy::parse(&by).ok_or_else(|| unreadable("reading a record", by))?,
    })
}

/// A row of `drafts`, without its number.
#[derive(Debug, Clone)]
pub(super) struct DraftRow {
    pub origin: Origin,
    pub labels: Labels,
    /// What the rules said when it was stored; `duplicate_label` depends on others and is not in it.
    pub reasons: Vec<Reason>,
    /// Those of `reasons` that no text can show and an edit therefore keeps.
    pub kept: Vec<Reason>,
    pub confidence: Vec<FieldConfidence>,
    /// What the answer behind it was given; the rules ask for no more than that can show.
    pub with_image: bool,
    pub with_metadata: bool,
    pub model: String,
    pub prompt_version: String,
    pub generated_at: String,
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable("writing a value", error))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable("reading a value", error))
}

pub(super) fn codes(reasons: &[Reason]) -> String {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
    codes.join(" ")
}

/// The reasons behind stored codes, with `duplicate_label` in its place.
pub(super) fn reasons_of(codes: &str, duplicate: bool) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = codes.split(' ').filter_map(Reason::parse).collect();
    if duplicate {
        reasons.push(Reason::DuplicateLabel);
    }
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

pub(super) fn insert_draft(db: &Connection, group: GroupId, draft: &DraftRow) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO drafts (group_id, origin, labels, reasons, kept_reasons, confidence, with_image,
             with_metadata, model, prompt_version, generated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .and_then(|mut insert| {
        insert.insert(params![
            group.0,
            json_value(&draft.origin),
            json_value(&draft.labels),
            codes(&draft.reasons),
            codes(&draft.kept),
            json_value(&draft.confidence),
            draft.with_image,
            draft.with_metadata,
            draft.model,
            draft.prompt_version,
            draft.generated_at,
        ])
    })
    .map_err(doing("saving a draft"))
}

/// A value as JSON inside a statement, so that its error travels with the statement's.
fn json_value<T: Serialize>(value: &T) -> Json {
    Json(serde_json::to_string(value))
}

struct Json(serde_json::Result<String>);

impl rusqlite::ToSql for Json {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match &self.0 {
            Ok(text) => text.to_sql(),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(
                error.to_string().into(),
            )),
        }
    }
}

const DRAFT: &str = "id, origin, labels, reasons, kept_reasons, confidence, with_image,
    with_metadata, model, prompt_version, generated_at";

/// A row of `drafts` before its JSON is read.
struct RawDraft {
    id: i64,
    texts: [String; 5],
    with_image: bool,
    with_metadata: bool,
    made: [String; 3],
}

fn raw_draft(row: &Row) -> rusqlite::Result<RawDraft> {
    Ok(RawDraft {
        id: row.get(0)?,
        texts: [
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ],
        with_image: row.get(6)?,
        with_metadata: row.get(7)?,
        made: [row.get(8)?, row.get(9)?, row.get(10)?],
    })
}

impl RawDraft {
    fn cooked(self) -> Result<(i64, DraftRow)> {
        let [origin, labels, reasons, kept, confidence] = self.texts;
        let [model, prompt_version, generated_at] = self.made;
        let draft = DraftRow {
            origin: from_json(&origin)?,
            labels: from_json(&labels)?,
            reasons: reasons_of(&reasons, false),
            kept: reasons_of(&kept, false),
            confidence: from_json(&confidence)?,
            with_image: self.with_image,
            with_metadata: self.with_metadata,
            model,
            prompt_version,
            generated_at,
        };
        Ok((self.id, draft))
    }
}

pub(super) fn read_draft(db: &Connection, id: i64) -> Result<DraftRow> {
    let raw = db
        .prepare_cached(&format!("SELECT {DRAFT} FROM drafts WHERE id = ?1"))
        .and_then(|mut select| select.query_row([id], raw_draft))
        .map_err(doing("reading a draft"))?;
    Ok(raw.cooked()?.1)
}

/// The versions of a group with their numbers, oldest first.
pub(super) fn read_drafts(db: &Connection, group: GroupId) -> Result<Vec<(i64, DraftRow)>> {
    let rows: Vec<RawDraft> = db
        .prepare_cached(&format!(
            "SELECT {DRAFT} FROM drafts WHERE group_id = ?1 ORDER BY id"
        ))
        .and_then(|mut select| select.query_map([group.0], raw_draft)?.collect())
        .map_err(doing("reading the versions"))?;
    rows.into_iter().map(RawDraft::cooked).collect()
}

/// One version, where it is one of this group.
pub(super) fn read_draft_of(db: &Connection, group: GroupId, id: i64) -> Result<Option<DraftRow>> {
    let raw = db
        .prepare_cached(&format!(
            "SELECT {DRAFT} FROM drafts WHERE id = ?1 AND group_id = ?2"
        ))
        .and_then(|mut select| select.query_row([id, group.0], raw_draft).optional())
        .map_err(doing("reading a version"))?;
    Ok(raw
        .map(RawDraft::cooked)
        .transpose()?
        .map(|(_, draft)| draft))
}

pub(super) fn read_current(db: &Connection, group: GroupId) -> Result<Option<CurrentState>> {
    let row = db
        .prepare_cached("SELECT head, model_draft, failure FROM heads WHERE group_id = ?1")
        .and_then(|mut select| {
            select
                .query_row([group.0], |row| {
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(doing("reading a group"))?;
    row.map(|(head, answer, failure)| {
        Ok(CurrentState {
            review: read_review(db, &head)?,
            answer,
            failure,
        })
    })
    .transpose()
}

/// Writes heads inside one transaction and keeps `duplicate_label` true on both sides.
pub(super) struct Heads<'a> {
    db: &'a Connection,
    pub now: Timestamp,
    changed: BTreeSet<GroupId>,
    labels: BTreeSet<String>,
}

impl<'a> Heads<'a> {
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
        let draft = match current.review.draft {
            Some(id) => Some(read_draft(self.db, id)?),
            None => None,
        };
        self.write_draft(group, current, draft.as_ref())
    }

    /// The same where the draft's row is at hand.
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
            .map_err(doing("reading a group"))?
            .flatten();
        let rejected = matches!(current.review.decision, Decision::Rejected(_));
        let key = draft
            .filter(|_| !rejected)
            .and_then(|draft| label_key(draft.labels.label_ko()));
        let duplicate = match &key {
            Some(key) => self.has_twin(group, key)?,
            None => false,
        };
        self.store(group, current, draft, key.as_deref(), duplicate, true)?;
        if old_key != key {
            self.labels.extend(old_key);
            self.labels.extend(key);
        }
        self.changed.insert(group);
        Ok(())
    }

    /// Settles the twins of every label that came or went; every group that shows a change.
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
                .map_err(doing("looking for equal labels"))?;
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
                .map_err(doing("looking for equal labels"))?;
            for group in stale.into_iter().map(GroupId) {
                let current = self.read(group)?;
                let draft = match current.review.draft {
                    Some(id) => Some(read_draft(self.db, id)?),
                    None => None,
                };
                self.store(
                    group,
                    &current,
                    draft.as_ref(),
                    Some(&key),
                    duplicate,
                    false,
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
            .map_err(doing("looking for equal labels"))
    }

    fn store(
        &self,
        group: GroupId,
        current: &CurrentState,
        draft: Option<&DraftRow>,
        key: Option<&str>,
        duplicate: bool,
        touched: bool,
    ) -> Result<()> {
        let stored = draft.map(|draft| codes(&draft.reasons)).unwrap_or_default();
        let reasons = reasons_of(&stored, duplicate);
        let state = current.state(!reasons.is_empty());
        let uncertainty = match draft {
            Some(draft) => uncertainty(&reasons, &draft.confidence),
            None => 0.0,
        };
        let labels = draft.map_or_else(Labels::default, |draft| draft.labels.summary());
        let review = review_json(&current.review)?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO heads (group_id, head, model_draft, failure, record,
                     has_draft, state, reasons, duplicate, uncertainty, label_key, labels, offered,
                     changed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
                     COALESCE(?14, (SELECT changed_at FROM heads WHERE group_id = ?1), 0))",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    group.0,
                    review,
                    current.answer,
                    current.failure,
                    current.review.line.and_then(|line| line.record),
                    draft.is_some(),
                    state.name(),
                    stored,
                    duplicate,
                    uncertainty,
                    key,
                    json_value(&labels),
                    current.offer().is_some(),
                    touched.then(|| self.now.as_millisecond()),
                ])
            })
            .map_err(doing("saving a group"))?;
        Ok(())
    }
}
