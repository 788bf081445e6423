//! Rebuilds a journal from `labels.jsonl` and whatever rows of the present one can be read.

use super::contents::unreadable;
use super::{Staged, lock_any};
use crate::error::Result;
use crate::outdir::JOURNAL;
use crate::record::{CurrentState, GroupId, Vocabulary};
use crate::store::Journal;
use crate::store::database::open::begin_generation;
use crate::store::database::schema::migrate;
use crate::store::errors::doing;
use crate::store::tables::groups::{find_by_path, link, path_key, read_group};
use crate::store::tables::meta::{Content, bump};
use crate::store::tables::records::read_line;
use crate::store::tables::states::{StateWriter, read_current};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Numbers of rows tried one by one in the middle of a damaged table.
const MOST_TRIED: i64 = 200_000;

/// What a rebuild saved.
#[derive(Debug)]
pub struct Rebuilt {
    /// The new journal, with every row that could be read.
    pub journal: Journal,
    /// Where the journal of before is, if there was one.
    pub kept: Option<PathBuf>,
    pub attempts: u64,
    /// Rows that could be found and not be read.
    pub lost: u64,
}

/// Builds the journal of `outdir` from the rows of the present one; the records of
/// `labels.jsonl` are still to be imported.
pub fn rebuild(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Rebuilt> {
    let lock = lock_any(outdir)?;
    let staged = Staged::empty(outdir)?;
    let mut fresh = Connection::open(&staged.path).map_err(doing("rebuilding"))?;
    fresh
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")
        .and_then(|()| migrate(&mut fresh))
        .map_err(doing("rebuilding"))?;
    let present = outdir.join(JOURNAL);
    if present.exists() {
        // By itself first: its log may belong to another state, and then adds what it can.
        let alone = Staged::copy(outdir, &present)?;
        if alone.drop_log()? {
            take_rows(&alone.path, &mut fresh)?;
            take_rows(&Staged::copy(outdir, &present)?.path, &mut fresh)?;
        } else {
            take_rows(&alone.path, &mut fresh)?;
        }
    }
    let lost = set_right(&mut fresh)?;
    let attempts: i64 = fresh
        .query_row("SELECT count(*) FROM attempts", [], |row| row.get(0))
        .map_err(doing("counting"))?;
    begin_generation(&fresh)?;
    drop(fresh);
    let kept = staged.install(outdir)?;
    let journal = Journal::with(lock, outdir, vocabulary)?;
    Ok(Rebuilt {
        journal,
        kept,
        attempts: u64::try_from(attempts).unwrap_or_default(),
        lost,
    })
}

/// Copies every row that can be read and is not there yet.
fn take_rows(path: &Path, fresh: &mut Connection) -> Result<()> {
    // One that cannot even be opened, or is no database at all, has no rows.
    let Ok(mut old) = Connection::open(path) else {
        return Ok(());
    };
    // An older layout is easier to read once it is up to date; damage may forbid that.
    let _ = migrate(&mut old);
    let transaction = fresh.transaction().map_err(doing("rebuilding"))?;
    let tables: Vec<String> = transaction
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .map_err(doing("rebuilding"))?;
    for table in tables {
        take_table(&old, &transaction, &table).map_err(doing("rebuilding"))?;
    }
    transaction.commit().map_err(doing("rebuilding"))
}

/// Errors are those of writing; where reading fails, the rest is reached another way or left.
fn take_table(old: &Connection, fresh: &Connection, table: &str) -> rusqlite::Result<()> {
    let known = columns(old, table).unwrap_or_default();
    let columns: Vec<String> = columns(fresh, table)?
        .into_iter()
        .filter(|column| known.contains(column))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    let list = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let mut insert = fresh.prepare(&format!(
        "INSERT OR IGNORE INTO {table} ({list}) VALUES ({marks})"
    ))?;
    let keys: Vec<(String, String)> = fresh
        .prepare("SELECT name, type FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // Where the rows have numbers: the column that holds them.
    let number = match &keys[..] {
        [(name, kind)] if kind == "INTEGER" => columns.iter().position(|column| column == name),
        _ => None,
    };
    // From the front and from the back, up to what cannot be read.
    let mut ends = [None, None];
    for (end, direction) in ends.iter_mut().zip([" ASC", " DESC"]) {
        let order = keys.iter().map(|(name, _)| format!("{name}{direction}"));
        let mut order: Vec<String> = order.collect();
        if order.is_empty() {
            order.push(format!("rowid{direction}"));
        }
        let order = order.join(", ");
        let all = format!("SELECT {list} FROM {table} ORDER BY {order}");
        let whole = each_row(old, &all, columns.len(), &mut |row| {
            if let Some(Value::Integer(id)) = number.and_then(|number| row.get(number)) {
                *end = Some(*id);
            }
            insert.execute(params_from_iter(row)).map(drop)
        })?;
        if whole {
            return Ok(());
        }
    }
    // Between the two one by one.
    let Some(number) = number else {
        return Ok(());
    };
    let front = ends[0].unwrap_or(0);
    let back = ends[1].unwrap_or(front.saturating_add(MOST_TRIED));
    let one = format!("SELECT {list} FROM {table} WHERE {} = ?1", columns[number]);
    for id in (front + 1..back).take(usize::try_from(MOST_TRIED).unwrap_or_default()) {
        let row = old.prepare_cached(&one).and_then(|mut select| {
            select
                .query_row([id], |row| values(row, columns.len()))
                .optional()
        });
        if let Ok(Some(row)) = row {
            insert.execute(params_from_iter(row))?;
        }
    }
    Ok(())
}

fn columns(db: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare("SELECT name FROM pragma_table_info(?1)")?;
    select.query_map([table], |row| row.get(0))?.collect()
}

/// Gives rows to `take` until one cannot be read; tells whether all could.
fn each_row(
    old: &Connection,
    sql: &str,
    width: usize,
    take: &mut dyn FnMut(Vec<Value>) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    let Ok(mut select) = old.prepare(sql) else {
        return Ok(false);
    };
    let Ok(mut rows) = select.query([]) else {
        return Ok(false);
    };
    loop {
        match rows.next() {
            Ok(Some(row)) => match values(row, width) {
                Ok(row) => take(row)?,
                Err(_) => return Ok(false),
            },
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

fn values(row: &rusqlite::Row, width: usize) -> rusqlite::Result<Vec<Value>> {
    (0..width).map(|column| row.get(column)).collect()
}

/// Removes what cannot be read back or names what is gone, and recomputes where each group stands;
/// how many rows could not be read.
fn set_right(fresh: &mut Connection) -> Result<u64> {
    let transaction = fresh.transaction().map_err(doing("rebuilding"))?;
    let mut lost = 0;
    for row in unreadable(&transaction)? {
        // Where a group stands follows from the rest.
        if row.table == "heads" {
            continue;
        }
        lost += 1;
        transaction
            .execute(
                &format!("DELETE FROM {} WHERE id = ?1", row.table),
                [row.id],
            )
            .map_err(doing("rebuilding"))?;
    }
    transaction
        .execute_batch(
            "DELETE FROM attempts WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM failures WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM drafts WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM records WHERE group_id NOT IN (SELECT id FROM groups)
                 OR draft NOT IN (SELECT id FROM drafts);
             DELETE FROM paths WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM heads WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM colors WHERE group_id NOT IN (SELECT id FROM groups);
             DELETE FROM checks WHERE draft NOT IN (SELECT id FROM drafts);
             DELETE FROM judgments WHERE group_id NOT IN (SELECT id FROM groups)
                 OR draft NOT IN (SELECT id FROM drafts);
             DELETE FROM steps WHERE target IS NOT NULL AND target NOT IN (SELECT id FROM steps);
             DELETE FROM step_entries WHERE step NOT IN (SELECT id FROM steps)
                 OR group_id NOT IN (SELECT id FROM groups)
                 OR NOT json_valid(before) OR NOT json_valid(after);
             DELETE FROM step_entries WHERE
                 json_extract(before, '$.draft') NOT IN (SELECT id FROM drafts)
                 OR json_extract(after, '$.draft') NOT IN (SELECT id FROM drafts)
                 OR json_extract(before, '$.record') NOT IN (SELECT id FROM records)
                 OR json_extract(after, '$.record') NOT IN (SELECT id FROM records);
             -- Of the exports as they were and of the log of before.
             DELETE FROM meta WHERE key LIKE 'written:%' OR key LIKE 'exported:%'
                 OR key LIKE 'replaced:%' OR key LIKE 'version:%' OR key LIKE 'journal:%';",
        )
        .map_err(doing("rebuilding"))?;
    let groups: Vec<i64> = transaction
        .prepare("SELECT id FROM groups ORDER BY id")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .map_err(doing("rebuilding"))?;
    let mut states = StateWriter::new(&transaction);
    for id in groups.into_iter().map(GroupId) {
        let item = read_group(&transaction, id)?.item;
        let path = path_key(&item);
        if find_by_path(&transaction, &path)?.is_none() {
            link(&transaction, &path, id)?;
        }
        states.write(id, &state(&transaction, id)?)?;
    }
    states.finish()?;
    bump(&transaction, Content::Records)?;
    bump(&transaction, Content::Failures)?;
    transaction.commit().map_err(doing("rebuilding"))?;
    Ok(lost)
}

/// Where a group stands, without what is gone; by its newest rows where that cannot be read.
fn state(db: &Connection, id: GroupId) -> Result<CurrentState> {
    let newest = |sql: &str| -> Result<Option<i64>> {
        db.prepare_cached(sql)
            .and_then(|mut select| select.query_row([id.0], |row| row.get(0)))
            .map_err(doing("rebuilding"))
    };
    let draft = newest("SELECT max(id) FROM drafts WHERE group_id = ?1")?;
    let line = match newest("SELECT max(id) FROM records WHERE group_id = ?1")? {
        Some(record) => Some(read_line(db, record)?),
        None => None,
    };
    let mut current = match read_current(db, id) {
        Ok(Some(current)) => current,
        Ok(None) | Err(_) => {
            let mut current = CurrentState::default();
            current.review.draft = draft;
            current.review.line = line;
            return Ok(current);
        }
    };
    let there = |table: &str, row: Option<i64>| -> Result<Option<i64>> {
        let Some(row) = row else {
            return Ok(None);
        };
        db.prepare_cached(&format!(
            "SELECT id FROM {table} WHERE id = ?1 AND group_id = ?2"
        ))
        .and_then(|mut select| select.query_row([row, id.0], |row| row.get(0)).optional())
        .map_err(doing("rebuilding"))
    };
    let review = &mut current.review;
    if review.draft.is_some() {
        review.draft = there("drafts", review.draft)?.or(draft);
    }
    if let Some(held) = review.line {
        let is_there = there("records", held.record)?.is_some();
        review.line = if is_there { Some(held) } else { line };
    }
    current.answer = there("drafts", current.answer)?;
    current.failure = there("failures", current.failure)?;
    Ok(current)
}
