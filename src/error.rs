//! The one error type that crosses module borders: what went wrong, why, and what to do.

use crate::text::{Language, Said};
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
    /// Cause and hint in Korean, where they were said in it.
    korean: (Option<String>, Option<String>),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: ErrorKind, cause: impl fmt::Display) -> Self {
        Self {
            kind,
            cause: cause.to_string(),
            hint: None,
            korean: (None, None),
        }
    }

    /// An error that an operator may meet in the workstation, in the language of each.
    pub fn said(kind: ErrorKind, cause: Said) -> Self {
        Self {
            korean: (Some(cause.korean), None),
            ..Self::new(kind, cause.english)
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn with_said_hint(mut self, hint: impl Into<Said>) -> Self {
        let hint = hint.into();
        self.korean.1 = Some(hint.korean);
        self.with_hint(hint.english)
    }

    /// What happened, in a language; in English where it was said in no other.
    pub fn cause_in(&self, language: Language) -> &str {
        match (language, &self.korean.0) {
            (Language::Korean, Some(cause)) => cause,
            _ => &self.cause,
        }
    }

    /// What happened, in every language.
    pub fn to_said(&self) -> Said {
        Said {
            english: self.cause.clone(),
            korean: self.cause_in(Language::Korean).to_owned(),
        }
    }

    /// What to do, in a language.
    pub fn hint_in(&self, language: Language) -> Option<&str> {
        match (language, &self.korean.1) {
            (Language::Korean, Some(hint)) => Some(hint),
            _ => self.hint.as_deref(),
        }
    }

    /// Puts what was being done before the cause: `context: cause`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.cause = format!("{context}: {}", self.cause);
        if let Some(cause) = &mut self.korean.0 {
            *cause = format!("{context}: {cause}");
        }
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
