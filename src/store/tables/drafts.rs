//! Table `drafts`: every version of a group's text. It is append-only; reasons found later are
//! stored in [`super::computed`].

use super::{from_json, json_value};
use crate::error::Result;
use crate::record::{Draft, FieldConfidence, GroupId, Labels, Origin, Reason, ReviewState};
use crate::store::errors::journal_error;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A row of `drafts`, without its id.
#[derive(Debug, Clone)]
pub struct DraftRow {
    pub origin: Origin,
    /// The item name for which the labels were written; empty if unknown.
    pub item_name: String,
    pub labels: Labels,
    /// Without `duplicate_label`, which depends on other groups.
    pub reasons: Vec<Reason>,
    /// The `reasons` that the rules cannot find again, so that an edit keeps them.
    pub kept: Vec<Reason>,
    pub confidence: Vec<FieldConfidence>,
    /// Whether the model saw the image. The rules do not require what it could not see.
    pub with_image: bool,
    pub with_metadata: bool,
    pub model: String,
    pub prompt_version: String,
    pub generated_at: String,
}

impl DraftRow {
    /// The text as front ends see it, with the values that its reasons are about.
    pub fn into_draft(self, about: Vec<(Reason, Vec<String>)>) -> Draft {
        Draft {
            about,
            item_name: self.item_name,
            labels: self.labels,
            reasons: self.reasons,
            origin: self.origin,
            model: self.model,
            prompt_version: self.prompt_version,
            generated_at: self.generated_at,
            confidence: self.confidence,
        }
    }
}

pub fn codes(reasons: &[Reason]) -> String {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
    codes.join(" ")
}

/// Parses stored codes; adds `duplicate_label` if `duplicate`.
pub fn reasons_of(codes: &str, duplicate: bool) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = codes.split(' ').filter_map(Reason::parse).collect();
    if duplicate {
        reasons.push(Reason::DuplicateLabel);
    }
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

pub fn insert_draft(db: &Connection, group: GroupId, draft: &DraftRow) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO drafts (group_id, origin, labels, reasons, kept_reasons, confidence, with_image,
             with_metadata, model, prompt_version, generated_at, item_name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
            draft.item_name,
        ])
    })
    .map_err(journal_error("saving a draft"))
}

/// Selects drafts with their current reasons.
const SELECT_DRAFT: &str = "SELECT d.id, d.origin, d.labels, coalesce(c.reasons, d.reasons),
        d.kept_reasons, d.confidence, d.with_image, d.with_metadata, d.model, d.prompt_version,
        d.generated_at, d.item_name
    FROM drafts d LEFT JOIN checks c ON c.draft = d.id";

/// A row of `drafts` before its JSON is read.
struct RawDraft {
    id: i64,
    texts: [String; 5],
    with_image: bool,
    with_metadata: bool,
    provenance: [String; 4],
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
        provenance: [row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?],
    })
}

impl RawDraft {
    fn parse(self) -> Result<(i64, DraftRow)> {
        let [origin, labels, reasons, kept, confidence] = self.texts;
        let [model, prompt_version, generated_at, item_name] = self.provenance;
        let draft = DraftRow {
            item_name,
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

pub fn read_draft(db: &Connection, id: i64) -> Result<DraftRow> {
    let raw = db
        .prepare_cached(&format!("{SELECT_DRAFT} WHERE d.id = ?1"))
        .and_then(|mut select| select.query_row([id], raw_draft))
        .map_err(journal_error("reading a draft"))?;
    Ok(raw.parse()?.1)
}

/// Reads the draft of a review state; `None` if it has none.
pub fn current_draft(db: &Connection, review: &ReviewState) -> Result<Option<DraftRow>> {
    review.draft.map(|id| read_draft(db, id)).transpose()
}

/// Reads the versions of a group with their ids, oldest first.
pub fn read_drafts(db: &Connection, group: GroupId) -> Result<Vec<(i64, DraftRow)>> {
    let rows: Vec<RawDraft> = db
        .prepare_cached(&format!(
            "{SELECT_DRAFT} WHERE d.group_id = ?1 ORDER BY d.id"
        ))
        .and_then(|mut select| select.query_map([group.0], raw_draft)?.collect())
        .map_err(journal_error("reading the versions"))?;
    rows.into_iter().map(RawDraft::parse).collect()
}

/// Reads the labels of a group's first version.
pub fn first_text(db: &Connection, group: GroupId) -> Result<Option<Labels>> {
    let labels: Option<String> = db
        .prepare_cached("SELECT labels FROM drafts WHERE group_id = ?1 ORDER BY id LIMIT 1")
        .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
        .map_err(journal_error("reading a version"))?;
    labels.map(|labels| from_json(&labels)).transpose()
}

/// Reads a version; `None` if it does not belong to the group.
pub fn read_draft_of(db: &Connection, group: GroupId, id: i64) -> Result<Option<DraftRow>> {
    let raw = db
        .prepare_cached(&format!(
            "{SELECT_DRAFT} WHERE d.id = ?1 AND d.group_id = ?2"
        ))
        .and_then(|mut select| select.query_row([id, group.0], raw_draft).optional())
        .map_err(journal_error("reading a version"))?;
    Ok(raw
        .map(RawDraft::parse)
        .transpose()?
        .map(|(_, draft)| draft))
}
