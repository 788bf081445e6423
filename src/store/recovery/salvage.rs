//! Rebuilds a journal from `labels.jsonl` and all readable rows of the present journal.

use super::contents::unreadable_rows;
use super::replay::RESTORED_PREFIX;
use super::{Staged, lock_any};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{JOURNAL, LABELS};
use crate::record::{CurrentState, GroupId, Vocabulary};
use crate::store::database::open::{begin_generation, open_copy};
use crate::store::database::schema::migrate;
use crate::store::errors::journal_error;
use crate::store::images::{RETRIEVAL_SUMMARY, retrieval};
use crate::store::tables::groups::{
    assign_path, find_by_path, path_key, read_group, update_all_displaced,
};
use crate::store::tables::meta::{Content, bump_version};
use crate::store::tables::records::read_line;
use crate::store::tables::states::{StateWriter, read_current};
use crate::store::{FRONT_END_PREFIX, Journal, Prefer};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many ids in the middle of a damaged table are tried one by one.
const MAX_TRIED_IDS: i64 = 200_000;

/// Result of a rebuild.
#[derive(Debug)]
pub struct Rebuilt {
    /// The new journal, with every readable row.
    pub journal: Journal,
    /// Path of the copy of the previous journal, if there was one.
    pub kept: Option<PathBuf>,
    pub attempts: u64,
    /// Number of rows that were found but not readable.
    pub lost: u64,
    /// Which one wins where a line of `labels.jsonl` and the journal differ.
    pub prefer: Prefer,
}

/// Whether an outdir has a journal or an export of one, or their names are at least taken.
fn has_any(outdir: &Path) -> bool {
    let mut names = [JOURNAL, LABELS].into_iter();
    names.any(|name| outdir.join(name).symlink_metadata().is_ok())
}

/// Builds a new journal for `outdir` from the rows of the present one. The caller then imports
/// `labels.jsonl`.
pub fn rebuild(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Rebuilt> {
    if !has_any(outdir) {
        let cause = format!("there is nothing to rebuild from in {}", outdir.display());
        return Err(Error::new(ErrorKind::Store, cause)
            .with_hint("give the folder of an earlier run with --outdir"));
    }
    let lock = lock_any(outdir)?;
    let staged = Staged::empty(outdir)?;
    let mut fresh = Connection::open(&staged.path).map_err(journal_error("rebuilding"))?;
    fresh
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")
        .and_then(|()| migrate(&mut fresh))
        .map_err(journal_error("rebuilding"))?;
    let present = outdir.join(JOURNAL);
    let prefer = match present.exists() {
        true => copy_journal(outdir, &present, &mut fresh)?,
        false => Prefer::File,
    };
    let lost = repair(&mut fresh)?;
    let attempts: i64 = fresh
        .query_row("SELECT count(*) FROM attempts", [], |row| row.get(0))
        .map_err(journal_error("counting"))?;
    begin_generation(&fresh)?;
    drop(fresh);
    let kept = staged.install(outdir)?;
    let journal = Journal::with(lock, outdir, vocabulary)?;
    Ok(Rebuilt {
        journal,
        kept,
        attempts: u64::try_from(attempts).unwrap_or_default(),
        lost,
        prefer,
    })
}

/// Copies the present journal with and without its log, since either may be damaged: first the
/// one that is the newest state. Returns which one wins where `labels.jsonl` differs.
fn copy_journal(outdir: &Path, present: &Path, fresh: &mut Connection) -> Result<Prefer> {
    let with_log = Staged::copy(outdir, present)?;
    let without_log = Staged::copy(outdir, present)?;
    let has_log = without_log.drop_log()?;
    let (copies, prefer) = match open_copy(&with_log.path, present) {
        Ok(_) => ([&with_log, &without_log], Prefer::NewLines),
        // The log may belong to another database state.
        Err(_) => ([&without_log, &with_log], Prefer::File),
    };
    copy_rows(&copies[0].path, fresh, "")?;
    if has_log {
        // The state of a group is the one in the first copy, or follows from its newest rows.
        copy_rows(&copies[1].path, fresh, "heads")?;
    }
    Ok(prefer)
}

/// Copies every readable row that the new journal does not have yet, of all tables but one.
fn copy_rows(path: &Path, fresh: &mut Connection, except: &str) -> Result<()> {
    // A file that cannot be opened has no rows.
    let Ok(mut old) = Connection::open(path) else {
        return Ok(());
    };
    // An old schema is easier to read after migration, which damage may prevent.
    let _ = migrate(&mut old);
    let transaction = fresh.transaction().map_err(journal_error("rebuilding"))?;
    let tables: Vec<String> = transaction
        .prepare(
            "SELECT name FROM sqlite_master
             WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> ?1",
        )
        .and_then(|mut select| select.query_map([except], |row| row.get(0))?.collect())
        .map_err(journal_error("rebuilding"))?;
    for table in tables {
        copy_table(&old, &transaction, &table).map_err(journal_error("rebuilding"))?;
    }
    transaction.commit().map_err(journal_error("rebuilding"))
}

/// Copies the readable rows of a table: from the front, from the back, and then one by one between
/// the two. Fails only on errors of writing.
fn copy_table(old: &Connection, fresh: &Connection, table: &str) -> rusqlite::Result<()> {
    let known = columns(old, table).unwrap_or_default();
    let columns: Vec<String> = columns(fresh, table)?
        .into_iter()
        .filter(|column| known.contains(column))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    let list = columns.join(", ");
    let placeholders = vec!["?"; columns.len()].join(", ");
    let mut insert = fresh.prepare(&format!(
        "INSERT OR IGNORE INTO {table} ({list}) VALUES ({placeholders})"
    ))?;
    let keys: Vec<(String, String)> = fresh
        .prepare("SELECT name, type FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // The position of the integer id column, if there is one.
    let id_column = match &keys[..] {
        [(name, kind)] if kind == "INTEGER" => columns.iter().position(|column| column == name),
        _ => None,
    };
    // The last readable id from each end.
    let mut ends = [None, None];
    for (end, direction) in ends.iter_mut().zip([" ASC", " DESC"]) {
        let order = keys.iter().map(|(name, _)| format!("{name}{direction}"));
        let mut order: Vec<String> = order.collect();
        if order.is_empty() {
            order.push(format!("rowid{direction}"));
        }
        let order = order.join(", ");
        let all = format!("SELECT {list} FROM {table} ORDER BY {order}");
        let is_complete = each_row(old, &all, columns.len(), &mut |row| {
            if let Some(Value::Integer(id)) = id_column.and_then(|column| row.get(column)) {
                *end = Some(*id);
            }
            insert.execute(params_from_iter(row)).map(drop)
        })?;
        if is_complete {
            return Ok(());
        }
    }
    let Some(id_column) = id_column else {
        return Ok(());
    };
    let front = ends[0].unwrap_or(0);
    let back = ends[1].unwrap_or(front.saturating_add(MAX_TRIED_IDS));
    let one = format!(
        "SELECT {list} FROM {table} WHERE {} = ?1",
        columns[id_column]
    );
    for id in (front + 1..back).take(usize::try_from(MAX_TRIED_IDS).unwrap_or_default()) {
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

/// Passes rows to `take` until one cannot be read. Returns whether all could.
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

/// Deletes rows that are unreadable or refer to missing rows, and recomputes the state of each
/// group. Returns the number of unreadable rows.
fn repair(fresh: &mut Connection) -> Result<u64> {
    let transaction = fresh.transaction().map_err(journal_error("rebuilding"))?;
    let lost = delete_unreadable(&transaction)?;
    delete_orphans(&transaction)
        .and_then(|()| {
            transaction.execute_batch(
                "DELETE FROM step_entries WHERE
                     json_extract(before, '$.draft') NOT IN (SELECT id FROM drafts)
                     OR json_extract(after, '$.draft') NOT IN (SELECT id FROM drafts)
                     OR json_extract(before, '$.record') NOT IN (SELECT id FROM records)
                     OR json_extract(after, '$.record') NOT IN (SELECT id FROM records)
                     OR model_draft NOT IN (SELECT id FROM drafts)",
            )
        })
        .map_err(journal_error("rebuilding"))?;
    delete_values(&transaction)?;
    let groups: Vec<i64> = transaction
        .prepare("SELECT id FROM groups ORDER BY id")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .map_err(journal_error("rebuilding"))?;
    let groups: Vec<GroupId> = groups.into_iter().map(GroupId).collect();
    for &id in &groups {
        let item = read_group(&transaction, id)?.item;
        let path = path_key(&item);
        if find_by_path(&transaction, &path)?.is_none() {
            assign_path(&transaction, &path, None, id)?;
        }
    }
    update_all_displaced(&transaction)?;
    let mut states = StateWriter::new(&transaction);
    for id in groups {
        states.write(id, &repaired_state(&transaction, id)?)?;
    }
    states.finish()?;
    bump_version(&transaction, Content::Records)?;
    bump_version(&transaction, Content::Failures)?;
    transaction.commit().map_err(journal_error("rebuilding"))?;
    Ok(lost)
}

/// Deletes what cannot be read. Returns the number of rows.
fn delete_unreadable(db: &Connection) -> Result<u64> {
    let mut lost = 0;
    for row in unreadable_rows(db)? {
        let deleted = match row.table {
            // The state of a group is recomputed.
            "heads" => Ok(0),
            // A step without its change can still be undone.
            "steps" => row.clear(db),
            _ => row.delete(db),
        };
        lost += deleted.map_err(journal_error("rebuilding"))? as u64;
    }
    Ok(lost)
}

/// Deletes the values in `meta` that describe the previous journal, its log or its exports: all but
/// settings, the names of restored files, and the summary of the retrieval results.
fn delete_values(db: &Connection) -> Result<()> {
    let keeps_summary = retrieval(db).is_ok();
    db.execute(
        "DELETE FROM meta WHERE key NOT LIKE ?1 || '%' AND key NOT LIKE ?2 || '%'
             AND NOT (?4 AND key = ?3)",
        params![
            FRONT_END_PREFIX,
            RESTORED_PREFIX,
            RETRIEVAL_SUMMARY,
            keeps_summary
        ],
    )
    .map_err(journal_error("rebuilding"))?;
    Ok(())
}

/// Deletes rows that refer to missing rows, until none is left.
fn delete_orphans(db: &Connection) -> rusqlite::Result<()> {
    let deletions: Vec<String> = db
        .prepare(
            "SELECT format(
                 'DELETE FROM %s WHERE \"%w\" NOT IN (SELECT \"%w\" FROM %s)',
                 m.name, f.\"from\", f.\"to\", f.\"table\")
             FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    loop {
        let mut deleted = 0;
        for deletion in &deletions {
            deleted += db.execute(deletion, [])?;
        }
        if deleted == 0 {
            return Ok(());
        }
    }
}

/// Returns the state of a group without references to missing rows. Falls back to the newest rows
/// if the stored state is unreadable.
fn repaired_state(db: &Connection, id: GroupId) -> Result<CurrentState> {
    let newest = |sql: &str| -> Result<Option<i64>> {
        db.prepare_cached(sql)
            .and_then(|mut select| select.query_row([id.0], |row| row.get(0)))
            .map_err(journal_error("rebuilding"))
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
    let existing = |table: &str, row: Option<i64>| -> Result<Option<i64>> {
        let Some(row) = row else {
            return Ok(None);
        };
        db.prepare_cached(&format!(
            "SELECT id FROM {table} WHERE id = ?1 AND group_id = ?2"
        ))
        .and_then(|mut select| select.query_row([row, id.0], |row| row.get(0)).optional())
        .map_err(journal_error("rebuilding"))
    };
    let review = &mut current.review;
    if review.draft.is_some() {
        review.draft = existing("drafts", review.draft)?.or(draft);
    }
    if let Some(stored) = review.line {
        let exists = existing("records", stored.record)?.is_some();
        review.line = if exists { Some(stored) } else { line };
    }
    current.answer = existing("drafts", current.answer)?;
    current.failure = existing("failures", current.failure)?;
    Ok(current)
}
