//! The open journal database. Detects when another program deletes, replaces or damages its files,
//! and then rewrites the journal or saves it under another name.

pub mod lock;
pub mod open;
mod rescue;
pub mod schema;
mod watch;

pub use rescue::write_rescued_text;

use super::errors::journal_error;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{JOURNAL, JOURNAL_LOGS, file_error, free_path, is_absent, sync_folder};
use lock::Lock;
use rescue::{new_file, persist_rescued};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use watch::{FileState, FilesOnDisk};

const LOG: &str = JOURNAL_LOGS[0];

/// Why the open journal must not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnusableJournal {
    /// The file was deleted, replaced or damaged, but all of its content is still readable through
    /// the open connection.
    Gone(Error),
    /// The file was truncated or overwritten, and its content is lost.
    Damaged(Error),
    /// The log was deleted, and its content cannot be saved while another program reads the
    /// journal.
    Busy(Error),
}

/// The database, the lock on its outdir, and the last known state of its files.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    outdir: PathBuf,
    files: FilesOnDisk,
    /// The connection was closed and could not be opened again.
    closed: bool,
    /// The last field, so that it is released after the database is closed. `None` for a snapshot.
    lock: Option<Lock>,
}

impl Database {
    /// Opens or creates the journal of `outdir`.
    pub fn open(lock: Lock, outdir: &Path) -> Result<Self> {
        let connection = open::open(outdir)?;
        let mut files = FilesOnDisk::default();
        files.remember(outdir);
        Ok(Self {
            connection,
            outdir: outdir.to_owned(),
            files,
            closed: false,
            lock: Some(lock),
        })
    }

    /// Opens a second, read-only connection that does not see later writes.
    pub fn snapshot(&self) -> Result<Self> {
        Ok(Self {
            connection: open::open_snapshot(&self.outdir, &self.connection)?,
            outdir: self.outdir.clone(),
            files: FilesOnDisk::default(),
            closed: false,
            lock: None,
        })
    }

    pub fn outdir(&self) -> &Path {
        &self.outdir
    }

    pub fn read(&self) -> &Connection {
        &self.connection
    }

    pub fn write(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Checks that the files at their paths are the ones that are open. If only the log was
    /// deleted, copies its content into the journal.
    pub fn verify(&mut self) -> Result<(), UnusableJournal> {
        if self.closed {
            self.reopen().map_err(UnusableJournal::Busy)?;
        }
        let Some(seen) = self.files.journal else {
            self.remember_files();
            return Ok(());
        };
        let path = self.outdir.join(JOURNAL);
        // If the file cannot be examined, using it will report the error.
        let Ok(now) = FileState::at(&path) else {
            return Ok(());
        };
        match now {
            None => return Err(UnusableJournal::Gone(changed(&path, "deleted"))),
            Some(now) if now.id != seen.id => {
                return Err(UnusableJournal::Gone(changed(&path, "replaced")));
            }
            Some(now) if now != seen && !self.has_newest_rows(&path, now) => {
                let what = match now.len < seen.len {
                    true => "truncated",
                    false => "overwritten",
                };
                return Err(self.damaged(changed(&path, what)));
            }
            Some(_) => {}
        }
        let Ok(log) = FileState::at(&self.outdir.join(LOG)) else {
            return Ok(());
        };
        match (self.files.log, log) {
            (Some(seen), Some(now)) if now.id == seen.id && now.len >= seen.len => Ok(()),
            (None, _) => Ok(()),
            (_, log) => self.save_log(log.is_some()),
        }
    }

    /// Records the files' current state. Called after every use.
    pub fn remember_files(&mut self) {
        self.files.remember(&self.outdir);
    }

    /// Whether the file still has the newest rows. Reads it through a separate connection, past
    /// this one's page cache. A program that only checkpointed the log has changed nothing.
    fn has_newest_rows(&self, path: &Path, file: FileState) -> bool {
        // SQLite deletes the log beside an empty file.
        if file.len == 0 {
            return false;
        }
        const NEWEST: &str = "SELECT ifnull((SELECT max(id) FROM attempts), 0)
             || ' ' || ifnull((SELECT max(id) FROM drafts), 0)
             || ' ' || ifnull((SELECT max(id) FROM records), 0)
             || ' ' || ifnull((SELECT max(id) FROM steps), 0)
             || ' ' || ifnull((SELECT max(id) FROM judgments), 0)";
        let newest = |db: &Connection| db.query_row(NEWEST, [], |row| row.get::<_, String>(0));
        let read = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let other = Connection::open_with_flags(path, flags)?;
            let sound: String = other.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(sound == "ok" && newest(&other)? == newest(&self.connection)?)
        };
        match read() {
            Ok(same) => same,
            Err(error) => {
                tracing::error!(%error, "the journal's file cannot be read");
                false
            }
        }
    }

    /// Tells damage with all content readable, from the log and the page cache, from loss.
    fn damaged(&self, error: Error) -> UnusableJournal {
        let check: rusqlite::Result<String> =
            self.connection
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        match check.is_ok_and(|found| found == "ok") {
            true => UnusableJournal::Gone(error),
            false => UnusableJournal::Damaged(error),
        }
    }

    /// Copies the content of the open log into the journal, after the log file was deleted,
    /// replaced or truncated.
    fn save_log(&mut self, is_there: bool) -> Result<(), UnusableJournal> {
        let path = self.outdir.join(LOG);
        let what = if is_there {
            "replaced or truncated"
        } else {
            "deleted"
        };
        let busy: i64 = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| {
                tracing::error!(%error, "the journal's log cannot be read");
                self.damaged(changed(&path, what))
            })?;
        if busy != 0 {
            let hint = "end the other program that reads the journal";
            return Err(UnusableJournal::Busy(changed(&path, what).with_hint(hint)));
        }
        tracing::warn!("{} was {what}; its content was saved", path.display());
        self.reopen().map_err(UnusableJournal::Busy)
    }

    /// Closes the connection and opens the file that is at the path now.
    fn reopen(&mut self) -> Result<()> {
        let closed = Connection::open_in_memory().map_err(journal_error("opening it again"))?;
        self.files = FilesOnDisk::default();
        self.closed = true;
        drop(std::mem::replace(&mut self.connection, closed));
        self.connection = open::open(&self.outdir)?;
        self.closed = false;
        self.remember_files();
        Ok(())
    }

    /// Writes the whole journal to its path again after the file was deleted or replaced. Renames
    /// the file that is there now, and returns its new path.
    pub fn rewrite(&mut self) -> Result<Option<PathBuf>> {
        let path = self.outdir.join(JOURNAL);
        let copy = self.copy_beside()?;
        self.lock_again()?;
        let aside = match FileState::at(&path) {
            Ok(None) => None,
            _ => Some(set_aside(&self.outdir)?),
        };
        match &aside {
            Some(aside) if !self.files.is_our_log(&self.outdir) => {
                set_log_aside(&self.outdir, aside)?
            }
            _ => remove_log(&self.outdir)?,
        }
        copy.persist_noclobber(&path)
            .map_err(|error| file_error("writing", &path)(error.error))?;
        sync_folder(&self.outdir)?;
        self.reopen()?;
        Ok(aside)
    }

    /// Writes the whole journal to a `journal.rescued-*.sqlite` in the outdir.
    pub fn rescue(&mut self) -> Result<PathBuf> {
        let copy = self.copy_beside()?;
        let path = persist_rescued(copy, &self.outdir, "sqlite")?;
        // SQLite must not apply our log to another file at the journal's path.
        if self.files.is_our_log(&self.outdir) {
            remove_log(&self.outdir)?;
        }
        sync_folder(&self.outdir)?;
        Ok(path)
    }

    fn copy_beside(&mut self) -> Result<tempfile::TempPath> {
        fs::create_dir_all(&self.outdir).map_err(file_error("creating", &self.outdir))?;
        let copy = new_file(&self.outdir)?.into_temp_path();
        let name = copy.to_str().ok_or_else(|| {
            let why = "its path is not UTF-8";
            Error::new(
                ErrorKind::Store,
                format!("writing {}: {why}", copy.display()),
            )
        })?;
        self.connection
            .execute("VACUUM INTO ?1", [name])
            .map_err(journal_error("rewriting it"))?;
        File::open(&copy)
            .and_then(|copied| copied.sync_all())
            .map_err(file_error("syncing", &copy))?;
        Ok(copy)
    }

    /// Takes the lock again if the folder was moved or replaced. Another process may hold it.
    fn lock_again(&mut self) -> Result<()> {
        let is_held = self
            .lock
            .as_ref()
            .is_some_and(|lock| lock.is_at(&self.outdir));
        if !is_held {
            self.lock = Some(Lock::take(&self.outdir)?);
        }
        Ok(())
    }
}

/// Checks that a journal can be created in a folder: its file system may lack locks or shared
/// memory. Removes what it writes.
pub fn check_journal_folder(folder: &Path) -> Result<()> {
    let trial = tempfile::Builder::new()
        .prefix(".labeler-try-")
        .tempdir_in(folder)
        .map_err(file_error("writing in", folder))?;
    Database::open(Lock::take(trial.path())?, trial.path())?;
    Ok(())
}

fn changed(path: &Path, what: &str) -> Error {
    let text = format!("{} was {what} by another program", path.display());
    Error::new(ErrorKind::Store, text)
}

/// Removes the log of a deleted journal; SQLite does not need it to close the connection.
fn remove_log(outdir: &Path) -> Result<()> {
    for name in JOURNAL_LOGS {
        let left = outdir.join(name);
        match fs::remove_file(&left) {
            Err(error) if !is_absent(&error) => return Err(file_error("removing", &left)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Renames the log along with the journal that was set aside.
fn set_log_aside(outdir: &Path, aside: &Path) -> Result<()> {
    for (name, end) in [(LOG, "-wal"), (JOURNAL_LOGS[1], "-shm")] {
        let path = outdir.join(name);
        let mut to = aside.as_os_str().to_owned();
        to.push(end);
        match fs::rename(&path, &to) {
            Err(error) if !is_absent(&error) => return Err(file_error("renaming", &path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Renames the file at the journal's path.
fn set_aside(outdir: &Path) -> Result<PathBuf> {
    let aside = free_path(outdir, |n| format!("journal.replaced-{n}.sqlite"));
    let path = outdir.join(JOURNAL);
    fs::rename(&path, &aside).map_err(file_error("renaming", &path))?;
    Ok(aside)
}
