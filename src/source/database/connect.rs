//! Opens a collector's database without leaving a trace beside it.

use crate::error::{Error, Result};
use crate::platform;
use crate::source::reading::{absolute, cannot_open, cannot_read};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a query waits for somebody else's to end.
const BUSY: Duration = Duration::from_secs(30);
/// Whoever writes locks bytes from here on; so many of them.
const LOCK_BYTES: (u64, u64) = (0x4000_0000, 512);
/// Whoever has a database with a log open locks this byte of the `-shm` file.
const OPEN_BYTE: (u64, u64) = (128, 1);

/// How a database is opened.
enum Way {
    /// With the locks of all who use it.
    Shared,
    /// Nobody has it open: as if it could not change.
    Immutable,
    /// Nobody has it open, and changes stand in its log: with an index of the log in memory, where
    /// others have the file that would be left.
    Log,
}

/// A connection that only reads, and whether it does so without the locks of others; `None` where
/// somebody else holds the database.
pub fn connect(path: &Path) -> Result<Option<(Connection, bool)>> {
    let way = way(path)?;
    let parameters = match way {
        Way::Shared => "mode=ro".to_owned(),
        Way::Immutable => "mode=ro&immutable=1".to_owned(),
        // An index in memory needs the database for itself, which a file that is only read cannot
        // be locked for.
        Way::Log => format!("mode=ro&vfs={}", platform::LOCKLESS_VFS),
    };
    let uri = format!("file:{}?{parameters}", percent_encoded(&absolute(path)?));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(uri, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        if matches!(way, Way::Log) {
            connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
            // Else closing it writes the log into the database and deletes it.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    };
    match open() {
        Ok(connection) => Ok(Some((connection, !matches!(way, Way::Shared)))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// What SQLite says of a database, and what to do.
pub fn unreadable(path: &Path, error: &rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "--db takes the SQLite file that the collector wrote",
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

fn way(path: &Path) -> Result<Way> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(20).read_to_end(&mut head))
        .map_err(|error| cannot_open(path, &error))?;
    let uses_log = head.get(18..20) == Some(&[2, 2]);
    if !uses_log || is_in_use(path) {
        return Ok(Way::Shared);
    }
    let log = fs::metadata(beside(path, "-wal"));
    Ok(match log.map_or(0, |metadata| metadata.len()) {
        0 => Way::Immutable,
        _ => Way::Log,
    })
}

/// Whether somebody else has a database with a log open.
pub fn is_in_use(path: &Path) -> bool {
    lock_owner(&beside(path, "-shm"), OPEN_BYTE).is_some()
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Who writes to a database.
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

/// The process that has locked some of these bytes of a file against writing.
fn lock_owner(file: &Path, bytes: (u64, u64)) -> Option<i32> {
    platform::lock_owner(&File::open(file).ok()?, bytes)
}

fn percent_encoded(path: &Path) -> String {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|&byte| match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
