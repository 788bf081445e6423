//! Collects the inputs from which fixes for a record are computed.

use super::errors::journal_error;
use super::tables::answers::attempts_of;
use super::tables::computed::read_colors;
use super::tables::drafts::{DraftRow, read_draft, read_drafts};
use super::tables::groups::{GroupRow, read_group};
use super::tables::states::read_current;
use super::tables::steps::edits_of;
use crate::error::Result;
use crate::record::fixes::{FixFacts, FixableRecord};
use crate::record::{Change, GroupId, GroupSummary, Labels, Names, Origin};
use rusqlite::{Connection, OptionalExtension};

/// Returns the inputs for fixes of `draft`, the draft of group `id`.
pub fn facts(db: &Connection, id: GroupId, group: &GroupRow, draft: &DraftRow) -> Result<FixFacts> {
    let attempts = attempts_of(db, id)?.into_iter();
    let answers = attempts.filter_map(|attempt| attempt.labels);
    let is_duplicate: Option<bool> = db
        .prepare_cached("SELECT duplicate FROM heads WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([id.0], |row| row.get(0)).optional())
        .map_err(journal_error("reading a group"))?;
    let names = Names {
        original: &draft.item_name,
        current: &group.item.item_name,
    };
    Ok(FixFacts {
        item_name: names.of_text(&draft.labels).to_owned(),
        current_name: group.item.item_name.clone(),
        part: group.item.item_part.clone(),
        colors: match draft.with_image {
            true => read_colors(db, id)?,
            false => None,
        },
        with_metadata: draft.with_metadata,
        confidence: draft.confidence.clone(),
        others: answers.filter(|labels| *labels != draft.labels).collect(),
        is_duplicate: is_duplicate.unwrap_or_default(),
        before_fixes: before_fixes(db, id, draft)?.map(|labels| {
            let item_name = names.of_text(&labels).to_owned();
            (labels, item_name)
        }),
    })
}

/// Returns the newest unedited text of a group if only fixes have changed it since.
fn before_fixes(db: &Connection, id: GroupId, draft: &DraftRow) -> Result<Option<Labels>> {
    let is_fix = |change: &Option<Change>| matches!(change, Some(Change::Fix { .. }));
    if draft.origin != Origin::Edit || !edits_of(db, id)?.iter().all(is_fix) {
        return Ok(None);
    }
    let mut texts = read_drafts(db, id)?.into_iter().rev().map(|(_, text)| text);
    let before_fixes = texts.find(|text| text.origin != Origin::Edit);
    Ok(before_fixes.map(|text| text.labels))
}

/// Returns a group's draft with the inputs for its fixes; `None` if there is no draft.
pub fn record(db: &Connection, summary: &GroupSummary) -> Result<Option<FixableRecord>> {
    let current = read_current(db, summary.id)?.unwrap_or_default();
    let Some(number) = current.review.draft else {
        return Ok(None);
    };
    let draft = read_draft(db, number)?;
    let group = read_group(db, summary.id)?;
    Ok(Some(FixableRecord {
        facts: facts(db, summary.id, &group, &draft)?,
        labels: draft.labels,
        reasons: summary.reasons.clone(),
    }))
}
