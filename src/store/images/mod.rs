//! Measurements of images: colors, recolor families, and retrieval results.

mod approved;
mod derived;
mod family;
mod outlines;
mod retrieved;

pub use approved::{appearance, approved};
pub use derived::{add_derived, derived_labels};
pub use family::{Relatives, relatives};
pub use outlines::Outlines;
pub use retrieved::{RETRIEVAL_SUMMARY, image_hashes, retrieval, set_retrieved};

use super::checks::check_group;
use super::errors::journal_error;
use super::tables::computed::write_colors;
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::icon::Measured;
use crate::record::{GroupId, Vocabulary};
use rusqlite::Connection;

/// Stores measurements of images in one transaction, updates their families, and checks their
/// drafts again. Returns the groups whose summaries changed.
pub fn set_measured(
    db: &mut Connection,
    outlines: &mut Outlines,
    vocabulary: &Vocabulary,
    measured: &[(GroupId, Measured)],
) -> Result<Vec<GroupId>> {
    let transaction = db.transaction().map_err(journal_error("saving colors"))?;
    let mut joined = Vec::new();
    let mut states = StateWriter::new(&transaction);
    for (group, measured) in measured {
        write_colors(&transaction, *group, &measured.colors)?;
        joined.extend(family::join(
            &transaction,
            outlines,
            *group,
            measured.drawing.as_ref(),
        )?);
        check_group(&transaction, vocabulary, *group, &mut states)?;
    }
    let mut changed = states.finish()?;
    transaction
        .commit()
        .map_err(journal_error("saving colors"))?;
    changed.extend(joined);
    changed.sort_unstable();
    changed.dedup();
    Ok(changed)
}
