//! Moves, checks and rebuilds a journal without losing what it holds. All of it needs the lock.
//!
//! A journal is replaced by one rename; the present one and SQLite's log beside it are copied aside
//! before. Cut off between the rename and the removal of the old log, the next start notices that
//! the two do not belong together, since the new journal names itself.

mod contents;
mod reading;
mod replay;
mod salvage;

pub use reading::copy_to_read;
pub use replay::{
    Replayed, RunStep, RunStepKind, files_to_restore, is_run_file, replay, rescued_files,
};
pub use salvage::{Rebuilt, rebuild};

use super::Journal;
use super::database::lock::Lock;
use super::database::open::{begin_generation, damaged, log_name, open, open_copy, structure};
use super::database::schema::migrate;
use super::errors::doing;
use super::import::file_sha256;
use super::tables::meta;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{self, JOURNAL, JOURNAL_LOGS, file, sync_folder};
use crate::platform;
use crate::record::Vocabulary;
use crate::text::file_stamp;
use replay::{RESCUED, restored_key};
use rusqlite::Connection;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Folders of this prefix hold copies that are being looked into.
const STAGING: &str = ".labeler-journal-";
/// How the names of copies of a journal begin.
const COPIES: [&str; 3] = ["journal_kept_", "journal.replaced-", RESCUED];
/// Rows that cannot be read are told one by one up to so many.
const TOLD: usize = 20;

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// Where the journal of before is, if there was one.
    pub kept: Option<PathBuf>,
    /// The backup had a log beside it that belongs to another state, and was left out.
    pub without_log: bool,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is wrong.
    pub problems: Vec<String>,
    /// The journal as it was looked at; none where it cannot be opened.
    pub copy: Option<JournalCopy>,
}

/// A copy of a journal, to look into; removed when dropped.
#[derive(Debug)]
pub struct JournalCopy {
    pub journal: Journal,
    _folder: TempDir,
    /// Of the outdir that it is a copy from, where nobody may work on that meanwhile.
    _lock: Option<Lock>,
}

/// Writes the whole journal of `outdir` into a new file, which is there only once it is complete.
pub fn backup(outdir: &Path, target: &Path) -> Result<()> {
    let _lock = lock(outdir)?;
    if target.symlink_metadata().is_ok() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{} is there already", target.display()),
        )
        .with_hint("give another name; a backup replaces no file"));
    }
    let saving = format!("writing {}", target.display());
    let db = open(outdir)?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    platform::set_file_mode(builder.prefix(STAGING));
    let temporary = builder
        .tempfile_in(folder)
        .map_err(file("writing in", folder))?;
    let mut copy = Connection::open(temporary.path()).map_err(doing(&saving))?;
    rusqlite::backup::Backup::new(&db, &mut copy)
        .and_then(|backup| backup.run_to_completion(1024, Duration::ZERO, None))
        // One file, without a log beside it.
        .and_then(|()| copy.pragma_update(None, "journal_mode", "DELETE"))
        .map_err(doing(&saving))?;
    refuse_damaged(&copy, &outdir.join(JOURNAL), "quick_check")?;
    drop(copy);
    temporary
        .as_file()
        .sync_all()
        .map_err(file("writing", target))?;
    temporary
        .persist_noclobber(target)
        .map_err(|error| file("writing", target)(error.error))?;
    sync_folder(folder)
}

/// Makes a backup the journal of `outdir`; the present journal is kept beside it.
pub fn restore(outdir: &Path, from: &Path) -> Result<Restored> {
    let _lock = lock_any(outdir)?;
    if !from.exists() {
        return Err(nothing_to_restore(outdir, from));
    }
    let staged = Staged::copy(outdir, from)?;
    let (db, without_log) = match open_copy(&staged.path, from) {
        Ok(db) => (db, false),
        Err(first) => {
            if !staged.drop_log()? {
                return Err(first);
            }
            (open_copy(&staged.path, from)?, true)
        }
    };
    refuse_damaged(&db, from, "integrity_check")?;
    if let Some(first) = orphans(&db).map_err(doing("checking the backup"))?.first() {
        return Err(damaged(from, first));
    }
    begin_generation(&db)?;
    if let Some(sha256) = file_sha256(from)? {
        meta::set(&db, &restored_key(&sha256), "yes")?;
    }
    db.pragma_update(None, "journal_mode", "DELETE")
        .map_err(doing("preparing the backup"))?;
    drop(db);
    let kept = staged.install(outdir)?;
    Ok(Restored { kept, without_log })
}

/// A file to restore that is not there; the hint names those that are.
fn nothing_to_restore(outdir: &Path, from: &Path) -> Error {
    let entries = std::fs::read_dir(outdir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names
        .filter(|name| COPIES.iter().any(|begin| name.starts_with(begin)))
        .filter(|name| name.ends_with(".sqlite") || name.ends_with(".jsonl"))
        .map(|name| outdir.join(name).display().to_string())
        .collect();
    found.sort();
    let hint = match found.is_empty() {
        true => "give a file that `labeler-tui journal backup` wrote, or, without one, use \
                 `labeler-tui journal rebuild`"
            .to_owned(),
        false => format!(
            "give a file that `labeler-tui journal backup` wrote, or one of {}",
            found.join(", ")
        ),
    };
    let cause = format!("there is no file {}", from.display());
    Error::new(ErrorKind::Usage, cause).with_hint(hint)
}

/// Looks through the journal of `outdir`; changes nothing.
pub fn check(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Checked> {
    let lock = lock(outdir)?;
    let shown = outdir.join(JOURNAL);
    let mut found = Checked::default();
    if let Err(error) = outdir::check(outdir, None, &[]) {
        found.problems.push(error.cause);
        return Ok(found);
    }
    let staged = Staged::copy(outdir, &shown)?;
    let mut db = match open_copy(&staged.path, &shown) {
        Ok(db) => db,
        Err(error) => {
            found.problems.push(error.cause);
            return Ok(found);
        }
    };
    match structure(&db, "integrity_check") {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(error.to_string()),
    }
    match orphans(&db) {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(error.to_string()),
    }
    // A copy may be brought up to date.
    match migrate(&mut db) {
        Ok(()) => match contents::unreadable(&db) {
            Ok(rows) => {
                let first = rows.iter().take(TOLD).map(ToString::to_string);
                found.problems.extend(first);
                if rows.len() > TOLD {
                    let more = rows.len() - TOLD;
                    found
                        .problems
                        .push(format!("{more} more rows cannot be read"));
                }
            }
            Err(error) => found.problems.push(error.cause),
        },
        Err(error) => found.problems.push(error.to_string()),
    }
    drop(db);
    if found.problems.is_empty() {
        let folder = staged.folder;
        found.copy = Some(JournalCopy {
            journal: Journal::lock(folder.path(), vocabulary)?,
            _folder: folder,
            _lock: Some(lock),
        });
    }
    Ok(found)
}

/// The lock of an outdir that has a journal.
fn lock(outdir: &Path) -> Result<Lock> {
    refuse_empty(outdir)?;
    lock_any(outdir)
}

fn refuse_empty(outdir: &Path) -> Result<()> {
    if outdir.join(JOURNAL).symlink_metadata().is_err() {
        return Err(Error::new(
            ErrorKind::Store,
            format!("there is no {JOURNAL} in {}", outdir.display()),
        )
        .with_hint("give the folder of an earlier run with --outdir"));
    }
    Ok(())
}

fn lock_any(outdir: &Path) -> Result<Lock> {
    let lock = Lock::take(outdir)?;
    remove_leftovers(outdir);
    Ok(lock)
}

/// Copies of a command that was killed; without the lock nobody else makes any.
fn remove_leftovers(outdir: &Path) {
    for entry in std::fs::read_dir(outdir).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(STAGING);
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Where it cannot be removed, it only takes up space.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A journal being prepared in a folder of its own inside the outdir.
struct Staged {
    /// Removed with everything in it when dropped.
    folder: TempDir,
    path: PathBuf,
}

impl Staged {
    /// Where a journal is to be made.
    fn folder(outdir: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(outdir)
            .map_err(file("writing in", outdir))?;
        Ok(Self {
            path: folder.path().join(JOURNAL),
            folder,
        })
    }

    /// An empty file, which SQLite would create without regard to the umask.
    fn empty(outdir: &Path) -> Result<Self> {
        let staged = Self::folder(outdir)?;
        File::create_new(&staged.path).map_err(file("writing", &staged.path))?;
        Ok(staged)
    }

    /// A copy of a database and of the log beside it.
    fn copy(outdir: &Path, from: &Path) -> Result<Self> {
        let staged = Self::folder(outdir)?;
        staged.fill(from)?;
        Ok(staged)
    }

    fn fill(&self, from: &Path) -> Result<()> {
        copy_into(from, &self.path)?;
        let log = from.with_file_name(log_name(from));
        match log.exists() {
            true => copy_into(&log, &self.log()),
            false => Ok(()),
        }
    }

    fn log(&self) -> PathBuf {
        self.path.with_file_name(log_name(&self.path))
    }

    /// Removes the log; tells whether there was one.
    fn drop_log(&self) -> Result<bool> {
        let log = self.log();
        let shared = self.path.with_file_name(JOURNAL_LOGS[1]);
        remove(&shared)?;
        remove(&log)
    }

    /// Makes this the journal, in one step; where the one of before is kept.
    fn install(self, outdir: &Path) -> Result<Option<PathBuf>> {
        let target = outdir.join(JOURNAL);
        let kept = keep_present(outdir)?;
        if let Ok(before) = std::fs::symlink_metadata(&target)
            && before.is_file()
        {
            std::fs::set_permissions(&self.path, before.permissions())
                .map_err(file("writing", &self.path))?;
        }
        File::open(&self.path)
            .and_then(|staged| staged.sync_all())
            .map_err(file("writing", &self.path))?;
        std::fs::rename(&self.path, &target).map_err(file("replacing", &target))?;
        sync_folder(outdir)?;
        // They go on from the journal of before, and are kept with it.
        for log in JOURNAL_LOGS {
            remove(&outdir.join(log))?;
        }
        sync_folder(outdir)?;
        Ok(kept)
    }
}

/// Copies the present journal aside, under the date, with its log beside it.
fn keep_present(outdir: &Path) -> Result<Option<PathBuf>> {
    let present = outdir.join(JOURNAL);
    if !present.exists() {
        return Ok(None);
    }
    let stamp = file_stamp(jiff::Timestamp::now());
    let free = (0..)
        .map(|n| match n {
            0 => format!("journal_kept_{stamp}.sqlite"),
            n => format!("journal_kept_{stamp}_{n}.sqlite"),
        })
        .map(|name| outdir.join(name))
        .find(|path| path.symlink_metadata().is_err());
    let Some(kept) = free else {
        return Ok(None);
    };
    copy_into(&present, &kept)?;
    let log = outdir.join(JOURNAL_LOGS[0]);
    if std::fs::metadata(&log).is_ok_and(|about| about.len() > 0) {
        let beside = kept.with_file_name(log_name(&kept));
        copy_into(&log, &beside)?;
    }
    sync_folder(outdir)?;
    Ok(Some(kept))
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    outdir::refuse_irregular(from)?;
    let mut source = File::open(from).map_err(file("reading", from))?;
    File::create_new(to)
        .and_then(|mut copy| io::copy(&mut source, &mut copy).map(|_| copy))
        .and_then(|copy| copy.sync_all())
        .map_err(file("writing", to))
}

fn remove(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(file("removing", path)(error)),
    }
}

fn refuse_damaged(db: &Connection, shown: &Path, check: &str) -> Result<()> {
    match structure(db, check) {
        Ok(problems) => match problems.first() {
            Some(first) => Err(damaged(shown, first)),
            None => Ok(()),
        },
        Err(error) => Err(damaged(shown, &error.to_string())),
    }
}

/// Rows that name a row which is not there.
fn orphans(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare("PRAGMA foreign_key_check")?;
    let rows = select.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "a row of {table} names one of {parent} that is not there"
        ))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    found.dedup();
    Ok(found)
}
