//! Turns errors of SQLite and of the file system into ours, with what to do about them.

use crate::error::{Error, ErrorKind};
use rusqlite::ErrorCode;
use std::io;
use std::path::Path;

const FULL: &str = "free some space and start again; everything up to here is saved";
const NOT_WRITABLE: &str = "give write permission, or choose another --outdir";
const FAILING: &str =
    "look at the disk and its free space, then start again; everything up to here is saved";
pub(super) const BROKEN: &str = "`labeler-tui journal check` says what is wrong; `journal restore FILE` \
    brings a backup back, `journal rebuild` saves what can be read. Do not copy or delete \
    journal.sqlite by hand: journal.sqlite-wal and -shm belong to it";

/// For `map_err`: an error of the journal while `what` was being done.
pub(super) fn doing(what: &str) -> impl Fn(rusqlite::Error) -> Error {
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
            Some(hint) => ours.with_hint(hint),
            None => ours,
        }
    }
}

/// For `map_err`: an error of the file system while something was done to `path`.
pub(super) fn file<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |error| {
        let ours = Error::new(
            ErrorKind::Store,
            format!("{what} {}: {error}", path.display()),
        );
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => ours.with_hint(FULL),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ours.with_hint(NOT_WRITABLE)
            }
            _ => ours,
        }
    }
}

/// What the journal holds cannot be read back.
pub(super) fn unreadable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Store, format!("journal, {what}: {error}")).with_hint(BROKEN)
}
