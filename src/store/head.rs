//! Where a group stands: the small state that steps change and undo restores, and what the
//! queue shows of it.

use super::fault::{doing, unreadable};
use super::rules::label_key;
use crate::error::Result;
use crate::record::{FieldConfidence, GroupId, GroupState, Labels, Origin, Reason, doubt};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    #[default]
    Open,
    Accepted,
    Rejected(String),
}

/// What a step changes. Drafts and records are rows that never change, named by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub draft: Option<i64>,
    pub record: Option<i64>,
    /// The operator has changed the draft since the last attempt or commit.
    pub edited: bool,
    pub decision: Decision,
    pub note: Option<String>,
}

/// A head with what only the labeler's side changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub head: Head,
    /// The newest answer of a model, shown unless the operator has edited or decided.
    pub model_draft: Option<i64>,
    /// The newest failure, unless an answer came after it.
    pub failure: Option<i64>,
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

pub(super) fn read_draft(db: &Connection, id: i64) -> Result<DraftRow> {
    let (texts, with_image, with_metadata, model, prompt_version, generated_at) = db
        .prepare_cached(
            "SELECT origin, labels, reasons, kept_reasons, confidence, with_image, with_metadata,
                 model, prompt_version, generated_at
             FROM drafts WHERE id = ?1",
        )
        .and_then(|mut select| {
            select.query_row([id], |row| {
                let texts: [String; 5] = [
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ];
                Ok((
                    texts,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                ))
            })
        })
        .map_err(doing("reading a draft"))?;
    let [origin, labels, reasons, kept, confidence] = texts;
    Ok(DraftRow {
        origin: from_json(&origin)?,
        labels: from_json(&labels)?,
        reasons: reasons_of(&reasons, false),
        kept: reasons_of(&kept, false),
        confidence: from_json(&confidence)?,
        with_image,
        with_metadata,
        model,
        prompt_version,
        generated_at,
    })
}

pub(super) fn read_standing(db: &Connection, group: GroupId) -> Result<Option<Standing>> {
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
    row.map(|(head, model_draft, failure)| {
        Ok(Standing {
            head: from_json(&head)?,
            model_draft,
            failure,
        })
    })
    .transpose()
}

/// Who made the draft a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MadeBy {
    Batch,
    Operator,
    Import,
    /// Stands for a line of an earlier file that cannot be read; no export holds it.
    Unread,
}

impl MadeBy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Operator => "operator",
            Self::Import => "import",
            Self::Unread => "unread",
        }
    }
}

/// The state that follows from what is stored; `record` is the record's draft and who made it.
fn state(standing: &Standing, record: Option<(i64, &str)>, reasons: &[Reason]) -> GroupState {
    let head = &standing.head;
    match head.decision {
        Decision::Accepted => return GroupState::Accepted,
        Decision::Rejected(_) => return GroupState::Rejected,
        Decision::Open => {}
    }
    let Some(draft) = head.draft else {
        return match standing.failure {
            Some(_) => GroupState::Failed,
            None => GroupState::Waiting,
        };
    };
    if head.edited {
        return GroupState::Edited;
    }
    match record {
        // A person has looked at it and decided: it does not come back into the queue.
        Some((of, by)) if of == draft && by == MadeBy::Operator.name() => GroupState::Committed,
        _ if !reasons.is_empty() => GroupState::Uncertain,
        Some((of, _)) if of == draft => GroupState::Committed,
        _ => GroupState::Draft,
    }
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

    pub fn read(&self, group: GroupId) -> Result<Standing> {
        Ok(read_standing(self.db, group)?.unwrap_or_default())
    }

    pub fn write(&mut self, group: GroupId, standing: &Standing) -> Result<()> {
        let draft = match standing.head.draft {
            Some(id) => Some(read_draft(self.db, id)?),
            None => None,
        };
        self.write_draft(group, standing, draft.as_ref())
    }

    /// The same where the draft's row is at hand.
    pub fn write_draft(
        &mut self,
        group: GroupId,
        standing: &Standing,
        draft: Option<&DraftRow>,
    ) -> Result<()> {
        let old_key: Option<String> = self
            .db
            .prepare_cached("SELECT label_key FROM heads WHERE group_id = ?1")
            .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
            .map_err(doing("reading a group"))?
            .flatten();
        let rejected = matches!(standing.head.decision, Decision::Rejected(_));
        let key = draft
            .filter(|_| !rejected)
            .and_then(|draft| label_key(&draft.labels.label_ko));
        let duplicate = match &key {
            Some(key) => self.has_twin(group, key)?,
            None => false,
        };
        self.store(group, standing, draft, key.as_deref(), duplicate, true)?;
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
                let standing = self.read(group)?;
                let draft = match standing.head.draft {
                    Some(id) => Some(read_draft(self.db, id)?),
                    None => None,
                };
                self.store(
                    group,
                    &standing,
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
        standing: &Standing,
        draft: Option<&DraftRow>,
        key: Option<&str>,
        duplicate: bool,
        touched: bool,
    ) -> Result<()> {
        let record: Option<(i64, String)> = match standing.head.record {
            Some(id) => Some(
                self.db
                    .prepare_cached("SELECT draft, made_by FROM records WHERE id = ?1")
                    .and_then(|mut select| {
                        select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                    })
                    .map_err(doing("reading a record"))?,
            ),
            None => None,
        };
        let stored = draft.map(|draft| codes(&draft.reasons)).unwrap_or_default();
        let reasons = reasons_of(&stored, duplicate);
        let record = record.as_ref().map(|(of, by)| (*of, by.as_str()));
        let state = state(standing, record, &reasons);
        let doubt = match draft {
            Some(draft) => doubt(&reasons, &draft.confidence),
            None => 0.0,
        };
        let empty = Labels::default();
        let labels = draft.map_or(&empty, |draft| &draft.labels);
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO heads (group_id, head, model_draft, failure, record,
                     has_draft, state, reasons, duplicate, doubt, label_key, label_ko, tags_ko,
                     colors, theme, material, vibe, item_type, changed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
                     ?16, ?17, ?18, COALESCE(?19, (SELECT changed_at FROM heads WHERE group_id = ?1), 0))",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    group.0,
                    json_value(&standing.head),
                    standing.model_draft,
                    standing.failure,
                    standing.head.record,
                    draft.is_some(),
                    state.name(),
                    stored,
                    duplicate,
                    doubt,
                    key,
                    labels.label_ko,
                    json_value(&labels.tags_ko),
                    json_value(&labels.attributes.colors),
                    json_value(&labels.attributes.theme),
                    json_value(&labels.attributes.material),
                    json_value(&labels.attributes.vibe),
                    labels.attributes.item_type_guess,
                    touched.then(|| self.now.as_millisecond()),
                ])
            })
            .map_err(doing("saving a group"))?;
        Ok(())
    }
}
