//! Turns errors of SQLite into ours, with what to do about them.

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

/// For `map_err`: an error of the journal while `what` was being done.
pub fn doing(what: &str) -> impl Fn(rusqlite::Error) -> Error {
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
        let ours = Error::new(ErrorKind::Store, format!("journal, {what}: {error}"));
        match hint {
            Some(hint) => ours.with_said_hint(hint),
            None => ours,
        }
    }
}

/// Whether the file system has no locks, or no memory that processes share.
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

/// What the journal holds cannot be read back.
pub fn unreadable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Store, format!("journal, {what}: {error}")).with_said_hint(BROKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_from_a_full_or_failing_disk() {
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
                doing("opening")(error).hint.as_deref(),
                Some(hint.english),
                "{code}"
            );
        }
    }
}
