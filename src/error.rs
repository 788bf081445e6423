//! The crate's error type: what went wrong, why, and what to do about it.

use crate::text::{Language, Said};
use std::{fmt, io};

/// The area an [`Error`] belongs to. It decides the exit status.
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
    /// The journal, an export or the outdir's lock failed.
    Store,
    /// The hub or the endpoint failed.
    Network,
    /// The terminal cannot be used.
    Terminal,
    /// The user stopped the run.
    Interrupted,
    /// A bug in this program.
    Internal,
}

/// An error for the user: what happened, why, and what to do about it. Only `main` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    /// What happened and to what: one sentence without a final period.
    pub cause: String,
    /// What the user can do about it, if anything.
    pub hint: Option<String>,
    /// Cause and hint in Korean, where a translation exists.
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

    /// Creates an error with an English and a Korean cause, for errors that the workstation shows.
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

    /// The cause in `language`; in English if it has no translation.
    pub fn cause_in(&self, language: Language) -> &str {
        match (language, &self.korean.0) {
            (Language::Korean, Some(cause)) => cause,
            _ => &self.cause,
        }
    }

    /// The cause in every language.
    pub fn to_said(&self) -> Said {
        Said {
            english: self.cause.clone(),
            korean: self.cause_in(Language::Korean).to_owned(),
        }
    }

    /// The hint in `language`; in English if it has no translation.
    pub fn hint_in(&self, language: Language) -> Option<&str> {
        match (language, &self.korean.1) {
            (Language::Korean, Some(hint)) => Some(hint),
            _ => self.hint.as_deref(),
        }
    }

    /// Prefixes the cause with the action that failed: `context: cause`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.cause = format!("{context}: {}", self.cause);
        if let Some(cause) = &mut self.korean.0 {
            *cause = format!("{context}: {cause}");
        }
        self
    }

    /// The process exit status: 2 for wrong usage, 130 for an interrupt, 1 for anything else.
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

/// Converts any error into an [`Error`] whose cause starts with the action that failed.
pub trait Context<T> {
    fn context(self, kind: ErrorKind, action: impl fmt::Display) -> Result<T>;
}

/// For `map_err`: converts an error of reading a file that the user named. The cause starts with
/// `action`.
pub fn unreadable(kind: ErrorKind, action: impl fmt::Display) -> impl Fn(io::Error) -> Error {
    move |error| {
        let converted = Error::new(kind, format!("{action}: {error}"));
        let hint = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "check the path",
            io::ErrorKind::PermissionDenied => "give read permission",
            io::ErrorKind::IsADirectory => "it is a folder: give a file",
            io::ErrorKind::InvalidData => "save it as UTF-8",
            _ => return converted,
        };
        converted.with_hint(hint)
    }
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, kind: ErrorKind, action: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(kind, format!("{action}: {error}")))
    }
}
