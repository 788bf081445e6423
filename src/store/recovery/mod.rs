//! Backs up, restores, checks and rebuilds a journal. Restoring and rebuilding need its lock; the
//! others only keep others from taking it.
//!
//! A journal is replaced by one rename, after it and SQLite's log were copied to `journal_kept_*`.
//! If a run is killed between the rename and the removal of the old log, the next start detects
//! that the log does not belong to the new journal, by its generation.

mod contents;
mod reading;
mod replay;
mod salvage;

pub use reading::copy_to_read;
pub use replay::{
    Replayed, RunJudgment, RunStep, RunStepKind, files_to_restore, is_steps_file, replay,
    rescued_files,
};
pub use salvage::{Rebuilt, rebuild};

use super::Journal;
use super::database::lock::{Lock, LockState, share};
use super::database::open::{begin_generation, damaged, log_name, open_copy, structure_problems};
use super::database::schema::migrate;
use super::errors::journal_error;
use super::import::file_sha256;
use super::tables::meta;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{self, JOURNAL, JOURNAL_LOGS, LABELS, file_error, free_path, sync_folder};
use crate::platform;
use crate::record::Vocabulary;
use crate::text::{file_stamp, plural};
use replay::{RESCUED_PREFIX, RESTORED, restored_key};
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Name prefix of folders and files in which a copy is prepared.
const STAGING_PREFIX: &str = ".labeler-journal-";
/// Name prefixes of copies of a journal.
const COPY_PREFIXES: [&str; 3] = ["journal_kept_", "journal.replaced-", RESCUED_PREFIX];
/// How many unreadable rows are listed.
const MAX_LISTED: usize = 20;

/// Result of a restore.
#[derive(Debug)]
pub struct Restored {
    /// Path of the copy of the previous journal, if there was one.
    pub kept: Option<PathBuf>,
    /// The backup's log was left out because it belongs to another database state.
    pub without_log: bool,
}

/// Result of a check.
#[derive(Debug, Default)]
pub struct Checked {
    pub problems: Vec<String>,
    /// The copy that was checked; `None` if there are problems.
    pub copy: Option<JournalCopy>,
}

/// A temporary copy of a journal, removed when dropped.
#[derive(Debug)]
pub struct JournalCopy {
    pub journal: Journal,
    _folder: TempDir,
    /// The lock of the original outdir, if no process may use that one meanwhile.
    _lock: Option<LockState>,
}

/// Copies the journal of `outdir` to a new file, which appears only when it is complete. Writes
/// nothing else in the outdir.
pub fn backup(outdir: &Path, target: &Path) -> Result<()> {
    let _lock = share_journal(outdir)?;
    if target.symlink_metadata().is_ok() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{} already exists", target.display()),
        )
        .with_hint("choose another name; a backup never replaces a file"));
    }
    outdir::check(outdir, None, &[])?;
    let saving = format!("writing {}", target.display());
    let display_path = outdir.join(JOURNAL);
    let staged = Staged::copy(&std::env::temp_dir(), &display_path)?;
    let db = open_copy(&staged.path, &display_path)?;
    // The backup must not match the log beside the journal, which may be newer.
    begin_generation(&db)?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    platform::set_file_mode(builder.prefix(STAGING_PREFIX));
    let temporary = builder
        .tempfile_in(folder)
        .map_err(file_error("writing in", folder))?;
    let mut copy = Connection::open(temporary.path()).map_err(journal_error(&saving))?;
    rusqlite::backup::Backup::new(&db, &mut copy)
        .and_then(|backup| backup.run_to_completion(1024, Duration::ZERO, None))
        // A single file without a log.
        .and_then(|()| copy.pragma_update(None, "journal_mode", "DELETE"))
        .map_err(journal_error(&saving))?;
    refuse_damaged(&copy, &display_path, "quick_check")?;
    drop(copy);
    temporary
        .as_file()
        .sync_all()
        .map_err(file_error("writing", target))?;
    temporary
        .persist_noclobber(target)
        .map_err(|error| file_error("writing", target)(error.error))?;
    sync_folder(folder)
}

/// Replaces the journal of `outdir` with a backup and keeps a copy of the present journal.
pub fn restore(outdir: &Path, from: &Path) -> Result<Restored> {
    if !from.exists() {
        return Err(nothing_to_restore(outdir, from));
    }
    refuse_unreadable(from)?;
    outdir::create(outdir)?;
    let _lock = lock_any(outdir)?;
    let staged = Staged::copy(outdir, from)?;
    let (db, without_log) = open_backup(&staged, from).map_err(|error| {
        error.with_hint("nothing was changed; give a file that `labeler-tui journal backup` wrote")
    })?;
    begin_generation(&db)?;
    if let Some(sha256) = file_sha256(from)? {
        meta::set(&db, &restored_key(&sha256), RESTORED)?;
    }
    db.pragma_update(None, "journal_mode", "DELETE")
        .map_err(journal_error("preparing the backup"))?;
    drop(db);
    let kept = staged.install(outdir)?;
    Ok(Restored { kept, without_log })
}

/// Opens the staged copy of a backup, without its log if that belongs to another state, and checks
/// it.
fn open_backup(staged: &Staged, from: &Path) -> Result<(Connection, bool)> {
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
    let dangling = dangling_references(&db).map_err(journal_error("checking the backup"))?;
    match dangling.first() {
        Some(first) => Err(damaged(from, first)),
        None => Ok((db, without_log)),
    }
}

/// An error for a missing file to restore. Its hint lists the copies in the outdir.
fn nothing_to_restore(outdir: &Path, from: &Path) -> Error {
    let entries = std::fs::read_dir(outdir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names
        .filter(|name| COPY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| name.ends_with(".sqlite") || name.ends_with(".jsonl"))
        .map(|name| outdir.join(name).display().to_string())
        .collect();
    found.sort();
    let hint = match found.is_empty() {
        true => "give a file that `labeler-tui journal backup` wrote; if you have none, use \
`labeler-tui journal rebuild`"
            .to_owned(),
        false => format!(
            "give a file that `labeler-tui journal backup` wrote, or one of {}",
            found.join(", ")
        ),
    };
    let cause = format!("{} does not exist", from.display());
    Error::new(ErrorKind::Usage, cause).with_hint(hint)
}

/// Checks a copy of the journal of `outdir` without changing anything there.
pub fn check(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Checked> {
    let lock = share_journal(outdir)?;
    let display_path = outdir.join(JOURNAL);
    let mut found = Checked::default();
    if let Err(error) = outdir::check(outdir, None, &[]) {
        found.problems.push(error.cause);
        return Ok(found);
    }
    let staged = Staged::copy(&std::env::temp_dir(), &display_path)?;
    let mut db = match open_copy(&staged.path, &display_path) {
        Ok(db) => db,
        Err(error) => {
            found.problems.push(error.cause);
            return Ok(found);
        }
    };
    match structure_problems(&db, "integrity_check") {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(error.to_string()),
    }
    match dangling_references(&db) {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(error.to_string()),
    }
    // Migrating is safe on a copy.
    match migrate(&mut db) {
        Ok(()) => match contents::unreadable_rows(&db) {
            Ok(rows) => {
                found.problems.extend(contents::unreadable_values(&db));
                let first = rows.iter().take(MAX_LISTED).map(ToString::to_string);
                found.problems.extend(first);
                if rows.len() > MAX_LISTED {
                    let more = rows.len() - MAX_LISTED;
                    found
                        .problems
                        .push(format!("{} cannot be read", plural(more, "more row")));
                }
            }
            Err(error) => found.problems.push(error.cause),
        },
        Err(error) => found.problems.push(error.to_string()),
    }
    drop(db);
    // Each query of a damaged file may fail in the same way.
    let mut seen = HashSet::new();
    found
        .problems
        .retain(|problem| seen.insert(problem.clone()));
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

/// Keeps other processes from using an outdir that has a journal.
fn share_journal(outdir: &Path) -> Result<LockState> {
    require_journal(outdir)?;
    share(outdir)
}

/// An error if an outdir has no journal.
pub fn require_journal(outdir: &Path) -> Result<()> {
    if outdir.join(JOURNAL).symlink_metadata().is_ok() {
        return Ok(());
    }
    let shown = outdir.display();
    if outdir.is_file() {
        let cause = format!("{shown} is a file, not the folder of an earlier run");
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("give the folder that contains labels.jsonl with --outdir"));
    }
    let hint = match outdir.join(LABELS).exists() {
        true => format!(
            "{LABELS} there is not imported yet: a run with this --outdir imports it, and so does \
             `labeler-tui journal rebuild`"
        ),
        false => "give the folder of an earlier run with --outdir".to_owned(),
    };
    let cause = format!("there is no {JOURNAL} in {shown}");
    Err(Error::new(ErrorKind::Store, cause).with_hint(hint))
}

fn lock_any(outdir: &Path) -> Result<Lock> {
    let lock = Lock::take(outdir)?;
    remove_leftovers(outdir);
    Ok(lock)
}

/// Removes the staging folders of killed commands. Needs the lock, which all such commands hold.
fn remove_leftovers(outdir: &Path) {
    for entry in std::fs::read_dir(outdir).into_iter().flatten().flatten() {
        let is_staging = entry
            .file_name()
            .to_string_lossy()
            .starts_with(STAGING_PREFIX);
        if is_staging && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // A leftover only takes up space.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A journal that is prepared in a temporary folder.
struct Staged {
    /// Removed with everything in it when dropped.
    folder: TempDir,
    path: PathBuf,
}

impl Staged {
    /// Creates the folder in another one.
    fn folder(parent: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(parent)
            .map_err(file_error("writing in", parent))?;
        Ok(Self {
            path: folder.path().join(JOURNAL),
            folder,
        })
    }

    /// Creates the folder with an empty journal, since SQLite ignores the umask for new files.
    fn empty(parent: &Path) -> Result<Self> {
        let staged = Self::folder(parent)?;
        File::create_new(&staged.path).map_err(file_error("writing", &staged.path))?;
        Ok(staged)
    }

    /// Creates the folder with a copy of a database and its log.
    fn copy(parent: &Path, from: &Path) -> Result<Self> {
        let staged = Self::folder(parent)?;
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

    /// Removes the log. Returns whether there was one.
    fn drop_log(&self) -> Result<bool> {
        let log = self.log();
        let shared = self.path.with_file_name(JOURNAL_LOGS[1]);
        remove(&shared)?;
        remove(&log)
    }

    /// Replaces the journal of `outdir` by one rename. Returns the path of the copy of the previous
    /// one.
    fn install(self, outdir: &Path) -> Result<Option<PathBuf>> {
        let target = outdir.join(JOURNAL);
        let kept = keep_present(outdir)?;
        if let Ok(before) = std::fs::symlink_metadata(&target)
            && before.is_file()
        {
            std::fs::set_permissions(&self.path, before.permissions())
                .map_err(file_error("writing", &self.path))?;
        }
        File::open(&self.path)
            .and_then(|staged| staged.sync_all())
            .map_err(file_error("writing", &self.path))?;
        std::fs::rename(&self.path, &target).map_err(file_error("replacing", &target))?;
        sync_folder(outdir)?;
        // They belong to the previous journal and were copied with it.
        for log in JOURNAL_LOGS {
            remove(&outdir.join(log))?;
        }
        sync_folder(outdir)?;
        Ok(kept)
    }
}

/// Copies the present journal and its log to a `journal_kept_*` name with the current time.
fn keep_present(outdir: &Path) -> Result<Option<PathBuf>> {
    let present = outdir.join(JOURNAL);
    if !present.exists() {
        return Ok(None);
    }
    let stamp = file_stamp(jiff::Timestamp::now());
    let kept = free_path(outdir, |n| match n {
        1 => format!("journal_kept_{stamp}.sqlite"),
        n => format!("journal_kept_{stamp}_{n}.sqlite"),
    });
    copy_into(&present, &kept)?;
    let log = outdir.join(JOURNAL_LOGS[0]);
    if std::fs::metadata(&log).is_ok_and(|about| about.len() > 0) {
        let beside = kept.with_file_name(log_name(&kept));
        copy_into(&log, &beside)?;
    }
    sync_folder(outdir)?;
    Ok(Some(kept))
}

/// Rejects a pipe or device, which cannot be copied to be opened.
fn refuse_unreadable(from: &Path) -> Result<()> {
    let refused = outdir::refuse_irregular(from);
    refused.map_err(|error| match error.hint {
        None => error.with_hint("write it to a file first"),
        Some(_) => error,
    })
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    refuse_unreadable(from)?;
    let mut source = File::open(from).map_err(file_error("reading", from))?;
    File::create_new(to)
        .and_then(|mut copy| io::copy(&mut source, &mut copy).map(|_| copy))
        .and_then(|copy| copy.sync_all())
        .map_err(file_error("writing", to))
}

fn remove(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(file_error("removing", path)(error)),
    }
}

fn refuse_damaged(db: &Connection, display_path: &Path, check: &str) -> Result<()> {
    match structure_problems(db, check) {
        Ok(problems) => match problems.first() {
            Some(first) => Err(damaged(display_path, first)),
            None => Ok(()),
        },
        Err(error) => Err(damaged(display_path, &error.to_string())),
    }
}

/// Returns a message for each row that refers to a missing row.
fn dangling_references(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = db.prepare("PRAGMA foreign_key_check")?;
    let rows = select.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "a row of {table} refers to a missing row of {parent}"
        ))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    found.dedup();
    Ok(found)
}
