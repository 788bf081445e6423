//! The files of an outdir: their names, and how to open them without writing outside the outdir.
//!
//! An outdir may come from an archive, or others may be able to write to it. A link under one of
//! our names would redirect what we write. So files that are written in place are never opened
//! through a symbolic link, and never if they have a second name (a hard link).

mod aside;
mod errors;
mod own;
mod vocabulary;

pub use aside::{free_path, keep_lines};
pub(crate) use errors::{FAILING, FULL, NO_LOCKS, NOT_WRITABLE, file_error};
pub(crate) use own::{
    APPLICATION_ID, EXPORT_LOCK, EXPORT_STATE, PROGRAM, is_outdir, is_own_file, is_own_folder,
};
pub use vocabulary::{VOCABULARY, read_vocabulary, write_vocabulary};

use crate::error::{Error, ErrorKind, Result};
use crate::platform;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

pub const LABELS: &str = "labels.jsonl";
pub const PARQUET: &str = "labels.parquet";
pub const ERRORS: &str = "labels_errors.jsonl";
/// Files that exports replace.
pub const EXPORTED: [&str; 3] = [LABELS, ERRORS, PARQUET];
pub const JOURNAL: &str = "journal.sqlite";
/// SQLite's files beside the journal. The first has the newest steps until a checkpoint.
pub const JOURNAL_LOGS: [&str; 2] = ["journal.sqlite-wal", "journal.sqlite-shm"];
pub const LOG: &str = "labeler.log";
pub const LOCK: &str = "labeler.lock";
/// Unreadable lines of an imported `labels.jsonl`, byte for byte.
pub const UNREAD: &str = "labels_unread.jsonl";
/// Lines that another line or record replaced, byte for byte.
pub const KEPT: &str = "labels_kept.jsonl";

/// Files that are written in place rather than replaced.
const IN_PLACE: [&str; 7] = [
    LOCK,
    LOG,
    JOURNAL,
    JOURNAL_LOGS[0],
    JOURNAL_LOGS[1],
    UNREAD,
    KEPT,
];

/// Maximum length of an outdir's path in bytes. SQLite's limit is 512, including the file name.
const MAX_PATH_BYTES: usize = 450;

/// Creates the folder if it does not exist.
pub fn create(outdir: &Path) -> Result<()> {
    refuse_long(outdir)?;
    match std::fs::create_dir_all(outdir) {
        Ok(()) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(not_a_folder(outdir))
        }
        Err(error) => Err(file_error("creating", outdir)(error)),
    }
}

fn not_a_folder(outdir: &Path) -> Error {
    let cause = format!("{} is not a folder, or is inside a file", outdir.display());
    Error::new(ErrorKind::Store, cause).with_hint("choose another --outdir")
}

fn refuse_long(outdir: &Path) -> Result<()> {
    let absolute = std::path::absolute(outdir).unwrap_or_else(|_| outdir.to_owned());
    // Symbolic links count with the length of their targets.
    let (existing, canonical) = absolute
        .ancestors()
        .find_map(|folder| Some((folder, folder.canonicalize().ok()?)))
        .unwrap_or((&absolute, absolute.clone()));
    let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
    let length = canonical.join(rest).as_os_str().len();
    if length <= MAX_PATH_BYTES {
        return Ok(());
    }
    let cause = format!("the path of the outdir has {length} bytes, more than {MAX_PATH_BYTES}");
    Err(Error::new(ErrorKind::Usage, cause).with_hint("choose an --outdir with a shorter path"))
}

/// Checks, before anything is written, that writing in `outdir` changes no other file: none of our
/// names is a link to another file, and none is the source. `replaced` are the names of files that
/// exports replace.
pub fn check(outdir: &Path, source: Option<&Path>, replaced: &[&str]) -> Result<()> {
    refuse_long(outdir)?;
    match std::fs::metadata(outdir) {
        Ok(about) if !about.is_dir() => return Err(not_a_folder(outdir)),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(not_a_folder(outdir));
        }
        _ => {}
    }
    if let Some(source) = source {
        refuse_source(outdir, source, replaced)?;
    }
    for name in IN_PLACE {
        let path = outdir.join(name);
        if let Some(about) = lstat(&path)? {
            refuse_foreign(&path, &about)?;
        }
    }
    for name in replaced {
        refuse_other_kind(&outdir.join(name))?;
    }
    Ok(())
}

/// Opens a file that is written in place. Creates it with the umask if it does not exist.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File> {
    if let Some(about) = lstat(path)? {
        refuse_foreign(path, &about)?;
    }
    let opened = platform::no_follow(options)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(file_error("opening", path))?;
    let about = opened.metadata().map_err(file_error("opening", path))?;
    refuse_foreign(path, &about)?;
    Ok(opened)
}

/// Rejects anything but a regular file: reading a pipe or a device may never end.
pub fn refuse_irregular(path: &Path) -> Result<()> {
    let about = std::fs::metadata(path).map_err(file_error("reading", path))?;
    match about.is_file() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Usage,
            format!("{} is not a regular file", path.display()),
        )),
    }
}

fn lstat(path: &Path) -> Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(file_error("examining", path)(error)),
    }
}

/// Whether a file does not exist, even because its folder is a file.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn refuse_foreign(path: &Path, about: &Metadata) -> Result<()> {
    let kind = about.file_type();
    let what = if kind.is_symlink() {
        "is a symbolic link"
    } else if !kind.is_file() {
        "is not a regular file"
    } else if platform::link_count(about) > 1 {
        "has a second name (a hard link)"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Store,
        format!(
            "{} {what}, and writing to it could change another file",
            path.display()
        ),
    )
    .with_hint("replace it with a copy, move it away, or choose another --outdir"))
}

/// Rejects a link to a file of another type. An export follows a user's link to a file of the same
/// type.
fn refuse_other_kind(path: &Path) -> Result<()> {
    let Some(about) = lstat(path)? else {
        return Ok(());
    };
    if !about.file_type().is_symlink() {
        return refuse_irregular(path);
    }
    let target = std::fs::canonicalize(path)
        .or_else(|_| std::fs::read_link(path))
        .map_err(file_error("examining", path))?;
    if target.extension() == path.extension() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "{} is a symbolic link to {}, which is a file of another type",
            path.display(),
            target.display()
        ),
    )
    .with_hint("remove the link, or choose another --outdir"))
}

/// Rejects a source under one of our names, which the first export would replace.
fn refuse_source(outdir: &Path, source: &Path, replaced: &[&str]) -> Result<()> {
    for name in IN_PLACE.iter().chain(replaced) {
        let path = outdir.join(name);
        // Follows links, as exports do. A missing source is reported when it is opened.
        if platform::is_same(&path, source) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "the source {} is the file {}, which this run would write",
                    source.display(),
                    path.display()
                ),
            )
            .with_hint("rename the source, or choose another --outdir"));
        }
    }
    Ok(())
}

/// Syncs a folder, so that a rename or a new file in it survives a power failure.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    platform::sync_folder(folder).map_err(file_error("syncing", folder))
}
