//! Reads every row of a journal as the program would, to find those that cannot be read back.

use crate::error::Result;
use crate::record::{Attempt, GroupId, Record};
use crate::store::errors::doing;
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

type Read = fn(&Connection, i64) -> Result<()>;

const TABLES: [(&str, &str, Read); 5] = [
    ("groups", "id", |db, id| {
        read_group(db, GroupId(id)).map(drop)
    }),
    ("attempts", "id", |db, id| {
        json::<Attempt>(db, "SELECT attempt FROM attempts WHERE id = ?1", id)
    }),
    ("drafts", "id", |db, id| read_draft(db, id).map(drop)),
    ("records", "id", read_record),
    ("heads", "group_id", |db, id| {
        let current = read_current(db, GroupId(id))?.unwrap_or_default();
        let record = current.review.line.and_then(|line| line.record);
        named(db, "drafts", current.review.draft)?;
        named(db, "drafts", current.answer)?;
        named(db, "failures", current.failure)?;
        named(db, "records", record)
    }),
];

/// Rows that cannot be read, in every table that holds more than plain columns.
pub(super) fn unreadable(db: &Connection) -> Result<Vec<Unreadable>> {
    let mut found = Vec::new();
    for (table, key, read) in TABLES {
        let ids: Vec<i64> = db
            .prepare(&format!("SELECT {key} FROM {table} ORDER BY {key}"))
            .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
            .map_err(doing("reading the journal"))?;
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
    json::<Record>(db, "SELECT record FROM records WHERE id = ?1", id)?;
    let raw = "SELECT COALESCE(raw, 'null') FROM records WHERE id = ?1";
    json::<serde_json::Value>(db, raw, id)
}

fn json<T: serde::de::DeserializeOwned>(db: &Connection, sql: &str, id: i64) -> Result<()> {
    let text: String = db
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row([id], |row| row.get(0)))
        .map_err(doing("reading a row"))?;
    from_json::<T>(&text).map(drop)
}

fn named(db: &Connection, table: &str, id: Option<i64>) -> Result<()> {
    let Some(id) = id else {
        return Ok(());
    };
    let there: Option<i64> = db
        .prepare_cached(&format!("SELECT id FROM {table} WHERE id = ?1"))
        .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional())
        .map_err(doing("reading a row"))?;
    there.map(drop).ok_or_else(|| {
        crate::store::errors::unreadable("reading a row", format!("{table} lacks row {id}"))
    })
}
