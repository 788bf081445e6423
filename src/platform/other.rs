//! Systems that are not like Unix: Windows. See the note in [`super`].

use super::{FileId, Signal, Waited};
use memmap2::Mmap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, UNIX_EPOCH};

/// SQLite's name for files that it does not lock.
pub const LOCKLESS_VFS: &str = "win32-none";

/// `None` where the system does not tell.
pub fn file_id(_: &Metadata) -> Option<FileId> {
    None
}

/// When a file was last written: seconds and nanoseconds.
pub fn change_time(about: &Metadata) -> (i64, i64) {
    let modified = about.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    (since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

/// How many names a file has.
pub fn link_count(_: &Metadata) -> u64 {
    1
}

/// Links were looked for before.
pub fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// New files have the rights of their folder.
pub fn set_file_mode(_: &mut tempfile::Builder) {}

/// The same for a new folder.
pub fn set_folder_mode(_: &mut tempfile::Builder) {}

/// A file that replaces another has the rights of its folder.
pub fn copy_owner_and_mode(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Renames are kept by the file system's own log.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads at a place of the file.
pub fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// The system finds out by itself.
pub fn release_pages(_: &Mmap, _: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// The allocator decides.
pub fn keep_freed_memory(_: i32) {}

/// Who has locked a file is not told.
pub fn lock_owner(_: &File, _: (u64, u64)) -> Option<i32> {
    None
}

/// What a process is called is not asked for.
pub fn process_name(_: i32) -> Option<String> {
    None
}

/// Whether files may be made in a folder: one is made.
pub fn can_write_in(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// The free space is not asked for.
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this computer".to_owned())
}

/// All threads are equal.
pub fn lower_priority() {}

/// The system has other words for that.
pub fn is_device_error(_: &io::Error) -> bool {
    false
}

/// Whether an error says that the file system has no locks.
pub fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// A full disk is an error of the write.
pub fn survive_file_size_limit() -> io::Result<()> {
    Ok(())
}

/// The first request ends the process: the journal is whole at any moment.
pub fn on_interrupt(_: &Arc<AtomicBool>, _: i32) -> io::Result<()> {
    Ok(())
}

/// Nothing is told, so the size of the terminal is looked at now and then.
pub struct Signals;

impl Signals {
    pub fn listen(_: &Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self)
    }

    /// Gives each to `each`, without an end.
    pub fn wait(&mut self, mut each: impl FnMut(Signal)) {
        const LOOK: Duration = Duration::from_millis(500);
        loop {
            std::thread::sleep(LOOK);
            each(Signal::Resized);
        }
    }
}

/// A process does not stop.
pub fn suspend() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nobody else changes the mode.
pub fn make_raw() -> io::Result<()> {
    Ok(())
}

/// The terminal's input. A thread waits for it, since a wait for it has no end.
pub struct TerminalInput {
    from: Receiver<io::Result<Vec<u8>>>,
    rest: Vec<u8>,
}

impl TerminalInput {
    pub fn open() -> io::Result<Self> {
        let (to, from) = channel();
        let read = move || {
            let mut bytes = [0; 4096];
            loop {
                let read = io::stdin().read(&mut bytes);
                let ends = !matches!(read, Ok(1..));
                let sent = to.send(read.map(|read| bytes[..read].to_vec()));
                if ends || sent.is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("terminal-input".to_owned())
            .spawn(read)?;
        Ok(Self {
            from,
            rest: Vec::new(),
        })
    }

    /// Waits for input, at most for `timeout`, and reads what is there.
    pub fn read(&mut self, bytes: &mut [u8], timeout: Option<Duration>) -> io::Result<Waited> {
        if self.rest.is_empty() {
            let timeout = timeout.unwrap_or(Duration::MAX);
            match self.from.recv_timeout(timeout) {
                Ok(read) => self.rest = read?,
                Err(RecvTimeoutError::Timeout) => return Ok(Waited::TimedOut),
                Err(RecvTimeoutError::Disconnected) => return Ok(Waited::Closed),
            }
        }
        let count = self.rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(match count {
            0 => Waited::Closed,
            count => Waited::Read(count),
        })
    }
}
