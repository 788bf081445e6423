//! Errors of the file system in an outdir, with what to do about them.

use crate::error::{Error, ErrorKind};
use std::io;
use std::path::Path;

pub(crate) const FULL: &str = "free some space and start again; everything up to here is saved";
pub(crate) const NOT_WRITABLE: &str = "give write permission, or choose another --outdir";
pub(crate) const FAILING: &str =
    "look at the disk and its free space, then start again; everything up to here is saved";

/// For `map_err`: an error of the file system while something was done to `path`.
pub(crate) fn file<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
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
