//! Converts SQLite errors into [`Error`]s with hints.

use crate::error::{Error, ErrorKind};
use crate::outdir::{FAILING, FULL, NO_LOCKS, NOT_WRITABLE};
use crate::text::Phrase;
use rusqlite::{ErrorCode, ffi};

pub const BROKEN: Phrase = Phrase::new(
    "`labeler-tui journal check` says what is wrong; `journal restore FILE` brings a backup back, \
     `journal rebuild` saves what can be read. Do not copy or delete journal.sqlite by hand: \
     journal.sqlite-wal and -shm belong to it",
    "`labeler-tui journal check`로 무엇이 잘못되었는지 봅니다. `journal restore FILE`로 백업을 되살리고, \
     `journal rebuild`로 읽을 수 있는 것을 살립니다. journal.sqlite-wal과 -shm이 딸려 있으니 \
     journal.sqlite를 손으로 복사하거나 지우지 마세요",
);

/// For `map_err`: converts an error that occurred during `what`, such as `reading a group`.
pub fn journal_error(what: &str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        let hint = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Some(FULL),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Some(NOT_WRITABLE)
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed)
                if lacks_locks(&error) =>
            {
                Some(NO_LOCKS)
            }
            Some(ErrorCode::SystemIoFailure) => Some(FAILING),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Some(BROKEN),
            _ => None,
        };
        let converted = Error::new(ErrorKind::Store, format!("journal, {what}: {error}"));
        match hint {
            Some(hint) => converted.with_said_hint(hint),
            None => converted,
        }
    }
}

/// Whether the file system lacks locks or shared memory.
fn lacks_locks(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        extended,
        Some(
            ffi::SQLITE_IOERR_LOCK
                | ffi::SQLITE_IOERR_RDLOCK
                | ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_IOERR_SHMMAP
                | ffi::SQLITE_PROTOCOL
        )
    )
}

/// An error for stored data that cannot be parsed.
pub fn unreadable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Store, format!("journal, {what}: {error}")).with_said_hint(BROKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_locks_full_disk_and_failing_disk_have_different_hints() {
        for (code, hint) in [
            (ffi::SQLITE_IOERR_SHMMAP, NO_LOCKS),
            (ffi::SQLITE_IOERR_LOCK, NO_LOCKS),
            (ffi::SQLITE_PROTOCOL, NO_LOCKS),
            (ffi::SQLITE_IOERR_WRITE, FAILING),
            (ffi::SQLITE_IOERR_SHMSIZE, FAILING),
            (ffi::SQLITE_FULL, FULL),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(
                journal_error("opening")(error).hint.as_deref(),
                Some(hint.english),
                "{code}"
            );
        }
    }
}
