//! The files of an outdir: their names, and how they are opened so that nothing outside is written.
//!
//! An outdir may come out of an archive, or lie where others can write. A link under one of our
//! names would send what we write somewhere else, so that files written in place are never reached
//! through one: neither a symbolic link nor a second name of the same file (a hard link).

mod aside;
mod errors;
mod notice;
mod words;

pub use aside::keep_lines;
pub(crate) use errors::{FAILING, FULL, NO_LOCKS, NOT_WRITABLE, file};
pub use notice::{FileNotice, KeptBecause};
pub use words::{WORDS, read_words, write_words};

use crate::error::{Error, ErrorKind, Result};
use crate::platform;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

pub const LABELS: &str = "labels.jsonl";
pub const PARQUET: &str = "labels.parquet";
pub const ERRORS: &str = "labels_errors.jsonl";
pub const JOURNAL: &str = "journal.sqlite";
/// SQLite's own files beside the journal; without the first, the journal lacks its newest steps.
pub const JOURNAL_LOGS: [&str; 2] = ["journal.sqlite-wal", "journal.sqlite-shm"];
pub const LOG: &str = "labeler.log";
pub const LOCK: &str = "labeler.lock";
/// Lines of an earlier `labels.jsonl` that cannot be read, byte for byte.
pub const UNREAD: &str = "labels_unread.jsonl";
/// Lines of a `labels.jsonl` that another line or record stands for now, byte for byte.
pub const KEPT: &str = "labels_kept.jsonl";

/// Written in place, for as long as there are rows to add.
const IN_PLACE: [&str; 7] = [
    LOCK,
    LOG,
    JOURNAL,
    JOURNAL_LOGS[0],
    JOURNAL_LOGS[1],
    UNREAD,
    KEPT,
];

/// A longer path of an outdir cannot be opened by SQLite, whose limit is 512 bytes with the names of
/// its files.
const LONGEST: usize = 450;

/// Makes the folder where it is not there.
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
            let cause = format!("{} is not a folder, or lies in a file", outdir.display());
            Err(Error::new(ErrorKind::Store, cause).with_hint("choose another --outdir"))
        }
        Err(error) => Err(file("creating", outdir)(error)),
    }
}

fn refuse_long(outdir: &Path) -> Result<()> {
    let whole = std::path::absolute(outdir).unwrap_or_else(|_| outdir.to_owned());
    // Links count with where they lead to.
    let (there, canonical) = whole
        .ancestors()
        .find_map(|folder| Some((folder, folder.canonicalize().ok()?)))
        .unwrap_or((&whole, whole.clone()));
    let rest = whole.strip_prefix(there).unwrap_or(Path::new(""));
    let length = canonical.join(rest).as_os_str().len();
    if length <= LONGEST {
        return Ok(());
    }
    let cause = format!("the path of the outdir has {length} bytes, more than {LONGEST}");
    Err(Error::new(ErrorKind::Usage, cause).with_hint("choose an --outdir with a shorter path"))
}

/// Checks, before anything is written, that writing under `outdir` changes no other file: none of
/// our names is a link to somewhere else, and none of them is the source that is read.
/// `replaced` are the names of files that an export replaces as a whole.
pub fn check(outdir: &Path, source: Option<&Path>, replaced: &[&str]) -> Result<()> {
    refuse_long(outdir)?;
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

/// Opens a file that is written in place; creates it by the umask where it is not there.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File> {
    if let Some(about) = lstat(path)? {
        refuse_foreign(path, &about)?;
    }
    let opened = platform::no_follow(options)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(file("opening", path))?;
    let about = opened.metadata().map_err(file("opening", path))?;
    refuse_foreign(path, &about)?;
    Ok(opened)
}

/// Refuses what is not a file: a pipe or a device may be read without an end.
pub fn refuse_irregular(path: &Path) -> Result<()> {
    let about = std::fs::metadata(path).map_err(file("reading", path))?;
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
        Err(error) => Err(file("looking at", path)(error)),
    }
}

/// An outdir that is a file has nothing inside; creating it says so.
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
            "{} {what}, and writing it could change a file elsewhere",
            path.display()
        ),
    )
    .with_hint("replace it with a copy of its own, move it away, or choose another --outdir"))
}

/// A user's own link to a file of the same kind is fine: the export follows it.
fn refuse_other_kind(path: &Path) -> Result<()> {
    let Some(about) = lstat(path)? else {
        return Ok(());
    };
    if !about.file_type().is_symlink() {
        return refuse_irregular(path);
    }
    let target = std::fs::canonicalize(path)
        .or_else(|_| std::fs::read_link(path))
        .map_err(file("looking at", path))?;
    if target.extension() == path.extension() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "{} is a symbolic link to {}, which is a file of another kind",
            path.display(),
            target.display()
        ),
    )
    .with_hint("remove the link, or choose another --outdir"))
}

/// A source under one of our names would be replaced by the first export.
fn refuse_source(outdir: &Path, source: &Path, replaced: &[&str]) -> Result<()> {
    // A source that is not there is reported where it is opened.
    let Ok(read) = std::fs::metadata(source) else {
        return Ok(());
    };
    for name in IN_PLACE.iter().chain(replaced) {
        let path = outdir.join(name);
        // Through links: an export that is a link is written where it leads.
        let Ok(written) = std::fs::metadata(&path) else {
            continue;
        };
        let same = match (platform::file_id(&written), platform::file_id(&read)) {
            (Some(written), Some(read)) => written == read,
            _ => std::fs::canonicalize(&path).ok() == std::fs::canonicalize(source).ok(),
        };
        if same {
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

/// Makes a rename or a new file in the folder outlast a power failure.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    platform::sync_folder(folder).map_err(file("syncing", folder))
}
