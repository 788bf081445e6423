//! Opens the journal's database. Rejects files of other programs, links, and a log that does not
//! belong to the database.
//!
//! SQLite keeps the newest changes in `journal.sqlite-wal` until they are copied into
//! `journal.sqlite`. After a crash both files belong together. If a user then copies a backup over
//! `journal.sqlite` alone, SQLite silently applies the old log to the backup. So each run starts a
//! random *generation*: it checkpoints the log, stores the generation, checkpoints again, and then
//! records in the empty log that it is based on this generation. A log whose base is not the
//! generation in the main file belongs to another database state.

use super::rescue::new_file;
use super::schema::{VERSION, migrate};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{
    APPLICATION_ID, JOURNAL, JOURNAL_LOGS, file_error, is_absent, open_own, sync_folder,
};
use crate::store::errors::{BROKEN, journal_error};
use crate::store::tables::meta;
use crate::text::percent_encoded;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

/// Row of `meta` that holds the generation of the main file, see the module.
const GENERATION: &str = "journal:generation";
/// Row of `meta` that holds the generation on which the log is based.
const LOG_BASE: &str = "journal:log-base";

/// Tables that every journal has, whatever its version.
const TABLES: [&str; 5] = ["meta", "groups", "drafts", "records", "heads"];

/// Properties that tell a journal from the database of another program.
struct DatabaseIdentity {
    application_id: i64,
    version: i64,
    tables: Vec<String>,
}

/// Opens or creates the journal of `outdir` and brings its layout up to date. The outdir's lock
/// must be held.
pub fn open(outdir: &Path) -> Result<Connection> {
    let display_path = outdir.join(JOURNAL);
    let opening = format!("opening {}", display_path.display());
    let is_new = display_path
        .symlink_metadata()
        .is_err_and(|error| is_absent(&error));
    // A leftover log must not be applied to a new journal.
    let created = match is_new && !has_log(&display_path) {
        true => Some(create(outdir, &display_path)?),
        false => None,
    };
    // SQLite ignores the umask for a new file, and gives its log the mode of the file.
    open_own(&display_path, OpenOptions::new().read(true).write(true))?;
    for log in JOURNAL_LOGS {
        let log = outdir.join(log);
        if log.symlink_metadata().is_ok() {
            open_own(&log, OpenOptions::new().read(true).write(true))?;
        }
    }
    // A link to the outdir itself is allowed, but `SQLITE_OPEN_NOFOLLOW` would reject it too.
    let folder = outdir
        .canonicalize()
        .map_err(file_error("opening", outdir))?;
    let has_leftover_log = has_log(&folder.join(JOURNAL));
    let main_generation = main_file_generation(&folder.join(JOURNAL), &display_path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(folder.join(JOURNAL), flags)
        .map_err(journal_error(&opening))?;
    // Closing must not write before the file is known to be a journal.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .and_then(|_| db.busy_timeout(Duration::from_secs(10)))
        .map_err(journal_error(&opening))?;
    let identity = read_identity(&db).map_err(journal_error(&opening))?;
    refuse_foreign(&identity, &display_path)?;
    if has_leftover_log && !identity.tables.is_empty() {
        check_log(&db, main_generation.as_deref(), &display_path)?;
        let problems = structure_problems(&db, "quick_check").map_err(journal_error(&opening))?;
        if let Some(first) = problems.first() {
            return Err(damaged(&display_path, first));
        }
    }
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .and_then(|_| reuse_query_plans(&db))
        .map_err(journal_error(&opening))?;
    db.execute_batch(
        // EXTRA: after a power failure, the deleted rollback journal of a backup does not reappear.
        "PRAGMA synchronous = EXTRA;
         PRAGMA journal_mode = WAL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;
         PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(journal_error(&opening))?;
    db.set_prepared_statement_cache_capacity(64);
    match created {
        Some(generation) => {
            // Reads all pages into the cache, so that they can be saved if the file is damaged
            // later.
            structure_problems(&db, "quick_check").map_err(journal_error(&opening))?;
            unsynced(&db, || meta::set(&db, LOG_BASE, &generation))?;
        }
        None => {
            migrate(&mut db).map_err(journal_error(&opening))?;
            begin_generation(&db)?;
        }
    }
    Ok(db)
}

/// Creates an empty journal under a temporary name and renames it. It is synced once, where SQLite
/// would sync every statement, and a killed run leaves no partial journal. Returns its generation.
fn create(outdir: &Path, display_path: &Path) -> Result<String> {
    let creating = format!("creating {}", display_path.display());
    let new = new_file(outdir)?;
    let mut db = Connection::open(new.path()).map_err(journal_error(&creating))?;
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .and_then(|()| migrate(&mut db))
        .map_err(journal_error(&creating))?;
    let generation = new_generation();
    meta::set(&db, GENERATION, &generation)?;
    db.execute_batch("PRAGMA journal_mode = WAL;")
        .map_err(journal_error(&creating))?;
    db.close()
        .map_err(|(_, error)| journal_error(&creating)(error))?;
    new.as_file()
        .sync_all()
        .map_err(file_error("writing", display_path))?;
    new.persist_noclobber(display_path)
        .map_err(|error| file_error("creating", display_path)(error.error))?;
    sync_folder(outdir)?;
    Ok(generation)
}

/// Opens a second, read-only connection that does not see later writes through `writer`.
pub fn open_snapshot(outdir: &Path, writer: &Connection) -> Result<Connection> {
    let reading = format!("reading {}", outdir.join(JOURNAL).display());
    let folder = outdir
        .canonicalize()
        .map_err(file_error("opening", outdir))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(folder.join(JOURNAL), flags)
        .map_err(journal_error(&reading))?;
    db.busy_timeout(Duration::from_secs(10))
        .and_then(|()| reuse_query_plans(&db))
        .and_then(|()| db.execute_batch("BEGIN"))
        .map_err(journal_error(&reading))?;
    // The first read fixes the snapshot.
    if meta::get(&db, GENERATION)? != meta::get(writer, GENERATION)? {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{reading}: it was replaced by another program"),
        ));
    }
    Ok(db)
}

/// Keeps SQLite from recompiling statements for each bound value.
fn reuse_query_plans(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Opens a copy of a journal, which may be written. `display_path` is named in errors.
pub fn open_copy(path: &Path, display_path: &Path) -> Result<Connection> {
    let opening = format!("opening {}", display_path.display());
    let main_generation = main_file_generation(path, display_path)?;
    let db = Connection::open(path).map_err(journal_error(&opening))?;
    // A log that does not belong to it must not be checkpointed into it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(journal_error(&opening))?;
    let identity = read_identity(&db).map_err(journal_error(&opening))?;
    refuse_foreign(&identity, display_path)?;
    if identity.tables.is_empty() {
        return Err(Error::new(
            ErrorKind::Store,
            format!("{} is empty", display_path.display()),
        ));
    }
    let log = path.with_file_name(log_name(path));
    if log.exists() {
        check_log(&db, main_generation.as_deref(), display_path)?;
    }
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(journal_error(&opening))?;
    Ok(db)
}

/// File name of SQLite's log for a database.
pub fn log_name(path: &Path) -> std::ffi::OsString {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-wal");
    name
}

/// Returns what SQLite's `quick_check` or `integrity_check` finds wrong with a database.
pub fn structure_problems(db: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare(&format!("PRAGMA {check}"))?;
    let found = select.query_map([], |row| row.get::<_, String>(0))?;
    let mut problems = found.collect::<rusqlite::Result<Vec<_>>>()?;
    problems.retain(|problem| problem != "ok");
    Ok(problems)
}

pub fn damaged(display_path: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("{} is damaged: {}", display_path.display(), what.trim()),
    )
    .with_said_hint(BROKEN)
}

/// Returns the generation in the main file, if it has one. Reads that file alone, without its log,
/// and rejects one of another program.
fn main_file_generation(path: &Path, display_path: &Path) -> Result<Option<String>> {
    let empty = std::fs::metadata(path)
        .map_err(file_error("opening", display_path))?
        .len()
        == 0;
    if empty {
        return Ok(None);
    }
    let uri = format!("file:{}?mode=ro&immutable=1", percent_encoded(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = format!("opening {}", display_path.display());
    let db = Connection::open_with_flags(uri, flags).map_err(journal_error(&opening))?;
    let identity = match read_identity(&db) {
        Ok(identity) => identity,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(not_ours(display_path, "it is not an SQLite database"));
        }
        // A checkpoint was interrupted; opening the database completes it.
        Err(_) if has_log(path) => return Ok(None),
        Err(error) => return Err(journal_error(&opening)(error)),
    };
    refuse_foreign(&identity, display_path)?;
    if identity.tables.is_empty() {
        return Ok(None);
    }
    // Again, a value that cannot be read here may be readable with the log.
    let generation = meta::get(&db, GENERATION).unwrap_or_default();
    Ok(generation.filter(|text| is_generation(text)))
}

/// Whether a database has a log that is not empty.
fn has_log(path: &Path) -> bool {
    let log = path.with_file_name(log_name(path));
    std::fs::metadata(log).is_ok_and(|about| about.len() > 0)
}

fn read_identity(db: &Connection) -> rusqlite::Result<DatabaseIdentity> {
    let mut select = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let tables = select.query_map([], |row| row.get(0))?;
    Ok(DatabaseIdentity {
        tables: tables.collect::<rusqlite::Result<_>>()?,
        application_id: db.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: db.pragma_query_value(None, "user_version", |row| row.get(0))?,
    })
}

fn refuse_foreign(identity: &DatabaseIdentity, display_path: &Path) -> Result<()> {
    let has = |table: &str| identity.tables.iter().any(|name| name == table);
    let is_ours = match identity.application_id {
        APPLICATION_ID => true,
        // Early versions did not set it.
        0 if identity.tables.is_empty() => identity.version == 0,
        0 => identity.version > 0 && TABLES.into_iter().all(has),
        _ => false,
    };
    if !is_ours {
        let tables: Vec<&str> = identity.tables.iter().take(4).map(String::as_str).collect();
        return Err(not_ours(
            display_path,
            &format!("it has the tables {}", tables.join(", ")),
        ));
    }
    if usize::try_from(identity.version).is_ok_and(|version| version > VERSION) {
        return Err(Error::new(
            ErrorKind::Store,
            format!(
                "{} was written by a newer labeler-tui",
                display_path.display()
            ),
        )
        .with_hint("update labeler-tui, or choose another --outdir"));
    }
    Ok(())
}

fn not_ours(display_path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!(
            "{} is not a journal of labeler-tui: {}",
            display_path.display(),
            crate::text::for_line(why)
        ),
    )
    .with_hint(
        "if it belongs to another program, choose another --outdir; if it was a journal, \
`labeler-tui journal restore` or `journal rebuild` replaces it and keeps a copy",
    )
}

/// Rejects a log that is not based on the generation in the main file.
fn check_log(db: &Connection, main: Option<&str>, display_path: &Path) -> Result<()> {
    let Some(main) = main else {
        // An early version had no generation, or a checkpoint was interrupted. `quick_check`
        // follows.
        return Ok(());
    };
    // Damaged pages may be unreadable; `quick_check` reports them.
    let known = |key| meta::get(db, key).unwrap_or_default();
    let (base, generation) = (known(LOG_BASE), known(GENERATION));
    let is_known_state = [&base, &generation]
        .into_iter()
        .flatten()
        .any(|known| known == main);
    // Power was lost during a checkpoint.
    let is_between = base
        .zip(generation)
        .is_some_and(|(base, generation)| is_torn_between(main, &base, &generation));
    if is_known_state || is_between {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Store,
        format!(
            "{0} and {0}-wal belong to different states: one of them was copied or replaced \
             without the other",
            display_path.display()
        ),
    )
    .with_hint(format!(
        "nothing was changed; `labeler-tui journal restore {0} --outdir {1}` uses {0} \
without the log, `labeler-tui journal rebuild --outdir {1}` saves what it can from both; \
each keeps a copy of the present files",
        display_path.display(),
        display_path.parent().unwrap_or(display_path).display()
    )))
}

/// Starts a new generation, so that the log of this run can be told from others, see the module.
///
/// A run may be killed at any step: the generation in the main file is always the log's base or the
/// generation in the log.
pub fn begin_generation(db: &Connection) -> Result<()> {
    if !checkpoint(db)? {
        return Ok(());
    }
    let generation = new_generation();
    unsynced(db, || {
        let transaction = db
            .unchecked_transaction()
            .map_err(journal_error("preparing the journal"))?;
        if let Some(before) = meta::get(db, GENERATION)? {
            meta::set(db, LOG_BASE, &before)?;
        }
        meta::set(db, GENERATION, &generation)?;
        transaction
            .commit()
            .map_err(journal_error("preparing the journal"))
    })?;
    if checkpoint(db)? {
        unsynced(db, || meta::set(db, LOG_BASE, &generation))?;
    }
    Ok(())
}

/// Writes to an empty log without syncing. The log is synced before a checkpoint and with the first
/// saved step; a power failure before that leaves it empty.
fn unsynced(db: &Connection, write: impl FnOnce() -> Result<()>) -> Result<()> {
    let preparing = journal_error("preparing the journal");
    let level: i64 = db
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .and_then(|level| db.pragma_update(None, "synchronous", "OFF").map(|()| level))
        .map_err(&preparing)?;
    let written = write();
    db.pragma_update(None, "synchronous", level)
        .map_err(&preparing)?;
    written
}

/// Checkpoints the log into the main file and empties it. Returns false if a reader prevents it.
fn checkpoint(db: &Connection) -> Result<bool> {
    let busy: bool = db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(journal_error("preparing the journal"))?;
    Ok(!busy)
}

fn new_generation() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Whether a text has the form of a generation; a torn page may hold another text.
fn is_generation(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `text` consists of the beginning of one and the end of the other. That happens when
/// power is lost while a page with one replaces a page with the other (a torn write).
fn is_torn_between(text: &str, one: &str, other: &str) -> bool {
    let [text, one, other] = [text, one, other].map(str::as_bytes);
    let common_prefix = |a: &[u8]| text.iter().zip(a).take_while(|(x, y)| x == y).count();
    let common_suffix = |a: &[u8]| {
        let pairs = text.iter().rev().zip(a.iter().rev());
        pairs.take_while(|(x, y)| x == y).count()
    };
    let is_joined = |a, b| common_prefix(a) + common_suffix(b) >= text.len();
    let have_equal_length = one.len() == text.len() && other.len() == text.len();
    have_equal_length && (is_joined(one, other) || is_joined(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_generation_joins_the_old_and_the_new_one() {
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
