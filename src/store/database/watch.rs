//! Remembers the journal's files to detect changes by other programs.

use crate::outdir::{JOURNAL, JOURNAL_LOGS, is_absent};
use crate::platform::{self, FileId};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// The journal's files as they were after this process last used them.
#[derive(Debug, Default)]
pub struct FilesOnDisk {
    pub journal: Option<FileState>,
    pub log: Option<FileState>,
    /// For reading the header of the journal. Open as long as the connection is, because closing
    /// any handle releases the POSIX locks that SQLite holds on the same file.
    handle: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    pub id: Option<FileId>,
    pub len: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    /// `None` if there is no such file.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self {
                id: platform::file_id(&metadata),
                len: metadata.len(),
                modified: metadata.modified().ok(),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl FilesOnDisk {
    /// Records the files' current state. Called after every use.
    pub fn remember(&mut self, outdir: &Path) {
        let state = |name| FileState::at(&outdir.join(name)).ok().flatten();
        let (journal, log) = (state(JOURNAL), state(JOURNAL_LOGS[0]));
        if self.handle.is_none() {
            self.handle = File::open(outdir.join(JOURNAL)).ok();
        }
        // A replaced or damaged file is not recorded, so that `verify` detects it.
        let is_ours = match (self.journal, journal) {
            (None, _) => true,
            (Some(seen), Some(now)) if now == seen => true,
            (Some(seen), Some(now)) => {
                now.id == seen.id && self.handle.as_ref().is_none_or(is_complete)
            }
            (Some(_), None) => false,
        };
        if is_ours {
            self.journal = journal;
        }
        if self.log.is_none_or(|seen| is_same_file(seen, log)) {
            self.log = log;
        }
    }

    /// Whether the log in `outdir` is the one that is open.
    pub fn is_our_log(&self, outdir: &Path) -> bool {
        let found = FileState::at(&outdir.join(JOURNAL_LOGS[0])).ok().flatten();
        self.log.is_some_and(|seen| is_same_file(seen, found))
    }
}

/// Whether a database has a valid header and all the pages that the header counts.
fn is_complete(database: &File) -> bool {
    let mut header = [0; 100];
    let read = platform::read_exact_at(database, &mut header, 0).and_then(|()| database.metadata());
    let Ok(metadata) = read else {
        return false;
    };
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    header.starts_with(b"SQLite format 3\0") && metadata.len() >= page_size * u64::from(pages)
}

fn is_same_file(seen: FileState, now: Option<FileState>) -> bool {
    now.is_some_and(|now| now.id == seen.id)
}
