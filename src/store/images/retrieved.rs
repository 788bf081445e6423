//! Stores and reads the results of searching for images by the texts of their records.

use crate::error::Result;
use crate::record::{GroupId, RetrievalResult, RetrievalSummary, Vocabulary};
use crate::store::checks::check_group;
use crate::store::errors::journal_error;
use crate::store::tables::computed::{clear_retrieved, write_retrieved};
use crate::store::tables::states::StateWriter;
use crate::store::tables::{from_json, meta, to_json};
use rusqlite::Connection;

/// Key of `meta` for the summary.
pub const RETRIEVAL_SUMMARY: &str = "retrieval";

/// Replaces all retrieval results and checks the affected drafts again. Returns the groups whose
/// summaries changed.
pub fn set_retrieved(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    found: &[(GroupId, RetrievalResult)],
    summary: &RetrievalSummary,
) -> Result<Vec<GroupId>> {
    let saving = journal_error("saving retrieval results");
    let transaction = db.transaction().map_err(&saving)?;
    let mut groups = clear_retrieved(&transaction)?;
    for (group, retrieved) in found {
        write_retrieved(&transaction, *group, retrieved)?;
        groups.push(*group);
    }
    groups.sort_unstable();
    groups.dedup();
    let mut states = StateWriter::new(&transaction);
    for group in groups {
        check_group(&transaction, vocabulary, group, &mut states)?;
    }
    let changed = states.finish()?;
    meta::set(&transaction, RETRIEVAL_SUMMARY, &to_json(summary)?)?;
    transaction.commit().map_err(&saving)?;
    Ok(changed)
}

/// Returns the summary of the last retrieval; `None` before the first.
pub fn retrieval(db: &Connection) -> Result<Option<RetrievalSummary>> {
    let text = meta::get(db, RETRIEVAL_SUMMARY)?;
    text.map(|text| from_json(&text)).transpose()
}

/// Returns the images with a known hash that are not displaced, with their SHA-256.
pub fn image_hashes(db: &Connection) -> Result<Vec<(GroupId, String)>> {
    db.prepare_cached(
        "SELECT id, sha256 FROM groups WHERE sha256 IS NOT NULL AND NOT displaced ORDER BY id",
    )
    .and_then(|mut select| {
        let row = |row: &rusqlite::Row| Ok((GroupId(row.get(0)?), row.get(1)?));
        select.query_map([], row)?.collect()
    })
    .map_err(journal_error("reading the images"))
}
