//! Recognizes and decodes the escape sequences of terminals.

use super::event::{BEL, ESC, Input, key};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const PASTE: &str = "\u{1b}[200~";
const PASTE_END: &str = "\u{1b}[201~";
/// Longest control sequence in bytes; they have a handful of numbers at most.
const MAX_SEQUENCE: usize = 64;
const MAX_REPLY: usize = 1 << 16;

/// A kind of text between a start and an end mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    Paste,
    /// A reply as OSC, DCS or APC.
    Reply,
}

/// What the characters from an escape character on form.
#[derive(Debug, PartialEq, Eq)]
pub enum Recognized {
    /// Not enough characters to decide.
    Incomplete,
    /// The start of a delimited text.
    Delimited(Delimited),
    /// A complete sequence; `None` if its input is ignored.
    Complete(Option<Input>),
    /// An aborted sequence to drop. The last character is not part of it.
    Aborted,
    /// The characters are keys.
    Keys,
}

/// Recognizes the sequence that `pending`, an escape character and more, begins with. If its
/// beginning was already `emitted` as keys, only unmistakable replies are recognized.
pub fn find(pending: &str, emitted: bool) -> Recognized {
    let mut chars = pending.chars().skip(1);
    match chars.next() {
        Some('[') => control_sequence(&pending[2..], emitted),
        Some('O') => match chars.next() {
            None => Recognized::Incomplete,
            Some(c) => match named(c).filter(|_| !emitted) {
                Some(code) => Recognized::Complete(key(code).map(Input::Key)),
                None => Recognized::Keys,
            },
        },
        Some(']') => reply_start(&pending[2..], |text| {
            let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
            match (number.len() < text.len(), number) {
                (_, "") => Some(false),
                (true, ";" | "\u{7}") => Some(true),
                _ => None,
            }
        }),
        Some('P') => reply_start(&pending[2..], |text| {
            let kind = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
            match kind {
                "" | "$" | "+" | "!" | ">" => Some(false),
                "|" | "$r" | "+r" | "!|" | ">|" => Some(true),
                _ => None,
            }
        }),
        Some('_') => reply_start(&pending[2..], |text| {
            let mut text = text.chars();
            match (text.next(), text.next(), text.next()) {
                (None, ..) | (Some('G'), None, _) => Some(false),
                (Some('G'), Some(c), None) => c.is_ascii_alphabetic().then_some(false),
                (Some('G'), Some(_), Some('=')) => Some(true),
                _ => None,
            }
        }),
        _ => Recognized::Keys,
    }
}

/// `is_reply` is `Some(true)` for a text that is certain to be a reply, `Some(false)` for one that
/// may become a reply, and `None` for other texts.
fn reply_start(text: &str, is_reply: impl Fn(&str) -> Option<bool>) -> Recognized {
    match is_reply(text) {
        Some(true) if text.ends_with(BEL) => Recognized::Complete(None),
        Some(true) => Recognized::Delimited(Delimited::Reply),
        Some(false) if text.len() < MAX_SEQUENCE => Recognized::Incomplete,
        _ => Recognized::Keys,
    }
}

/// Whether `pending` can only be an aborted sequence and not typed keys.
pub fn is_certain(pending: &str) -> bool {
    pending.starts_with("\u{1b}[") && pending.len() > 2
}

/// Whether a delimited text has ended with its newest character.
#[derive(Debug, PartialEq, Eq)]
pub enum TextEnd {
    NotYet,
    Here,
    /// Aborted without an end mark. This many of its last characters are not part of it.
    Aborted(usize),
}

pub fn end(text: Delimited, pending: &str) -> TextEnd {
    if text == Delimited::Paste {
        return match pending.ends_with(PASTE_END) {
            true => TextEnd::Here,
            false => TextEnd::NotYet,
        };
    }
    let mut last = pending.chars().rev();
    match (last.next(), last.next()) {
        (Some(BEL), _) | (Some('\\'), Some(ESC)) => TextEnd::Here,
        (Some(_), Some(ESC)) => TextEnd::Aborted(2),
        // A reply has no other control characters.
        (Some(c), _) if c != ESC && c.is_control() => TextEnd::Aborted(1),
        _ if pending.len() > MAX_REPLY => TextEnd::Aborted(0),
        _ => TextEnd::NotYet,
    }
}

/// The input of a delimited text that has ended or timed out.
pub fn finished(text: Delimited, pending: &str) -> Option<Input> {
    match text {
        Delimited::Paste => {
            let pasted = pending.strip_prefix(PASTE).unwrap_or(pending);
            let pasted = pasted.strip_suffix(PASTE_END).unwrap_or(pasted);
            Some(Input::Paste(pasted.to_owned()))
        }
        Delimited::Reply => Some(Input::Report(pending.to_owned())),
    }
}

/// Recognizes the text after `ESC [`.
fn control_sequence(text: &str, emitted: bool) -> Recognized {
    let end = text.find(|c| !(' '..='?').contains(&c));
    let (parameters, end) = text.split_at(end.unwrap_or(text.len()));
    let mut end = end.chars();
    let Some(letter) = end.next() else {
        return match text.len() < MAX_SEQUENCE {
            true => Recognized::Incomplete,
            false => Recognized::Aborted,
        };
    };
    if emitted && parameters.is_empty() {
        return Recognized::Keys;
    }
    match letter {
        // The function keys of a Linux console.
        '[' if parameters.is_empty() => match end.next() {
            None => Recognized::Incomplete,
            Some(c @ 'A'..='E') => {
                Recognized::Complete(key(KeyCode::F(c as u8 - b'A' + 1)).map(Input::Key))
            }
            Some(_) => Recognized::Aborted,
        },
        // The legacy mouse report: a button and two coordinates.
        'M' if parameters.is_empty() => {
            let numbers: Vec<u32> = end.map(|c| u32::from(c).saturating_sub(32)).collect();
            match numbers[..] {
                [button, x, y] => Recognized::Complete(mouse(button, x, y, false)),
                _ => Recognized::Incomplete,
            }
        }
        '~' if parameters == "200" => Recognized::Delimited(Delimited::Paste),
        '@'..='~' => Recognized::Complete(decode(parameters, letter)),
        _ => Recognized::Aborted,
    }
}

fn decode(parameters: &str, end: char) -> Option<Input> {
    let report = || Some(Input::Report(format!("\u{1b}[{parameters}{end}")));
    let mut numbers = parameters.split(';');
    let first = numbers.next().unwrap_or_default();
    if let Some(button) = first.strip_prefix('<') {
        let (x, y) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        return mouse(button.parse().ok()?, x, y, end == 'm');
    }
    let second = numbers.next();
    let modifiers = modifiers(second);
    let pressed = |code| Some(Input::Key(KeyEvent::new(code, modifiers)));
    match end {
        _ if parameters.starts_with(['?', '>', '=']) => report(),
        // A cursor report ends with the letter of F3.
        'R' | 'c' | 'n' | 't' | 'y' => report(),
        'Z' => Some(Input::Key(KeyEvent::new(
            KeyCode::BackTab,
            KeyModifiers::SHIFT,
        ))),
        '~' if first == "27" => character(numbers.next()?, modifiers),
        '~' => pressed(numbered(first.parse().ok()?)?),
        'u' => match second.and_then(|second| second.split(':').nth(1)) {
            // A key release.
            Some("3") => None,
            _ => character(first, modifiers),
        },
        // The mouse report of rxvt.
        'M' => {
            let (x, y) = (second?.parse().ok()?, numbers.next()?.parse().ok()?);
            mouse(first.parse::<u32>().ok()?.checked_sub(32)?, x, y, false)
        }
        end if first.is_empty() || first == "1" => pressed(named(end)?),
        _ => None,
    }
}

/// A key reported by the number of its character.
fn character(number: &str, modifiers: KeyModifiers) -> Option<Input> {
    let number = number.split(':').next()?.parse().ok()?;
    let code = match char::from_u32(number)? {
        '\r' => KeyCode::Enter,
        '\t' if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        ESC => KeyCode::Esc,
        '\u{8}' | '\u{7f}' => KeyCode::Backspace,
        // Private use: keys without a character.
        '\u{e000}'..='\u{f8ff}' => return None,
        c if c.is_control() => return None,
        c if modifiers.contains(KeyModifiers::SHIFT) => {
            let mut upper = c.to_uppercase();
            KeyCode::Char(upper.next().filter(|_| upper.len() == 0).unwrap_or(c))
        }
        c => KeyCode::Char(c),
    };
    Some(Input::Key(KeyEvent::new(code, modifiers)))
}

fn mouse(button: u32, x: u32, y: u32, up: bool) -> Option<Input> {
    let number = (button & 0b11) | (button >> 4 & 0b1100);
    let moved = button & 0b10_0000 != 0;
    let which = match number {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (which, number) {
        (Some(button), _) if moved => MouseEventKind::Drag(button),
        (Some(button), _) if up => MouseEventKind::Up(button),
        (Some(button), _) => MouseEventKind::Down(button),
        (None, 3..=5) if moved => MouseEventKind::Moved,
        (None, 3) => MouseEventKind::Up(MouseButton::Left),
        (None, 4) => MouseEventKind::ScrollUp,
        (None, 5) => MouseEventKind::ScrollDown,
        (None, 6) => MouseEventKind::ScrollLeft,
        (None, 7) => MouseEventKind::ScrollRight,
        _ => return None,
    };
    let cell = |at: u32| u16::try_from(at.checked_sub(1)?).ok();
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, button & 4 != 0);
    modifiers.set(KeyModifiers::ALT, button & 8 != 0);
    modifiers.set(KeyModifiers::CONTROL, button & 16 != 0);
    Some(Input::Mouse(MouseEvent {
        kind,
        column: cell(x)?,
        row: cell(y)?,
        modifiers,
    }))
}

fn named(letter: char) -> Option<KeyCode> {
    Some(match letter {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'F' => KeyCode::End,
        'H' => KeyCode::Home,
        'P'..='S' => KeyCode::F(letter as u8 - b'P' + 1),
        _ => return None,
    })
}

fn numbered(number: u8) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(number - 10),
        17..=21 => KeyCode::F(number - 11),
        23..=26 => KeyCode::F(number - 12),
        28..=29 => KeyCode::F(number - 13),
        31..=34 => KeyCode::F(number - 14),
        _ => return None,
    })
}

/// Decodes modifiers: one plus a bit each for Shift, Alt and Control.
fn modifiers(number: Option<&str>) -> KeyModifiers {
    let number = number.and_then(|number| number.split(':').next());
    let bits: u8 = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let bits = bits.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers
}
