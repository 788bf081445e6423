//! Operating system specifics: files, processes, signals and terminal input. Only this folder calls
//! the operating system directly.
//!
//! [`unix`] is complete. `other` is the minimum that any other system needs. CI only compiles it
//! (`.ci/platforms`), so it is kept small.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub use other::*;
#[cfg(unix)]
pub use unix::*;

/// Device and inode number: equal for two names of one file.
pub type FileId = (u64, u64);

/// A signal to a process that controls a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
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
