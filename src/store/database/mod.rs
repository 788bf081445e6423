//! The journal's open file: whether it is still the one that was opened, and what can be done where
//! it is not: rewrite the journal, or save it under another name.

pub mod lock;
pub mod open;
mod rescue;
pub mod schema;
mod watch;

pub use rescue::rescue_text;

use super::errors::doing;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{JOURNAL, JOURNAL_LOGS, file, is_absent, sync_folder};
use lock::Lock;
use rescue::{keep, new_file};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use watch::{FilesOnDisk, Look};

const LOG: &str = JOURNAL_LOGS[0];

/// Why the journal must not be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misplaced {
    /// The file was deleted, replaced or damaged; its content is still open here, whole.
    Gone(Error),
    /// The file was cut short or written over; its content is lost.
    Damaged(Error),
    /// Its log was deleted, and what that holds cannot be saved just now.
    Busy(Error),
}

/// The database, the lock that keeps other processes out of it, and how its files looked last.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    outdir: PathBuf,
    files: FilesOnDisk,
    /// The connection was closed and could not be opened again.
    closed: bool,
    /// Last, so that it is let go of when the database is closed. `None` of a snapshot.
    lock: Option<Lock>,
}

impl Database {
    /// Opens or creates the journal of `outdir`, whose lock is held.
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

    /// A second connection, which sees what is saved now and nothing that comes later.
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

    /// Compares the files at their paths with those that are open. A log that was deleted is
    /// repaired: all that it held goes into the journal itself.
    pub fn verify(&mut self) -> Result<(), Misplaced> {
        if self.closed {
            self.reopen().map_err(Misplaced::Busy)?;
        }
        let Some(seen) = self.files.journal else {
            self.remember_files();
            return Ok(());
        };
        let path = self.outdir.join(JOURNAL);
        // Where nothing can be said of the files, using them says more.
        let Ok(now) = Look::at(&path) else {
            return Ok(());
        };
        match now {
            None => return Err(Misplaced::Gone(changed(&path, "deleted"))),
            Some(now) if now.id != seen.id => {
                return Err(Misplaced::Gone(changed(&path, "replaced")));
            }
            Some(now) if now != seen && !self.is_what_the_file_holds(&path, now) => {
                let what = match now.len < seen.len {
                    true => "cut short",
                    false => "written over",
                };
                return Err(self.damaged(changed(&path, what)));
            }
            Some(_) => {}
        }
        let Ok(log) = Look::at(&self.outdir.join(LOG)) else {
            return Ok(());
        };
        match (self.files.log, log) {
            (Some(seen), Some(now)) if now.id == seen.id && now.len >= seen.len => Ok(()),
            (None, _) => Ok(()),
            (_, log) => self.save_log(log.is_some()),
        }
    }

    /// After every use: the files are now as they are by what was done here.
    pub fn remember_files(&mut self) {
        self.files.remember(&self.outdir);
    }

    /// Reads the file through a connection of its own, past what this one remembers of it: a
    /// program that merely moved the log's content into the file has changed nothing.
    fn is_what_the_file_holds(&self, path: &Path, look: Look) -> bool {
        // Of an empty file SQLite believes that it has no log, and deletes the log.
        if look.len == 0 {
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

    /// The content may be whole all the same: in the log, and in what is remembered of the file.
    fn damaged(&self, error: Error) -> Misplaced {
        let check: rusqlite::Result<String> =
            self.connection
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        match check.is_ok_and(|found| found == "ok") {
            true => Misplaced::Gone(error),
            false => Misplaced::Damaged(error),
        }
    }

    /// The log at its path is not the one that is open, or was cut short by somebody.
    fn save_log(&mut self, is_there: bool) -> Result<(), Misplaced> {
        let path = self.outdir.join(LOG);
        let what = if is_there {
            "replaced or cut short"
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
            return Err(Misplaced::Busy(changed(&path, what).with_hint(hint)));
        }
        tracing::warn!("{} was {what}; what it held is saved", path.display());
        self.reopen().map_err(Misplaced::Busy)
    }

    /// Closes the connection and opens the file at the path.
    fn reopen(&mut self) -> Result<()> {
        let closed = Connection::open_in_memory().map_err(doing("opening it again"))?;
        self.files = FilesOnDisk::default();
        self.closed = true;
        drop(std::mem::replace(&mut self.connection, closed));
        self.connection = open::open(&self.outdir)?;
        self.closed = false;
        self.remember_files();
        Ok(())
    }

    /// Where the file was deleted or replaced: writes all of it to its place again. What stands
    /// there instead is renamed; its new name is returned.
    pub fn rewrite(&mut self) -> Result<Option<PathBuf>> {
        let path = self.outdir.join(JOURNAL);
        let copy = self.copy_beside(".tmp")?;
        self.lock_again()?;
        let aside = match Look::at(&path) {
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
            .map_err(|error| file("writing", &path)(error.error))?;
        sync_folder(&self.outdir)?;
        self.reopen()?;
        Ok(aside)
    }

    /// Writes all that the open files hold to a file of another name, beside where they were.
    pub fn rescue(&mut self) -> Result<PathBuf> {
        let copy = self.copy_beside(".tmp")?;
        let path = keep(copy, &self.outdir, "sqlite")?;
        // Whatever comes to stand in the journal's place must not be taken for what it is of.
        if self.files.is_our_log(&self.outdir) {
            remove_log(&self.outdir)?;
        }
        sync_folder(&self.outdir)?;
        Ok(path)
    }

    fn copy_beside(&mut self, suffix: &str) -> Result<tempfile::TempPath> {
        fs::create_dir_all(&self.outdir).map_err(file("creating", &self.outdir))?;
        let copy = new_file(&self.outdir, suffix)?.into_temp_path();
        let name = copy.to_str().ok_or_else(|| {
            let why = "its path is not UTF-8";
            Error::new(
                ErrorKind::Store,
                format!("writing {}: {why}", copy.display()),
            )
        })?;
        self.connection
            .execute("VACUUM INTO ?1", [name])
            .map_err(doing("rewriting it"))?;
        File::open(&copy)
            .and_then(|copied| copied.sync_all())
            .map_err(file("syncing", &copy))?;
        Ok(copy)
    }

    /// The lock goes where the folder goes; another process may have it by now.
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

/// Whether a journal can be kept in a folder, whose file system may lack locks or shared memory.
/// What is written to find out is removed again.
pub fn try_folder(folder: &Path) -> Result<()> {
    let tried = tempfile::Builder::new()
        .prefix(".labeler-try-")
        .tempdir_in(folder)
        .map_err(file("writing in", folder))?;
    Database::open(Lock::take(tried.path())?, tried.path())?;
    Ok(())
}

fn changed(path: &Path, what: &str) -> Error {
    let text = format!("{} was {what} by something else", path.display());
    Error::new(ErrorKind::Store, text)
}

/// The log of a file that is gone: SQLite does not touch it any more when it closes.
fn remove_log(outdir: &Path) -> Result<()> {
    for name in JOURNAL_LOGS {
        let left = outdir.join(name);
        match fs::remove_file(&left) {
            Err(error) if !is_absent(&error) => return Err(file("removing", &left)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// A file that was set aside keeps the log that it came with.
fn set_log_aside(outdir: &Path, aside: &Path) -> Result<()> {
    for (name, end) in [(LOG, "-wal"), (JOURNAL_LOGS[1], "-shm")] {
        let path = outdir.join(name);
        let mut to = aside.as_os_str().to_owned();
        to.push(end);
        match fs::rename(&path, &to) {
            Err(error) if !is_absent(&error) => return Err(file("renaming", &path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Renames what stands in the journal's place.
fn set_aside(outdir: &Path) -> Result<PathBuf> {
    let aside = (1..)
        .map(|n: u32| outdir.join(format!("journal.replaced-{n}.sqlite")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| outdir.join("journal.replaced.sqlite"));
    let path = outdir.join(JOURNAL);
    fs::rename(&path, &aside).map_err(file("renaming", &path))?;
    Ok(aside)
}
