//! The one error type that crosses module borders: what went wrong, why, and what to do.

use std::fmt;

/// Which part of the job an [`Error`] belongs to; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong flags, configuration or key file.
    Usage,
    /// The source (database, manifest, folder) cannot be read.
    Source,
    /// One image cannot be used.
    Image,
    /// The model cannot be loaded or failed while computing.
    Model,
    /// The journal, an export or the lock of the outdir.
    Store,
    /// Hub or endpoint.
    Network,
    /// The terminal cannot be used.
    Terminal,
    /// The user stopped the run.
    Interrupted,
    /// A fault of this program.
    Internal,
}

/// What happened, why, and what the user can do about it. Printed in one place, `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    /// What happened and to what, one sentence without a full stop.
    pub cause: String,
    /// What to do, where there is something to do.
    pub hint: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: ErrorKind, cause: impl fmt::Display) -> Self {
        Self {
            kind,
            cause: cause.to_string(),
            hint: None,
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the cause: `context: cause`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.cause = format!("{context}: {}", self.cause);
        self
    }

    /// The process exit status of CONTRACT: 2 wrong usage, 130 interrupted, 1 could not go on.
    pub fn exit_status(&self) -> u8 {
        match self.kind {
            ErrorKind::Usage => 2,
            ErrorKind::Interrupted => 130,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Error {}

/// Turns a foreign error into ours, saying what was being done.
pub trait Context<T> {
    fn context(self, kind: ErrorKind, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, kind: ErrorKind, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(kind, format!("{doing}: {error}")))
    }
}
