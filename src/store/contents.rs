//! What the journal holds for others to show: committed records and failures, each with a version
//! that tells whether it has changed.

use super::fault::{doing, unreadable};
use super::head::from_json;
use super::journal::{Journal, meta_get, meta_set};
use crate::error::Result;
use crate::record::Item;
use crate::text::hex;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

/// A part of the journal that is shown elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Records,
    /// Items that have neither a record nor an answer.
    Failures,
}

impl Content {
    fn key(self) -> &'static str {
        match self {
            Self::Records => "version:records",
            Self::Failures => "version:failures",
        }
    }
}

/// A committed record with the picture that it belongs to.
#[derive(Debug, Clone)]
pub struct Committed {
    pub id: i64,
    /// Where the source names the picture now.
    pub image_path: String,
    /// Of the picture, where it was ever read.
    pub image_sha256: Option<String>,
    pub item_name: String,
    /// Another picture is at `image_path` now, and nobody knows where this one is.
    pub is_displaced: bool,
    /// The record is what was committed, byte for byte.
    pub is_intact: bool,
    /// The record as JSON, in the record's form.
    pub record: String,
    /// The line of an earlier file, byte for byte.
    pub raw: Option<String>,
    /// Records with the same key, unless it is empty, have the same label.
    pub label_key: String,
}

/// An item without a record, and why.
#[derive(Debug, Clone)]
pub struct FailedItem {
    pub image_path: String,
    pub item: Item,
    pub code: String,
    pub detail: String,
    pub at: String,
}

/// Whether the picture of group `g` is displaced: its path names another group now.
pub(super) const IS_DISPLACED: &str = "(g.image_path <> '' AND EXISTS (
    SELECT 1 FROM paths p WHERE p.path = g.image_path AND p.group_id <> g.id))";

impl Journal {
    /// Grows with every change of `content`; 0 where there was never any.
    pub fn version(&self, content: Content) -> Result<u64> {
        version(&self.db, content)
    }

    /// Whether there is anything of `content`.
    pub fn holds(&self, content: Content) -> Result<bool> {
        let condition = match content {
            Content::Records => "record IN (SELECT id FROM records WHERE made_by <> 'unread')",
            Content::Failures => "failure IS NOT NULL AND has_draft = 0 AND record IS NULL",
        };
        self.db
            .prepare_cached(&format!("SELECT 1 FROM heads WHERE {condition} LIMIT 1"))
            .and_then(|mut select| select.exists([]))
            .map_err(doing("counting"))
    }

    /// Hands over every committed record, in source order; not the placeholders of lines that
    /// could not be read.
    pub fn each_record(&self, mut take: impl FnMut(Committed) -> Result<()>) -> Result<()> {
        let reading = doing("reading the records");
        let mut select = self
            .db
            .prepare_cached(&format!(
                "SELECT r.id, g.image_path, g.sha256, g.name, {IS_DISPLACED}, r.record, r.raw,
                     r.label_key, r.checksum
                 FROM groups g
                     JOIN heads h ON h.group_id = g.id
                     JOIN records r ON r.id = h.record
                 WHERE r.made_by <> 'unread'
                 ORDER BY g.ord, g.id"
            ))
            .map_err(&reading)?;
        let mut rows = select.query([]).map_err(&reading)?;
        while let Some(row) = rows.next().map_err(&reading)? {
            // Damaged bytes need not be text.
            let record = lossy(row, 5).map_err(&reading)?.unwrap_or_default();
            let raw = lossy(row, 6).map_err(&reading)?;
            let label_key = lossy(row, 7).map_err(&reading)?.unwrap_or_default();
            let committed = (|| {
                let checksum: Option<String> = row.get(8)?;
                Ok(Committed {
                    id: row.get(0)?,
                    image_path: row.get(1)?,
                    image_sha256: row.get(2)?,
                    item_name: row.get(3)?,
                    is_displaced: row.get(4)?,
                    is_intact: checksum
                        .is_none_or(|stored| stored == checksum_of(&record, raw.as_deref())),
                    record,
                    raw,
                    label_key,
                })
            })()
            .map_err(&reading)?;
            take(committed)?;
        }
        Ok(())
    }

    /// Hands over every item that has neither a record nor an answer, in source order.
    pub fn each_failure(&self, mut take: impl FnMut(FailedItem) -> Result<()>) -> Result<()> {
        let reading = doing("reading the failures");
        let mut select = self
            .db
            .prepare_cached(&format!(
                "SELECT g.image_path, g.item, f.code, f.detail, f.at
                 FROM groups g
                     JOIN heads h ON h.group_id = g.id
                     JOIN failures f ON f.id = h.failure
                 WHERE h.has_draft = 0 AND h.record IS NULL AND NOT {IS_DISPLACED}
                 ORDER BY g.ord, g.id"
            ))
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
                detail,
                at,
            })?;
        }
        Ok(())
    }
}

pub(super) fn lossy(row: &rusqlite::Row, column: usize) -> rusqlite::Result<Option<String>> {
    let value = row.get_ref(column)?;
    Ok(value
        .as_bytes_or_null()?
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

fn version(db: &Connection, content: Content) -> Result<u64> {
    match meta_get(db, content.key())? {
        Some(text) => text
            .parse()
            .map_err(|error| unreadable("reading a version", error)),
        None => Ok(0),
    }
}

/// Notes one change of `content`, inside the transaction that makes it.
pub(super) fn bump(db: &Connection, content: Content) -> Result<()> {
    let next = version(db, content)? + 1;
    meta_set(db, content.key(), &next.to_string())
}

/// Stored with a record when it is committed, so that damage is noticed before it is exported.
pub(super) fn checksum_of(record: &str, raw: Option<&str>) -> String {
    let mut hash = Sha256::new();
    hash.update(record);
    // No byte of UTF-8, so that the two cannot run into each other.
    hash.update([0xff]);
    hash.update(raw.unwrap_or_default());
    hex(&hash.finalize())
}

/// Where the hash of a file, as its exporter last wrote it or as it was imported, is kept.
pub(crate) fn written_key(name: &str) -> String {
    format!("written:{name}")
}

/// Gives records of an earlier version of the journal their checksums.
pub(super) fn fill_checksums(db: &mut Connection) -> rusqlite::Result<()> {
    let is_missing = db
        .prepare("SELECT 1 FROM records WHERE checksum IS NULL")?
        .exists([])?;
    if !is_missing {
        return Ok(());
    }
    let transaction = db.transaction()?;
    {
        let mut select =
            transaction.prepare("SELECT id, record, raw FROM records WHERE checksum IS NULL")?;
        let mut update = transaction.prepare("UPDATE records SET checksum = ?2 WHERE id = ?1")?;
        let ids: Vec<(i64, String)> = select
            .query_map([], |row| {
                let record = lossy(row, 1)?.unwrap_or_default();
                let raw = lossy(row, 2)?;
                Ok((row.get(0)?, checksum_of(&record, raw.as_deref())))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (id, checksum) in ids {
            update.execute(params![id, checksum])?;
        }
    }
    transaction.commit()
}
