//! The user-visible texts of the workstation in all its languages, and the texts of engine reports
//! for both front ends.
//!
//! Each submodule is a table that names the texts and lists their translations side by side. A
//! missing translation does not compile. Actions, reasons, fixes and fields have their texts in
//! their own tables, and errors carry their text in every language.

#[macro_use]
mod table;

mod bars;
mod bulk;
mod dialogs;
mod engine;
mod fields;
mod files;
mod judging;
mod notices;
mod progress;
mod record;
mod screens;
mod steps;

use crate::error::Error;
use crate::text::{Language, Phrase, Said};

/// Gives all texts in one language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words {
    language: Language,
}

impl Words {
    /// The language of `--batch` and the commands.
    pub const ENGLISH: Self = Self::new(Language::English);

    pub const fn new(language: Language) -> Self {
        Self { language }
    }

    pub fn language(self) -> Language {
        self.language
    }

    pub fn phrase(self, phrase: Phrase) -> &'static str {
        phrase.of(self.language)
    }

    pub fn said(self, said: &Said) -> &str {
        said.of(self.language)
    }

    /// The cause of an error.
    pub fn cause(self, error: &Error) -> &str {
        error.cause_in(self.language)
    }

    /// The hint of an error.
    pub fn hint(self, error: &Error) -> Option<&str> {
        error.hint_in(self.language)
    }

    fn is_korean(self) -> bool {
        self.language == Language::Korean
    }
}
