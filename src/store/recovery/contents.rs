//! Finds rows of a journal that cannot be read, by reading each as the program would.

use crate::error::Result;
use crate::record::{Attempt, GroupId, Record};
use crate::store::errors::journal_error;
use crate::store::tables::drafts::read_draft;
use crate::store::tables::from_json;
use crate::store::tables::groups::read_group;
use crate::store::tables::states::read_current;
use rusqlite::{Connection, OptionalExtension};
use std::fmt;

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub table: &'static str,
    pub id: i64,
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} of {}: {}", self.id, self.table, self.why)
    }
}

/// Reads the row with an id.
type ReadRow = fn(&Connection, i64) -> Result<()>;

/// Tables with columns that can be unreadable: name, key column, and how a row is read.
const TABLES: [(&str, &str, ReadRow); 5] = [
    ("groups", "id", |db, id| {
        read_group(db, GroupId(id)).map(drop)
    }),
    ("attempts", "id", |db, id| {
        read_json::<Attempt>(db, "SELECT attempt FROM attempts WHERE id = ?1", id)
    }),
    ("drafts", "id", |db, id| read_draft(db, id).map(drop)),
    ("records", "id", read_record),
    ("heads", "group_id", |db, id| {
        let current = read_current(db, GroupId(id))?.unwrap_or_default();
        let record = current.review.line.and_then(|line| line.record);
        check_reference(db, "drafts", current.review.draft)?;
        check_reference(db, "drafts", current.answer)?;
        check_reference(db, "failures", current.failure)?;
        check_reference(db, "records", record)
    }),
];

/// Returns the unreadable rows of all tables with JSON columns or references.
pub(super) fn unreadable_rows(db: &Connection) -> Result<Vec<Unreadable>> {
    let mut found = Vec::new();
    for (table, key, read) in TABLES {
        let ids: Vec<i64> = db
            .prepare(&format!("SELECT {key} FROM {table} ORDER BY {key}"))
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .map_err(journal_error("reading the journal"))?;
        for id in ids {
            if let Err(error) = read(db, id) {
                found.push(Unreadable {
                    table,
                    id,
                    why: error.cause,
                });
            }
        }
    }
    Ok(found)
}

fn read_record(db: &Connection, id: i64) -> Result<()> {
    read_json::<Record>(db, "SELECT record FROM records WHERE id = ?1", id)?;
    let raw = "SELECT COALESCE(raw, 'null') FROM records WHERE id = ?1";
    read_json::<serde_json::Value>(db, raw, id)
}

fn read_json<T: serde::de::DeserializeOwned>(db: &Connection, sql: &str, id: i64) -> Result<()> {
    let text: String = db
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row([id], |row| row.get(0)))
        .map_err(journal_error("reading a row"))?;
    from_json::<T>(&text).map(drop)
}

/// An error if a row refers to a missing row of `table`.
fn check_reference(db: &Connection, table: &str, id: Option<i64>) -> Result<()> {
    let Some(id) = id else {
        return Ok(());
    };
    let found: Option<i64> = db
        .prepare_cached(&format!("SELECT id FROM {table} WHERE id = ?1"))
        .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional())
        .map_err(journal_error("reading a row"))?;
    found.map(drop).ok_or_else(|| {
        crate::store::errors::unreadable("reading a row", format!("{table} has no row {id}"))
    })
}
