//! The words of the workstation, in every language that it speaks. What the engine reports is put
//! into words here for both front ends.
//!
//! The chapters of the table give each text a name and hold its languages side by side; a text
//! without one of them does not compile. What stands in a table already (actions, reasons, fixes,
//! fields) has its words in that table, and errors say themselves in every language.

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

/// Says everything in one language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words {
    language: Language,
}

impl Words {
    /// What `--batch` and the commands speak.
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

    /// What happened.
    pub fn cause(self, error: &Error) -> &str {
        error.cause_in(self.language)
    }

    /// What to do about it.
    pub fn hint(self, error: &Error) -> Option<&str> {
        error.hint_in(self.language)
    }

    fn is_korean(self) -> bool {
        self.language == Language::Korean
    }
}
