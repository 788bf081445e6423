//! Operating system specifics: files, processes, signals and terminal input. Only this folder calls
//! the operating system directly.
//!
//! [`unix`] is complete. `other` is the minimum that any other system needs. CI only compiles it
//! (`.ci/platforms`), so it is kept small.

mod memory;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

pub use memory::{available_memory, installed_memory, peak_resident_memory, resident_memory};
#[cfg(not(unix))]
pub use other::*;
#[cfg(unix)]
pub use unix::*;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Device and inode number: equal for two names of one file.
pub type FileId = (u64, u64);

/// A signal to a process that controls a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    /// The process should exit.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// The process was suspended and has resumed.
    Continued,
    /// The terminal's size may have changed.
    Resized,
}

/// Result of waiting for terminal input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// This many bytes were read.
    Read(usize),
    /// No input arrived in time.
    TimedOut,
    /// A signal ended the wait.
    Interrupted,
    /// The input has ended.
    Closed,
}

/// Opens a file to read it, unless it is a pipe, a device or a socket: opening a pipe would wait for a
/// writer, and reading a device may never end.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let about = std::fs::metadata(path)?;
    // Reading a folder fails by itself.
    match about.is_file() || about.is_dir() {
        true => File::open(path),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR)),
    }
}

/// Whether two paths name the same file or folder.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let (Ok(about_a), Ok(about_b)) = (std::fs::metadata(a), std::fs::metadata(b)) else {
        return false;
    };
    match (file_id(&about_a), file_id(&about_b)) {
        (Some(a), Some(b)) => a == b,
        _ => std::fs::canonicalize(a).ok() == std::fs::canonicalize(b).ok(),
    }
}

/// Reads a whole file that [`open_to_read`] can open.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_to_read(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

const NOT_REGULAR: &str = "it is not a regular file; write it to a file first";
