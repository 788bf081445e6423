//! What operating systems do each in their own way: files, processes, signals, the terminal's input.
//! Nothing outside this folder calls one.
//!
//! [`unix`] is complete. The other one is what a system needs to run at all; it is only known to
//! compile (`.ci/platforms`), so it is kept small.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub use other::*;
#[cfg(unix)]
pub use unix::*;

/// What tells two names of one file from two files.
pub type FileId = (u64, u64);

/// What the system tells a process that holds a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It is to end.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// It was stopped and goes on.
    Continued,
    /// The terminal may have another size.
    Resized,
}

/// What came of waiting for the terminal's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// So many bytes were read.
    Read(usize),
    /// Nothing came in time.
    TimedOut,
    /// A signal ended the wait.
    Interrupted,
    /// Nothing will come any more.
    Closed,
}
