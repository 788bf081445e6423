//! What a retriever found out about the texts of records.

use crate::error::Result;
use crate::record::{GroupId, RetrievalResult, RetrievalSummary, Vocabulary};
use crate::store::checks::check_group;
use crate::store::errors::doing;
use crate::store::tables::computed::{clear_retrieved, write_retrieved};
use crate::store::tables::groups::IS_DISPLACED;
use crate::store::tables::states::StateWriter;
use crate::store::tables::{from_json, meta, to_json};
use rusqlite::Connection;

/// Where the summary is.
const SUMMARY: &str = "retrieval";

/// Stores what was found, in the place of all that was found before, and checks the drafts again.
/// Returns the groups that show a change.
pub fn set_retrieved(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    found: &[(GroupId, RetrievalResult)],
    summary: &RetrievalSummary,
) -> Result<Vec<GroupId>> {
    let doing = doing("saving what was found");
    let transaction = db.transaction().map_err(&doing)?;
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
    meta::set(&transaction, SUMMARY, &to_json(summary)?)?;
    transaction.commit().map_err(&doing)?;
    Ok(changed)
}

/// What came out the last time; `None` before the first.
pub fn retrieval(db: &Connection) -> Result<Option<RetrievalSummary>> {
    let text = meta::get(db, SUMMARY)?;
    text.map(|text| from_json(&text)).transpose()
}

/// The images whose content is known and that are at a path, with their SHA-256.
pub fn image_hashes(db: &Connection) -> Result<Vec<(GroupId, String)>> {
    db.prepare_cached(&format!(
        "SELECT g.id, g.sha256 FROM groups g
         WHERE g.sha256 IS NOT NULL AND NOT {IS_DISPLACED} ORDER BY g.id"
    ))
    .and_then(|mut select| {
        let row = |row: &rusqlite::Row| Ok((GroupId(row.get(0)?), row.get(1)?));
        select.query_map([], row)?.collect()
    })
    .map_err(doing("reading the images"))
}
