//! Decoded terminal input.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};

pub const ESC: char = '\u{1b}';
pub const BEL: char = '\u{7}';

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    /// A complete reply of the terminal.
    Report(String),
}

/// A key without modifiers.
pub fn key(code: KeyCode) -> Option<KeyEvent> {
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}
