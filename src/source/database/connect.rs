//! Opens a collector's database read-only, without leaving files beside it.

use crate::error::{Error, Result};
use crate::platform;
use crate::source::reading::{absolute, cannot_open, cannot_read};
use crate::text::percent_encoded;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a query waits for another program's lock.
const BUSY: Duration = Duration::from_secs(30);
/// Bytes that a writer locks: start and length.
const LOCK_BYTES: (u64, u64) = (0x4000_0000, 512);
/// Byte of the `-shm` file that every user of a WAL database locks.
const OPEN_BYTE: (u64, u64) = (128, 1);

const NOT_A_DATABASE: &str = "--db must be the SQLite file that the collector wrote";

/// How to open a database.
enum OpenMode {
    /// With the usual locks.
    Shared,
    /// As immutable, because no other program has it open.
    Immutable,
    /// With the WAL index in memory instead of a `-shm` file, because the WAL contains changes
    /// and no other program has the database open.
    Wal,
}

/// Opens a read-only connection, and tells whether it ignores locks. `None` if another program has
/// locked the database.
pub fn connect(path: &Path) -> Result<Option<(Connection, bool)>> {
    let mode = open_mode(path)?;
    let parameters = match mode {
        OpenMode::Shared => "mode=ro".to_owned(),
        OpenMode::Immutable => "mode=ro&immutable=1".to_owned(),
        // A WAL index in memory needs an exclusive lock, which a read-only file cannot have.
        OpenMode::Wal => format!("mode=ro&vfs={}", platform::LOCKLESS_VFS),
    };
    let uri = format!("file:{}?{parameters}", percent_encoded(&absolute(path)?));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(uri, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        if matches!(mode, OpenMode::Wal) {
            connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
            // Otherwise closing writes the WAL back into the database and deletes it.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    };
    match open() {
        Ok(connection) => Ok(Some((connection, !matches!(mode, OpenMode::Shared)))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Converts an SQLite error and adds a hint.
pub fn unreadable(path: &Path, error: &rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => NOT_A_DATABASE,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let holder = holder(path);
            let hint = format!("{holder} is writing to it: wait until that is done, or copy it");
            return cannot_read(path, error).with_hint(hint);
        }
        _ => {
            "if the collector was stopped half-way, copy the database with its -wal and -journal \
             files to a folder that you can write to, and open the copy with SQLite once"
        }
    };
    cannot_read(path, error).with_hint(hint)
}

fn open_mode(path: &Path) -> Result<OpenMode> {
    let mut head = Vec::new();
    platform::open_to_read(path)
        .and_then(|file| file.take(20).read_to_end(&mut head))
        .map_err(|error| cannot_open(path, &error))?;
    if head.is_empty() {
        return Err(cannot_read(path, "it is empty").with_hint(NOT_A_DATABASE));
    }
    let uses_wal = head.get(18..20) == Some(&[2, 2]);
    if !uses_wal || is_in_use(path) {
        return Ok(OpenMode::Shared);
    }
    let wal = fs::metadata(beside(path, "-wal"));
    Ok(match wal.map_or(0, |metadata| metadata.len()) {
        0 => OpenMode::Immutable,
        _ => OpenMode::Wal,
    })
}

/// Whether another program has a WAL database open.
pub fn is_in_use(path: &Path) -> bool {
    lock_owner(&beside(path, "-shm"), OPEN_BYTE).is_some()
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Describes the process that has locked a database.
pub fn holder(path: &Path) -> String {
    let process =
        lock_owner(path, LOCK_BYTES).or_else(|| lock_owner(&beside(path, "-shm"), OPEN_BYTE));
    let Some(process) = process else {
        return "another program".to_owned();
    };
    match platform::process_name(process) {
        Some(name) => format!("{} (process {process})", crate::text::for_line(name.trim())),
        None => format!("process {process}"),
    }
}

fn lock_owner(file: &Path, bytes: (u64, u64)) -> Option<i32> {
    platform::lock_owner(&platform::open_to_read(file).ok()?, bytes)
}
