//! A copy of a journal for commands that only read.

use super::{JournalCopy, Staged, refuse_empty};
use crate::error::Result;
use crate::outdir::{self, JOURNAL};
use crate::record::Vocabulary;
use crate::store::Journal;
use crate::store::database::lock::Held;
use crate::store::database::open::open_copy;
use crate::store::errors::doing;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Copies the journal of `outdir` into the system's folder for temporary files and opens the copy.
/// Nothing in the outdir is written, and a program that works on it goes on: the copy shows what
/// is saved now.
pub fn copy_to_read(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<JournalCopy> {
    refuse_empty(outdir)?;
    outdir::check(outdir, None, &[])?;
    let shown = outdir.join(JOURNAL);
    let staged = Staged::folder(&std::env::temp_dir())?;
    match Held::of(outdir)? {
        // Files of a run that was killed belong together, log and all.
        Held::No { .. } => staged.fill(&shown)?,
        Held::Yes(_) => copy_live(&shown, &staged.path)?,
    }
    // Refuses a file of another program, and a log of another state.
    drop(open_copy(&staged.path, &shown)?);
    let folder = staged.folder;
    Ok(JournalCopy {
        journal: Journal::lock(folder.path(), vocabulary)?,
        _folder: folder,
        _lock: None,
    })
}

/// Copies a database that another process has open, as it is at one moment.
fn copy_live(from: &Path, to: &Path) -> Result<()> {
    let reading = format!("reading {}", from.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let folder = from.parent().unwrap_or(Path::new("."));
    // A link to the outdir itself is fine; SQLite, told to follow none, would refuse that too.
    let folder = folder
        .canonicalize()
        .map_err(outdir::file("opening", folder))?;
    let live = Connection::open_with_flags(folder.join(JOURNAL), flags).map_err(doing(&reading))?;
    live.busy_timeout(Duration::from_secs(10))
        .map_err(doing(&reading))?;
    let mut copy = Connection::open(to).map_err(doing(&reading))?;
    rusqlite::backup::Backup::new(&live, &mut copy)
        // All pages in one step: what is saved meanwhile is left out.
        .and_then(|backup| backup.step(-1))
        .map_err(doing(&reading))?;
    Ok(())
}
