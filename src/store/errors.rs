//! Turns errors of SQLite into ours, with what to do about them.

use crate::error::{Error, ErrorKind};
use crate::outdir::{FAILING, FULL, NOT_WRITABLE};
use crate::text::Phrase;
use rusqlite::ErrorCode;

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

/// What the journal holds cannot be read back.
pub fn unreadable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Store, format!("journal, {what}: {error}")).with_said_hint(BROKEN)
}
