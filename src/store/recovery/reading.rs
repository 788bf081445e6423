//! Copies a journal for commands that only read it.

use super::{JournalCopy, Staged, require_journal};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{self, JOURNAL, LABELS};
use crate::record::Vocabulary;
use crate::store::Journal;
use crate::store::database::lock::LockState;
use crate::store::database::open::open_copy;
use crate::store::errors::journal_error;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Copies the journal of `outdir` into the system's temporary folder and opens the copy, which has
/// everything that is saved now. Writes nothing in the outdir and does not disturb a process that
/// is using it.
pub fn copy_to_read(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<JournalCopy> {
    require_journal(outdir)?;
    outdir::check(outdir, None, &[])?;
    let display_path = outdir.join(JOURNAL);
    let staged = Staged::folder(&std::env::temp_dir())?;
    match LockState::of(outdir)? {
        // After a killed run, the database and its log belong together.
        LockState::Free { .. } => staged.fill(&display_path)?,
        LockState::Held(_) => copy_live(&display_path, &staged.path)?,
    }
    // Rejects a file of another program and a log that does not belong to the database.
    drop(open_copy(&staged.path, &display_path)?);
    let folder = staged.folder;
    let journal = Journal::lock(folder.path(), vocabulary)?;
    let labels = outdir.join(LABELS);
    let has_lines = std::fs::metadata(&labels).is_ok_and(|about| about.len() > 0);
    if has_lines && journal.is_empty()? {
        let cause = format!("{} is not imported yet", labels.display());
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("the next run with the source and this outdir imports it"));
    }
    Ok(JournalCopy {
        journal,
        _folder: folder,
        _lock: None,
    })
}

/// Copies a consistent snapshot of a database that another process has open.
fn copy_live(from: &Path, to: &Path) -> Result<()> {
    let reading = format!("reading {}", from.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let folder = from.parent().unwrap_or(Path::new("."));
    // A link to the outdir itself is allowed, but `SQLITE_OPEN_NOFOLLOW` would reject it too.
    let folder = folder
        .canonicalize()
        .map_err(outdir::file_error("opening", folder))?;
    let live = Connection::open_with_flags(folder.join(JOURNAL), flags)
        .map_err(journal_error(&reading))?;
    live.busy_timeout(Duration::from_secs(10))
        .map_err(journal_error(&reading))?;
    let mut copy = Connection::open(to).map_err(journal_error(&reading))?;
    rusqlite::backup::Backup::new(&live, &mut copy)
        // All pages in one step, so that later writes are left out.
        .and_then(|backup| backup.step(-1))
        .map_err(journal_error(&reading))?;
    Ok(())
}
