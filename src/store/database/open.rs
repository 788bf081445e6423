//! Opens the journal's database: only one of ours, never through a link, and never with the log of
//! another state of it.
//!
//! SQLite keeps the newest changes in `journal.sqlite-wal` until they are copied into
//! `journal.sqlite`. After a crash both files belong together. Somebody who then copies a backup
//! over `journal.sqlite` alone leaves a log that SQLite lays over the backup without a word. So
//! each run names itself: it has everything copied into the main file, writes a random generation,
//! has that copied too, and then writes into the empty log which generation the log goes on from. A
//! log whose base is not the generation in the main file belongs to another state.

use super::rescue::new_file;
use super::schema::{APPLICATION_ID, VERSION, migrate};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{JOURNAL, JOURNAL_LOGS, file, is_absent, open_own, sync_folder};
use crate::store::errors::{BROKEN, doing};
use crate::store::tables::meta;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

/// What the main file says of itself; see the module.
const GENERATION: &str = "journal:generation";
/// The generation that the log goes on from.
const LOG_BASE: &str = "journal:log-base";

const TABLES: [&str; 5] = ["meta", "groups", "drafts", "records", "heads"];

/// What a database says of its origin.
struct Marks {
    application_id: i64,
    version: i64,
    tables: Vec<String>,
}

/// Opens or creates the journal of `outdir` and brings its layout up to date. The outdir's lock
/// must be held.
pub fn open(outdir: &Path) -> Result<Connection> {
    let shown = outdir.join(JOURNAL);
    let opening = format!("opening {}", shown.display());
    let is_new = shown
        .symlink_metadata()
        .is_err_and(|error| is_absent(&error));
    // A log without its journal must not be laid over a new one.
    let created = match is_new && !has_log(outdir) {
        true => Some(create(outdir, &shown)?),
        false => None,
    };
    // SQLite would create it without regard to the umask; its logs take over the mode.
    open_own(&shown, OpenOptions::new().read(true).write(true))?;
    for log in JOURNAL_LOGS {
        let log = outdir.join(log);
        if log.symlink_metadata().is_ok() {
            open_own(&log, OpenOptions::new().read(true).write(true))?;
        }
    }
    // A link to the outdir itself is fine; SQLite, told to follow none, would refuse that too.
    let folder = outdir.canonicalize().map_err(file("opening", outdir))?;
    let ended_badly = has_log(&folder);
    let own_state = main_file(&folder.join(JOURNAL), &shown)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db =
        Connection::open_with_flags(folder.join(JOURNAL), flags).map_err(doing(&opening))?;
    // Until it is known to be ours, closing it must not write either.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .and_then(|_| db.busy_timeout(Duration::from_secs(10)))
        .map_err(doing(&opening))?;
    let marks = marks(&db).map_err(doing(&opening))?;
    refuse_other(&marks, &shown)?;
    if ended_badly && !marks.tables.is_empty() {
        check_log(&db, own_state.as_deref(), &shown)?;
        let problems = structure(&db, "quick_check").map_err(doing(&opening))?;
        if let Some(first) = problems.first() {
            return Err(damaged(&shown, first));
        }
    }
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .and_then(|_| keep_plans(&db))
        .map_err(doing(&opening))?;
    db.execute_batch(
        // EXTRA: the log of the other kind, which a backup has until here, does not come back.
        "PRAGMA synchronous = EXTRA;
         PRAGMA journal_mode = WAL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;
         PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(doing(&opening))?;
    db.set_prepared_statement_cache_capacity(64);
    match created {
        Some(generation) => {
            // What has been read can be written again, should the file be damaged during this run.
            structure(&db, "quick_check").map_err(doing(&opening))?;
            unsynced(&db, || meta::set(&db, LOG_BASE, &generation))?;
        }
        None => {
            migrate(&mut db).map_err(doing(&opening))?;
            begin_generation(&db)?;
        }
    }
    Ok(db)
}

/// Puts a journal without a record in place, whole: its pages are synced once, where SQLite would
/// sync every step of the way, and a run that is killed here leaves no half of it. Returns its
/// generation.
fn create(outdir: &Path, shown: &Path) -> Result<String> {
    let creating = format!("creating {}", shown.display());
    let new = new_file(outdir, ".tmp")?;
    // Its log lies beside it until it is closed.
    let mut db = Connection::open(new.path()).map_err(doing(&creating))?;
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .and_then(|()| migrate(&mut db))
        .map_err(doing(&creating))?;
    let generation = new_generation();
    meta::set(&db, GENERATION, &generation)?;
    db.execute_batch("PRAGMA journal_mode = WAL;")
        .map_err(doing(&creating))?;
    db.close().map_err(|(_, error)| doing(&creating)(error))?;
    new.as_file().sync_all().map_err(file("writing", shown))?;
    new.persist_noclobber(shown)
        .map_err(|error| file("creating", shown)(error.error))?;
    sync_folder(outdir)?;
    Ok(generation)
}

/// Opens the journal once more, to read what is saved in it now, whatever `writer` does meanwhile.
pub fn open_snapshot(outdir: &Path, writer: &Connection) -> Result<Connection> {
    let reading = format!("reading {}", outdir.join(JOURNAL).display());
    let folder = outdir.canonicalize().map_err(file("opening", outdir))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(folder.join(JOURNAL), flags).map_err(doing(&reading))?;
    db.busy_timeout(Duration::from_secs(10))
        .and_then(|()| keep_plans(&db))
        .and_then(|()| db.execute_batch("BEGIN"))
        .map_err(doing(&reading))?;
    // The first read decides what is seen.
    if meta::get(&db, GENERATION)? != meta::get(writer, GENERATION)? {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{reading}: it was replaced by something else"),
        ));
    }
    Ok(db)
}

/// Otherwise SQLite would compile most statements again for each value that they are used with.
fn keep_plans(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Opens a copy of a journal, which may be changed, to look into it.
pub fn open_copy(path: &Path, shown: &Path) -> Result<Connection> {
    let opening = format!("opening {}", shown.display());
    let own_state = main_file(path, shown)?;
    let db = Connection::open(path).map_err(doing(&opening))?;
    // A log of another state must not be laid over it for good.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(doing(&opening))?;
    let marks = marks(&db).map_err(doing(&opening))?;
    refuse_other(&marks, shown)?;
    if marks.tables.is_empty() {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{} is empty", shown.display()),
        ));
    }
    let log = path.with_file_name(log_name(path));
    if log.exists() {
        check_log(&db, own_state.as_deref(), shown)?;
    }
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(doing(&opening))?;
    Ok(db)
}

/// The name of SQLite's log beside a database.
pub fn log_name(path: &Path) -> std::ffi::OsString {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-wal");
    name
}

/// What is wrong with the pages of a database, by SQLite's `quick_check` or `integrity_check`.
pub fn structure(db: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare(&format!("PRAGMA {check}"))?;
    let found = select.query_map([], |row| row.get::<_, String>(0))?;
    let mut problems = found.collect::<rusqlite::Result<Vec<_>>>()?;
    problems.retain(|problem| problem != "ok");
    Ok(problems)
}

pub fn damaged(shown: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("{} is damaged: {}", shown.display(), what.trim()),
    )
    .with_said_hint(BROKEN)
}

fn has_log(folder: &Path) -> bool {
    std::fs::metadata(folder.join(JOURNAL_LOGS[0])).is_ok_and(|about| about.len() > 0)
}

/// Looks at the main file alone, which no reader and no recovery touches, and refuses one of
/// another program; its generation, where it has one.
fn main_file(path: &Path, shown: &Path) -> Result<Option<String>> {
    let empty = std::fs::metadata(path)
        .map_err(file("opening", shown))?
        .len()
        == 0;
    if empty {
        return Ok(None);
    }
    let uri = format!("file:{}?mode=ro&immutable=1", percent_encoded(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = format!("opening {}", shown.display());
    let db = Connection::open_with_flags(uri, flags).map_err(doing(&opening))?;
    let marks = match marks(&db) {
        Ok(marks) => marks,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(not_ours(shown, "it is no SQLite database"));
        }
        // Cut off while the log was copied into it, which is finished when it is opened.
        Err(_) if has_log_beside(path) => return Ok(None),
        Err(error) => return Err(doing(&opening)(error)),
    };
    refuse_other(&marks, shown)?;
    if marks.tables.is_empty() {
        return Ok(None);
    }
    // The same: what cannot be read here may well be right with the log.
    let generation = meta::get(&db, GENERATION).unwrap_or_default();
    Ok(generation.filter(|text| is_generation(text)))
}

fn has_log_beside(path: &Path) -> bool {
    let log = path.with_file_name(log_name(path));
    std::fs::metadata(log).is_ok_and(|about| about.len() > 0)
}

fn marks(db: &Connection) -> rusqlite::Result<Marks> {
    let mut select = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let tables = select.query_map([], |row| row.get(0))?;
    Ok(Marks {
        tables: tables.collect::<rusqlite::Result<_>>()?,
        application_id: db.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: db.pragma_query_value(None, "user_version", |row| row.get(0))?,
    })
}

fn refuse_other(marks: &Marks, shown: &Path) -> Result<()> {
    let has = |table: &str| marks.tables.iter().any(|name| name == table);
    let ours = match marks.application_id {
        APPLICATION_ID => true,
        // Journals did not always say so.
        0 if marks.tables.is_empty() => marks.version == 0,
        0 => marks.version > 0 && TABLES.into_iter().all(has),
        _ => false,
    };
    if !ours {
        let tables: Vec<&str> = marks.tables.iter().take(4).map(String::as_str).collect();
        return Err(not_ours(
            shown,
            &format!("it holds the tables {}", tables.join(", ")),
        ));
    }
    if usize::try_from(marks.version).is_ok_and(|version| version > VERSION) {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{} was written by a newer labeler-tui", shown.display()),
        )
        .with_hint("update labeler-tui, or choose another --outdir"));
    }
    Ok(())
}

fn not_ours(shown: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!(
            "{} is not a journal of labeler-tui: {}",
            shown.display(),
            crate::text::for_line(why)
        ),
    )
    .with_hint(
        "if it belongs to another program, choose another --outdir; if it was a journal, \
         `labeler-tui journal restore` or `journal rebuild` replaces it and keeps it aside",
    )
}

/// Refuses a log that goes on from another state than the one in the main file.
fn check_log(db: &Connection, main: Option<&str>, shown: &Path) -> Result<()> {
    let Some(main) = main else {
        // Written by a program that did not say it, or cut off in the middle: the pages tell.
        return Ok(());
    };
    // Of damaged pages nothing may be readable; that is told as damage.
    let known = |key| meta::get(db, key).unwrap_or_default();
    let (base, generation) = (known(LOG_BASE), known(GENERATION));
    let is_one_of_them = [&base, &generation]
        .into_iter()
        .flatten()
        .any(|held| held == main);
    // The others: cut off while the log was being copied into the main file.
    let is_between = base
        .zip(generation)
        .is_some_and(|(base, generation)| is_torn_between(main, &base, &generation));
    if is_one_of_them || is_between {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Store,
        format!(
            "{0} and {0}-wal belong to different states: one of them was copied or replaced \
             without the other",
            shown.display()
        ),
    )
    .with_hint(format!(
        "nothing was changed; `labeler-tui journal restore {0} --outdir {1}` goes on from {0} \
         without the log, `labeler-tui journal rebuild --outdir {1}` saves what it can from both; \
         each keeps the files of now aside",
        shown.display(),
        shown.parent().unwrap_or(shown).display()
    )))
}

/// Names this run, so that its log can be told from others; see the module.
///
/// It may be killed at any step, again and again: the generation in the main file is always the
/// log's base or the one that the log brings.
pub fn begin_generation(db: &Connection) -> Result<()> {
    if !copy_log(db)? {
        return Ok(());
    }
    let generation = new_generation();
    unsynced(db, || {
        let transaction = db
            .unchecked_transaction()
            .map_err(doing("preparing the journal"))?;
        if let Some(before) = meta::get(db, GENERATION)? {
            meta::set(db, LOG_BASE, &before)?;
        }
        meta::set(db, GENERATION, &generation)?;
        transaction.commit().map_err(doing("preparing the journal"))
    })?;
    if copy_log(db)? {
        unsynced(db, || meta::set(db, LOG_BASE, &generation))?;
    }
    Ok(())
}

/// Writes to a log that is empty, without waiting for the disk: the log is synced as a whole before
/// it is copied and with the first step that is saved, and a loss of power before that leaves a log
/// that is empty still.
fn unsynced(db: &Connection, write: impl FnOnce() -> Result<()>) -> Result<()> {
    let preparing = doing("preparing the journal");
    let level: i64 = db
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .and_then(|level| db.pragma_update(None, "synchronous", "OFF").map(|()| level))
        .map_err(&preparing)?;
    let written = write();
    db.pragma_update(None, "synchronous", level)
        .map_err(&preparing)?;
    written
}

/// Copies all of the log into the main file and empties it; not while somebody reads it, who keeps
/// it going on from where it did.
fn copy_log(db: &Connection) -> Result<bool> {
    let busy: bool = db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(doing("preparing the journal"))?;
    Ok(!busy)
}

fn new_generation() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Another text stands there where a page was written in part.
fn is_generation(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is the beginning of one and the end of the other: the power was lost while a page
/// with the one was written over a page with the other, and the disk has the page in part.
fn is_torn_between(text: &str, one: &str, other: &str) -> bool {
    let [text, one, other] = [text, one, other].map(str::as_bytes);
    let begins = |a: &[u8]| text.iter().zip(a).take_while(|(x, y)| x == y).count();
    let ends = |a: &[u8]| {
        let pairs = text.iter().rev().zip(a.iter().rev());
        pairs.take_while(|(x, y)| x == y).count()
    };
    let is_joint = |a, b| begins(a) + ends(b) >= text.len();
    let is_as_long = one.len() == text.len() && other.len() == text.len();
    is_as_long && (is_joint(one, other) || is_joint(other, one))
}

fn percent_encoded(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|&byte| match byte {
            b'/' => "/".to_owned(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_generation_is_of_the_two_that_it_lies_between() {
        let (old, new) = ("00112233", "aabbccdd");
        for torn in ["aab12233", "0011ccdd", "a0112233", "0011223d", old, new] {
            assert!(is_torn_between(torn, old, new), "{torn}");
            assert!(is_torn_between(torn, new, old), "{torn}");
        }
        for other in [
            "aab1223d",
            "aabb2234",
            "0011223",
            "aabbccddd",
            "a0bbccdd",
            "",
        ] {
            assert!(!is_torn_between(other, old, new), "{other}");
        }
    }
}
