//! Records that follow from the record of another image of the same drawing.

use crate::error::Result;
use crate::record::{
    Derivation, Field, GroupId, Labels, Origin, Reason, Recoloring, Vocabulary, derive,
};
use crate::store::answers::Added;
use crate::store::checks::reasons_now;
use crate::store::errors::doing;
use crate::store::tables::computed::read_colors;
use crate::store::tables::drafts::{DraftRow, insert_draft, read_draft};
use crate::store::tables::groups::read_group;
use crate::store::tables::meta::{Content, bump};
use crate::store::tables::states::{StateWriter, read_current};
use crate::text::utc;
use rusqlite::Connection;

/// What the draft of `from` says of the image of `group`; `None` where it has none, or says what
/// may not be true of the other item.
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
    let draft = current.review.draft;
    draft.map(|id| read_draft(db, id)).transpose()
}

/// Stores labels that were derived from the draft of `from`: an answer like a model's.
pub fn add_derived(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    from: GroupId,
    labels: &Labels,
) -> Result<Option<Added>> {
    let transaction = db.transaction().map_err(doing("saving a derived record"))?;
    let Some(basis) = draft_of(&transaction, from)? else {
        return Ok(None);
    };
    let mut states = StateWriter::new(&transaction);
    let mut current = states.read(group)?;
    if current.failure.is_some() {
        // It leaves the list of errors.
        bump(&transaction, Content::Failures)?;
    }
    let mut draft = DraftRow {
        origin: Origin::Derived(from),
        labels: labels.clone(),
        item_name: read_group(&transaction, group)?.item.item_name,
        generated_at: utc(states.now),
        ..basis
    };
    // The pixels say which colors there are.
    draft.confidence.retain(|held| held.field != Field::Colors);
    draft.kept.retain(|reason| *reason != Reason::UnreadLine);
    draft.reasons = reasons_now(&transaction, vocabulary, group, &draft)?;
    let id = insert_draft(&transaction, group, &draft)?;
    let shown = current.answered(id);
    states.write(group, &current)?;
    let changed = states.finish()?;
    transaction
        .commit()
        .map_err(doing("saving a derived record"))?;
    Ok(Some(Added { id, shown, changed }))
}
