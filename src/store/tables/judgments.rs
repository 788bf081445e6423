//! Table `judgments`: judgments of committed records in an audit. It is append-only: a retraction
//! is another row.

use crate::error::Result;
use crate::record::{GroupId, Judgment, Verdict};
use crate::store::errors::journal_error;
use crate::text::utc;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Stored as the verdict of a row that retracts the newest judgment of a version.
const TAKEN_BACK: &str = "taken_back";

/// Stores a judgment of a version. `None` retracts the newest judgment of it.
pub fn insert_judgment(
    db: &Connection,
    seed: u64,
    group: GroupId,
    version: i64,
    verdict: Option<Verdict>,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO judgments (at, seed, group_id, draft, verdict, field)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .and_then(|mut insert| {
        insert.execute(params![
            utc(Timestamp::now()),
            seed.cast_signed(),
            group.0,
            version,
            verdict.map_or(TAKEN_BACK, Verdict::name),
            verdict.and_then(Verdict::field).map(|field| field.key()),
        ])
    })
    .map_err(journal_error("saving a judgment"))?;
    Ok(())
}

/// Returns the seed of the most recent audit.
pub fn newest_seed(db: &Connection) -> Result<Option<u64>> {
    let seed: Option<i64> = db
        .prepare_cached("SELECT seed FROM judgments ORDER BY id DESC LIMIT 1")
        .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
        .map_err(journal_error("reading the judgments"))?;
    Ok(seed.map(i64::cast_unsigned))
}

/// Reads the judgments of an audit that were not retracted, oldest first.
pub fn read_judgments(db: &Connection, seed: u64) -> Result<Vec<Judgment>> {
    type Row = (i64, i64, String, Option<String>);
    let rows: Vec<Row> = db
        .prepare_cached(
            "SELECT group_id, draft, verdict, field FROM judgments WHERE seed = ?1 ORDER BY id",
        )
        .and_then(|mut select| {
            let row =
                |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            select.query_map([seed.cast_signed()], row)?.collect()
        })
        .map_err(journal_error("reading the judgments"))?;
    let mut judgments: Vec<Judgment> = Vec::new();
    for (group, version, verdict, field) in rows {
        let group = GroupId(group);
        if verdict == TAKEN_BACK {
            let is_same = |other: &Judgment| other.group == group && other.version == version;
            if let Some(at) = judgments.iter().rposition(is_same) {
                judgments.remove(at);
            }
            continue;
        }
        // An unknown field was written by a newer version; the judgment is skipped.
        judgments.extend(
            Verdict::parse(&verdict, field.as_deref()).map(|verdict| Judgment {
                group,
                version,
                verdict,
            }),
        );
    }
    Ok(judgments)
}
