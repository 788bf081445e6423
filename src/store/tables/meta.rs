//! Table `meta`: small values kept between runs, and version counters of the exported contents.

use crate::error::Result;
use crate::store::errors::{journal_error, unreadable};
use rusqlite::{Connection, OptionalExtension};

/// A part of the journal that is exported.
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

pub fn get(db: &Connection, key: &str) -> Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut select| select.query_row([key], |row| row.get(0)).optional())
        .map_err(journal_error("reading a setting"))
}

pub fn set(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute([key, value]))
        .map_err(journal_error("saving a setting"))?;
    Ok(())
}

/// Returns every entry whose key starts with `prefix`, without the prefix.
pub fn with_prefix(db: &Connection, prefix: &str) -> Result<Vec<(String, String)>> {
    let rows: Vec<(String, String)> = db
        .prepare_cached("SELECT key, value FROM meta ORDER BY key")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(journal_error("reading a setting"))?;
    Ok(rows
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value)))
        .collect())
}

pub fn version(db: &Connection, content: Content) -> Result<u64> {
    match get(db, content.key())? {
        Some(text) => text
            .parse()
            .map_err(|error| unreadable("reading a version", error)),
        None => Ok(0),
    }
}

/// Which contents a transaction changes.
#[derive(Debug, Default)]
pub struct ChangedContents {
    pub records: bool,
    pub failures: bool,
}

impl ChangedContents {
    /// Increments the versions of what was changed, in the same transaction.
    pub fn bump_versions(&self, db: &Connection) -> Result<()> {
        if self.records {
            bump_version(db, Content::Records)?;
        }
        if self.failures {
            bump_version(db, Content::Failures)?;
        }
        Ok(())
    }
}

/// Increments the version of `content`, in the transaction that changes it.
pub fn bump_version(db: &Connection, content: Content) -> Result<()> {
    let next = version(db, content)? + 1;
    set(db, content.key(), &next.to_string())
}
