//! Reads the contents of exports: committed records and failures, in source order.

use super::errors::journal_error;
use super::tables::answers::read_failure_detail;
use super::tables::meta::Content;
use super::tables::records::{checksum_of, lossy, record_of};
use super::tables::{from_json, to_json};
use crate::error::Result;
use crate::record::{FailureDetail, GroupId, Item};
use rusqlite::Connection;

/// A committed record with the image that it describes.
#[derive(Debug, Clone)]
pub struct Committed {
    pub id: i64,
    pub group: GroupId,
    /// Current path of the image in the source.
    pub image_path: String,
    /// Hash of the image; `None` if it was never read.
    pub image_sha256: Option<String>,
    pub item_name: String,
    /// Another image is at `image_path` now, and the path of this one is unknown.
    pub is_displaced: bool,
    /// The record as JSON.
    pub record: String,
    /// The imported line, byte for byte.
    pub raw: Option<String>,
    /// Records with the same nonempty key have the same label.
    pub label_key: String,
    /// `None` in a record of an earlier program.
    checksum: Option<String>,
}

impl Committed {
    /// Whether the record's bytes match its checksum.
    pub fn is_intact(&self) -> bool {
        let stored = self.checksum.as_ref();
        stored.is_none_or(|stored| *stored == checksum_of(&self.record, self.raw.as_deref()))
    }
}

/// An item without a record, and why.
#[derive(Debug, Clone)]
pub struct FailedItem {
    pub image_path: String,
    pub item: Item,
    pub code: String,
    pub detail: FailureDetail,
    pub at: String,
}

/// Uncommitted text that an operator edited or accepted, and whose image is displaced.
#[derive(Debug, Clone)]
pub struct DisplacedEdit {
    pub image_path: String,
    /// The text as the JSON of a record.
    pub record: String,
}

/// Whether the journal has anything to export as `content`.
pub fn holds(db: &Connection, content: Content) -> Result<bool> {
    let condition = match content {
        Content::Records => "record IS NOT NULL",
        Content::Failures => "failure IS NOT NULL AND has_draft = 0 AND record IS NULL",
    };
    db.prepare_cached(&format!("SELECT 1 FROM heads WHERE {condition} LIMIT 1"))
        .and_then(|mut select| select.exists([]))
        .map_err(journal_error("counting"))
}

/// Passes every committed record to `take`, in source order. Placeholders for unreadable lines are
/// left out.
pub fn each_record(db: &Connection, mut take: impl FnMut(Committed) -> Result<()>) -> Result<()> {
    let reading = journal_error("reading the records");
    let mut select = db
        .prepare_cached(
            "SELECT r.id, g.image_path, g.sha256, g.name, g.displaced, r.record, r.raw,
                 r.label_key, r.checksum, g.id
             FROM groups g
                 JOIN heads h ON h.group_id = g.id
                 JOIN records r ON r.id = h.record
             ORDER BY g.ord, g.id",
        )
        .map_err(&reading)?;
    let mut rows = select.query([]).map_err(&reading)?;
    while let Some(row) = rows.next().map_err(&reading)? {
        // Damaged bytes may not be UTF-8.
        let record = lossy(row, 5).map_err(&reading)?.unwrap_or_default();
        let raw = lossy(row, 6).map_err(&reading)?;
        let label_key = lossy(row, 7).map_err(&reading)?.unwrap_or_default();
        let committed = (|| {
            Ok(Committed {
                id: row.get(0)?,
                group: GroupId(row.get(9)?),
                image_path: row.get(1)?,
                image_sha256: row.get(2)?,
                item_name: row.get(3)?,
                is_displaced: row.get(4)?,
                record,
                raw,
                label_key,
                checksum: row.get(8)?,
            })
        })()
        .map_err(&reading)?;
        take(committed)?;
    }
    Ok(())
}

/// Passes every item that has neither a record nor an answer to `take`, in source order.
pub fn each_failure(db: &Connection, mut take: impl FnMut(FailedItem) -> Result<()>) -> Result<()> {
    let reading = journal_error("reading the failures");
    let mut select = db
        .prepare_cached(
            "SELECT g.image_path, g.item, f.code, f.detail, f.at
             FROM groups g
                 JOIN heads h ON h.group_id = g.id
                 JOIN failures f ON f.id = h.failure
             WHERE h.has_draft = 0 AND h.record IS NULL AND NOT g.displaced
             ORDER BY g.ord, g.id",
        )
        .map_err(&reading)?;
    let mut rows = select.query([]).map_err(&reading)?;
    while let Some(row) = rows.next().map_err(&reading)? {
        let (image_path, item, code, detail, at): (String, String, String, String, String) =
            row.try_into().map_err(&reading)?;
        let item = from_json(&item)?;
        take(FailedItem {
            image_path,
            item,
            code,
            detail: read_failure_detail(detail),
            at,
        })?;
    }
    Ok(())
}

/// Passes every uncommitted operator text whose image is displaced to `take`.
pub fn each_displaced_edit(
    db: &Connection,
    mut take: impl FnMut(DisplacedEdit) -> Result<()>,
) -> Result<()> {
    let found: Vec<(i64, i64, String)> = db
        .prepare_cached(
            "SELECT g.id, json_extract(h.head, '$.draft'), g.image_path
             FROM groups g
                 JOIN heads h ON h.group_id = g.id
                 LEFT JOIN records r ON r.id = h.record
             WHERE g.displaced AND json_valid(h.head)
                 AND json_extract(h.head, '$.draft') IS NOT r.draft
                 AND json_extract(h.head, '$.draft') IS NOT NULL
                 AND (json_extract(h.head, '$.edited')
                     OR json_extract(h.head, '$.decision') = 'accepted')
             ORDER BY g.ord, g.id",
        )
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
        .map_err(journal_error("reading the edits"))?;
    for (group, draft, image_path) in found {
        let record = to_json(&record_of(db, GroupId(group), draft)?)?;
        take(DisplacedEdit { image_path, record })?;
    }
    Ok(())
}
