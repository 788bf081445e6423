//! Derives labels from the record of another image with the same drawing.

use crate::error::Result;
use crate::record::{
    Derivation, Field, GroupId, Labels, Origin, Reason, ReasonSource, Recoloring, Vocabulary,
    derive,
};
use crate::store::answers::StoredAttempt;
use crate::store::checks::reasons_now;
use crate::store::errors::journal_error;
use crate::store::tables::computed::read_colors;
use crate::store::tables::drafts::{DraftRow, current_draft, insert_draft};
use crate::store::tables::groups::read_group;
use crate::store::tables::meta::{Content, bump_version};
use crate::store::tables::states::{StateWriter, read_current};
use crate::text::utc;
use rusqlite::Connection;

/// Derives labels for `group` from the draft of `from`. `None` if there is no draft, or if it
/// contains something that may not be true of the other item.
pub fn derived_labels(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    from: GroupId,
    recoloring: &Recoloring,
) -> Result<Option<Labels>> {
    let Some(draft) = draft_of(db, from)? else {
        return Ok(None);
    };
    let colors = read_colors(db, group)?;
    let derivation = Derivation {
        vocabulary,
        from: &draft.item_name,
        to: &read_group(db, group)?.item.item_name,
        recoloring,
        colors: colors.as_ref(),
    };
    Ok(derive(&draft.labels, &derivation))
}

fn draft_of(db: &Connection, group: GroupId) -> Result<Option<DraftRow>> {
    let current = read_current(db, group)?.unwrap_or_default();
    current_draft(db, &current.review)
}

/// Stores labels that were derived from the draft of `from`, like a model's answer.
pub fn add_derived(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    from: GroupId,
    labels: &Labels,
) -> Result<Option<StoredAttempt>> {
    let transaction = db
        .transaction()
        .map_err(journal_error("saving a derived record"))?;
    let Some(basis) = draft_of(&transaction, from)? else {
        return Ok(None);
    };
    let mut states = StateWriter::new(&transaction);
    let mut current = states.read(group)?;
    if current.failure.is_some() {
        // The item leaves `labels_errors.jsonl`.
        bump_version(&transaction, Content::Failures)?;
    }
    let mut draft = DraftRow {
        origin: Origin::Derived(from),
        labels: labels.clone(),
        item_name: read_group(&transaction, group)?.item.item_name,
        generated_at: utc(states.now),
        ..basis
    };
    // The colors come from the pixels.
    draft
        .confidence
        .retain(|confidence| confidence.field != Field::Colors);
    // It was neither imported nor retried itself.
    draft.kept.retain(|reason| {
        reason.source() != ReasonSource::Import && *reason != Reason::QualityRetryFailed
    });
    draft.reasons = reasons_now(&transaction, vocabulary, group, &draft)?;
    let id = insert_draft(&transaction, group, &draft)?;
    let is_draft = current.answered(id);
    states.write(group, &current)?;
    let changed = states.finish()?;
    transaction
        .commit()
        .map_err(journal_error("saving a derived record"))?;
    Ok(Some(StoredAttempt {
        id,
        is_draft,
        changed,
    }))
}
