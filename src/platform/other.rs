//! Windows and other systems that are not Unix. See the note in [`super`].

use super::{FileId, ProcessSignal, Waited};
use memmap2::Mmap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, UNIX_EPOCH};

/// SQLite's VFS without file locks.
pub const LOCKLESS_VFS: &str = "win32-none";

/// Always `None`: the standard library has no stable way to get it.
pub fn file_id(_: &Metadata) -> Option<FileId> {
    None
}

/// Modification time of a file, in seconds and nanoseconds.
pub fn change_time(about: &Metadata) -> (i64, i64) {
    let modified = about.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    (since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

/// Always 1: the number of hard links is unknown here.
pub fn link_count(_: &Metadata) -> u64 {
    1
}

/// Does nothing: the caller has checked for links already.
pub fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Does nothing: new files inherit the permissions of their folder.
pub fn set_file_mode(_: &mut tempfile::Builder) {}

/// Does nothing: new folders inherit the permissions of their parent.
pub fn set_folder_mode(_: &mut tempfile::Builder) {}

/// Does nothing: the new file inherits the permissions of its folder.
pub fn copy_owner_and_mode(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Does nothing: the file system journals renames itself.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads at an offset. Moves the file's read position.
pub fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// Does nothing: the system reclaims pages by itself.
pub fn release_pages(_: &Mmap, _: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Does nothing: the allocator decides.
pub fn keep_freed_memory(_: i32) {}

/// Always `None`: not implemented.
pub fn lock_owner(_: &File, _: (u64, u64)) -> Option<i32> {
    None
}

/// Always `None`: not implemented.
pub fn process_name(_: i32) -> Option<String> {
    None
}

/// Checks that files can be created in a folder by creating a temporary one.
pub fn can_write_in(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// Always `None`: not implemented.
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this computer".to_owned())
}

/// Always `false`: no one has tried the tile registers (AMX) here.
pub fn allow_tile_registers() -> bool {
    false
}

/// Does nothing: all threads keep the same priority.
pub fn lower_priority() {}

/// Always `false`: this system has other error codes.
pub fn is_device_error(_: &io::Error) -> bool {
    false
}

pub fn is_link_loop(_: &io::Error) -> bool {
    false
}

/// Whether an error means that the file system does not support locks.
pub fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Does nothing: a write that fails never kills the process.
pub fn survive_file_size_limit() -> io::Result<()> {
    Ok(())
}

/// Does nothing: the first interrupt ends the process. The journal is consistent at any moment.
pub fn on_interrupt(_: &Arc<AtomicBool>, _: i32) -> io::Result<()> {
    Ok(())
}

/// Stands in for signals: reports a possible resize twice a second.
pub struct Signals;

impl Signals {
    pub fn listen(_: &Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self)
    }

    /// Calls `each` for every signal; never returns.
    pub fn wait(&mut self, mut each: impl FnMut(ProcessSignal)) {
        const INTERVAL: Duration = Duration::from_millis(500);
        loop {
            std::thread::sleep(INTERVAL);
            each(ProcessSignal::Resized);
        }
    }
}

/// Always fails: processes cannot be suspended here.
pub fn suspend() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does nothing: no other process changes the terminal mode.
pub fn make_raw() -> io::Result<()> {
    Ok(())
}

/// Terminal input, read by a thread of its own, since reads here have no timeout.
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

    /// Waits for input, for at most `timeout`, and reads what is available.
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
