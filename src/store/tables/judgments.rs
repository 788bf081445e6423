//! `judgments`: what people judged of committed records in an audit. It only grows: one that is
//! taken back is followed by a row that says so.

use crate::error::Result;
use crate::record::{GroupId, Judgment, Verdict};
use crate::store::errors::doing;
use crate::text::utc;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// In the place of a verdict: the newest judgment of the group is none any more.
const TAKEN_BACK: &str = "taken_back";

/// Stores what a person says of a version; `None` takes the newest judgment of it back.
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
    .map_err(doing("saving a judgment"))?;
    Ok(())
}

/// The seed of the audit that was judged last.
pub fn newest_seed(db: &Connection) -> Result<Option<u64>> {
    let seed: Option<i64> = db
        .prepare_cached("SELECT seed FROM judgments ORDER BY id DESC LIMIT 1")
        .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
        .map_err(doing("reading the judgments"))?;
    Ok(seed.map(i64::cast_unsigned))
}

/// The judgments of one audit that nobody has taken back, in the order of time.
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
        .map_err(doing("reading the judgments"))?;
    let mut standing: Vec<Judgment> = Vec::new();
    for (group, version, verdict, field) in rows {
        let group = GroupId(group);
        if verdict == TAKEN_BACK {
            let is_it = |of: &Judgment| of.group == group && of.version == version;
            if let Some(at) = standing.iter().rposition(is_it) {
                standing.remove(at);
            }
            continue;
        }
        // A field that this program does not know is of a later one: nothing is said of it here.
        standing.extend(
            Verdict::parse(&verdict, field.as_deref()).map(|verdict| Judgment {
                group,
                version,
                verdict,
            }),
        );
    }
    Ok(standing)
}
