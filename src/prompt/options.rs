//! Options of prompts.

use std::path::PathBuf;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    Ko,
    En,
    Both,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptOptions {
    /// A built-in version; unused if there is a `file`.
    pub version: String,
    pub file: Option<PathBuf>,
    pub lang: Lang,
    pub with_metadata: bool,
    /// A user's vocabulary instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
    /// A file with additional words, which need not exist.
    pub overlay: Option<PathBuf>,
}
