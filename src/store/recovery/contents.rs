//! Finds rows of a journal that cannot be read, by reading each column as the program would.

use crate::error::Result;
use crate::record::{
    Attempt, Change, ColorHistogram, CommittedBy, FailureCode, FieldConfidence, GroupState, Item,
    Labels, Origin, Record, RetrievalResult, Signal, SourceType,
};
use crate::store::errors::journal_error;
use crate::store::images::retrieval;
use crate::store::tables::meta::{Content, version};
use crate::store::tables::states::read_review;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use serde::de::DeserializeOwned;
use std::fmt;

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub table: &'static str,
    column: &'static str,
    /// The columns of the primary key, and their values.
    key: Vec<(String, i64)>,
    why: String,
}

impl Unreadable {
    /// Deletes the row. Returns the number of deleted rows, 0 if it was deleted before.
    pub fn delete(&self, db: &Connection) -> rusqlite::Result<usize> {
        self.execute(db, &format!("DELETE FROM {}", self.table))
    }

    /// Deletes the value, and keeps the row. Returns the number of changed rows.
    pub fn clear(&self, db: &Connection) -> rusqlite::Result<usize> {
        self.execute(
            db,
            &format!("UPDATE {} SET {} = NULL", self.table, self.column),
        )
    }

    fn execute(&self, db: &Connection, action: &str) -> rusqlite::Result<usize> {
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|(name, _)| format!("{name} = ?"))
            .collect();
        let values = self.key.iter().map(|(_, value)| value);
        db.execute(
            &format!("{action} WHERE {}", columns.join(" AND ")),
            params_from_iter(values),
        )
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<String> = self
            .key
            .iter()
            .map(|(_, value)| value.to_string())
            .collect();
        let (key, table, column) = (key.join("/"), self.table, self.column);
        write!(f, "row {key} of {table}, {column}: {}", self.why)
    }
}

type ReadResult = Result<(), Box<dyn std::error::Error>>;

/// Reads a value that is not NULL as the program would.
type ReadValue = fn(&Connection, ValueRef) -> ReadResult;

/// The columns whose values can be unreadable. References that the schema names are not among
/// them: `PRAGMA foreign_key_check` finds those.
const COLUMNS: [(&str, &str, ReadValue); 25] = [
    ("groups", "item", json::<Item>),
    ("groups", "source_type", |_, value| {
        known(value, |name| SourceType::parse(name).is_some())
    }),
    ("groups", "other_names", json::<Vec<String>>),
    ("attempts", "attempt", json::<Attempt>),
    ("failures", "code", |_, value| {
        known(value, |code| FailureCode::parse(code).is_some())
    }),
    ("drafts", "origin", json::<Origin>),
    ("drafts", "labels", json::<Labels>),
    ("drafts", "confidence", json::<Vec<FieldConfidence>>),
    ("records", "made_by", |_, value| {
        known(value, |name| CommittedBy::parse(name).is_some())
    }),
    ("records", "record", json::<Record>),
    ("records", "raw", json::<serde_json::Value>),
    ("steps", "change", json::<Change>),
    ("step_entries", "before", review),
    ("step_entries", "after", review),
    ("step_entries", "model_draft", draft),
    ("heads", "head", review),
    ("heads", "model_draft", draft),
    ("heads", "failure", |db, value| {
        row_of(db, "failures", value.as_i64()?)
    }),
    ("heads", "record", |db, value| {
        row_of(db, "records", value.as_i64()?)
    }),
    ("heads", "state", |_, value| {
        known(value, |name| {
            GroupState::ALL.iter().any(|state| state.name() == name)
        })
    }),
    ("heads", "labels", json::<Labels>),
    ("heads", "signals", json::<Vec<Signal>>),
    ("colors", "histogram", json::<ColorHistogram>),
    ("drawings", "outline", |_, value| {
        match value.as_blob()?.len() {
            32 => Ok(()),
            length => Err(format!("it has {length} bytes").into()),
        }
    }),
    ("retrieved", "finding", json::<RetrievalResult>),
];

fn json<T: DeserializeOwned>(_: &Connection, value: ValueRef) -> ReadResult {
    serde_json::from_str::<T>(value.as_str()?)?;
    Ok(())
}

fn known(value: ValueRef, is_known: impl Fn(&str) -> bool) -> ReadResult {
    let name = value.as_str()?;
    match is_known(name) {
        true => Ok(()),
        false => Err(format!("unknown value {name:?}").into()),
    }
}

fn review(db: &Connection, value: ValueRef) -> ReadResult {
    match read_review(db, value.as_str()?)?.draft {
        Some(id) => row_of(db, "drafts", id),
        None => Ok(()),
    }
}

fn draft(db: &Connection, value: ValueRef) -> ReadResult {
    row_of(db, "drafts", value.as_i64()?)
}

/// An error if `table` has no row with this id.
fn row_of(db: &Connection, table: &str, id: i64) -> ReadResult {
    let mut select = db.prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?;
    match select.exists([id])? {
        true => Ok(()),
        false => Err(format!("{table} has no row {id}").into()),
    }
}

/// Returns what is wrong with the values in `meta`.
pub(super) fn unreadable_values(db: &Connection) -> Vec<String> {
    let read = [
        version(db, Content::Records).map(drop),
        version(db, Content::Failures).map(drop),
        retrieval(db).map(drop),
    ];
    let errors = read.into_iter().filter_map(Result::err);
    errors.map(|error| error.cause).collect()
}

/// Returns the unreadable rows of all tables; a row with several unreadable values more than once.
pub(super) fn unreadable_rows(db: &Connection) -> Result<Vec<Unreadable>> {
    let mut found = Vec::new();
    for (table, column, read) in COLUMNS {
        find_unreadable(db, (table, column), read, &mut found)
            .map_err(journal_error("reading the journal"))?;
    }
    Ok(found)
}

fn find_unreadable(
    db: &Connection,
    (table, column): (&'static str, &'static str),
    read: ReadValue,
    found: &mut Vec<Unreadable>,
) -> rusqlite::Result<()> {
    let key: Vec<String> = db
        .prepare_cached("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let columns = key.join(", ");
    let mut select = db.prepare(&format!(
        "SELECT {column}, {columns} FROM {table} WHERE {column} IS NOT NULL ORDER BY {columns}"
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = read(db, row.get_ref(0)?) {
            let mut values = Vec::new();
            for (at, name) in (1..).zip(&key) {
                values.push((name.clone(), row.get(at)?));
            }
            found.push(Unreadable {
                table,
                column,
                key: values,
                why: error.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::schema::migrate;

    /// Columns that hold any text or bytes, or whose readers skip what they do not know.
    const FREE: [&str; 36] = [
        "meta.key",
        "meta.value",
        "groups.image_path",
        "groups.sha256",
        "groups.name",
        "groups.part",
        "paths.path",
        "attempts.at",
        "attempts.model",
        "attempts.prompt_version",
        "attempts.settings_hash",
        "attempts.failure",
        "failures.at",
        "failures.detail",
        "drafts.reasons",
        "drafts.kept_reasons",
        "drafts.model",
        "drafts.prompt_version",
        "drafts.generated_at",
        "drafts.item_name",
        "records.at",
        "records.label_key",
        "records.checksum",
        "steps.at",
        "steps.kind",
        "steps.done",
        "import_faults.at",
        "import_faults.why",
        "import_faults.text",
        "judgments.at",
        "judgments.verdict",
        "judgments.field",
        "heads.reasons",
        "heads.label_key",
        "drawings.edges",
        "checks.reasons",
    ];

    #[test]
    fn every_column_is_read_or_free() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        let columns: Vec<String> = db
            .prepare(
                "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND c.type <> 'INTEGER' ORDER BY 1",
            )
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let read = COLUMNS.map(|(table, column, _)| format!("{table}.{column}"));
        let is_known = |column: &String| read.contains(column) || FREE.contains(&column.as_str());
        let unknown: Vec<&String> = columns.iter().filter(|column| !is_known(column)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(unreadable_rows(&db).unwrap().len(), 0);
    }
}
