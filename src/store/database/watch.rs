//! What the journal's files looked like after they were last used here.

use crate::outdir::{JOURNAL, JOURNAL_LOGS, is_absent};
use crate::platform::{self, FileId};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What the files looked like after they were last used here.
#[derive(Debug, Default)]
pub struct FilesOnDisk {
    pub journal: Option<Look>,
    pub log: Option<Look>,
    /// To look into the journal's file. Open for as long as the connection is: closing it would
    /// take away the locks that SQLite holds on the same file.
    handle: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub id: Option<FileId>,
    pub len: u64,
    modified: Option<SystemTime>,
}

impl Look {
    /// `None` where there is no such file.
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
    /// After every use: the files are now as they are by what was done here.
    pub fn remember(&mut self, outdir: &Path) {
        let look = |name| Look::at(&outdir.join(name)).ok().flatten();
        let (journal, log) = (look(JOURNAL), look(JOURNAL_LOGS[0]));
        if self.handle.is_none() {
            self.handle = File::open(outdir.join(JOURNAL)).ok();
        }
        // A file that is another one is not the one that was opened, and one that was damaged while
        // it was being used is not as it was left: `verify` is to find out.
        let is_ours = match (self.journal, journal) {
            (None, _) => true,
            (Some(seen), Some(now)) if now == seen => true,
            (Some(seen), Some(now)) => {
                now.id == seen.id && self.handle.as_ref().is_none_or(is_whole)
            }
            (Some(_), None) => false,
        };
        if is_ours {
            self.journal = journal;
        }
        if self.log.is_none_or(|seen| same(seen, log)) {
            self.log = log;
        }
    }

    /// Whether the log at its path is the one that is open.
    pub fn is_our_log(&self, outdir: &Path) -> bool {
        let found = Look::at(&outdir.join(JOURNAL_LOGS[0])).ok().flatten();
        self.log.is_some_and(|seen| same(seen, found))
    }
}

/// Whether a database has its header, and as many pages as that says.
fn is_whole(database: &File) -> bool {
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

fn same(seen: Look, now: Option<Look>) -> bool {
    now.is_some_and(|now| now.id == seen.id)
}
