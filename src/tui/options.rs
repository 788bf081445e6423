//! Appearance and language of a screen.

use crate::text::Language;

/// How the workstation shows icons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PictureChoice {
    /// The best protocol that the terminal supports.
    #[default]
    Auto,
    Kitty,
    Sixel,
    Iterm,
    /// Half-block characters, two pixels per cell.
    Blocks,
    None,
}

/// Appearance and language of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookOptions {
    /// Name of a built-in theme, or a file.
    pub theme: Option<String>,
    pub pictures: PictureChoice,
    pub language: Language,
}
