//! The sequences of a terminal: what they begin with, where they end, what they mean.

use super::event::{BEL, ESC, Input, key};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const PASTE: &str = "\u{1b}[200~";
const PASTE_END: &str = "\u{1b}[201~";
/// The longest of them has a handful of numbers.
const LONGEST: usize = 64;
const LONGEST_ANSWER: usize = 1 << 16;

/// A text between two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    Paste,
    /// OSC, DCS, APC.
    Answer,
}

/// What the characters from an escape character on are.
#[derive(Debug, PartialEq, Eq)]
pub enum Recognized {
    /// The next character decides.
    More,
    /// A text begins that ends by its mark.
    Delimited(Delimited),
    /// All of it is this, or nothing that anybody wants.
    Whole(Option<Input>),
    /// The last character is not part of it; what stands before it is of no use.
    BrokenOff,
    /// No sequence: the characters are keys.
    Keys,
}

/// `held` begins with an escape character and has more. Where its beginning was `given` out as
/// keys, only what can be nothing but an answer is taken for one.
pub fn find(held: &str, given: bool) -> Recognized {
    let mut chars = held.chars().skip(1);
    match chars.next() {
        Some('[') => control_sequence(&held[2..], given),
        Some('O') => match chars.next() {
            None => Recognized::More,
            Some(c) => match named(c).filter(|_| !given) {
                Some(code) => Recognized::Whole(key(code).map(Input::Key)),
                None => Recognized::Keys,
            },
        },
        Some(']') => begins_text(&held[2..], |text| {
            let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
            match (number.len() < text.len(), number) {
                (_, "") => Some(false),
                (true, ";" | "\u{7}") => Some(true),
                _ => None,
            }
        }),
        Some('P') => begins_text(&held[2..], |text| {
            let kind = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
            match kind {
                "" | "$" | "+" | "!" | ">" => Some(false),
                "|" | "$r" | "+r" | "!|" | ">|" => Some(true),
                _ => None,
            }
        }),
        Some('_') => begins_text(&held[2..], |text| {
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

/// `begins` says of a text whether it is certain to be an answer, and nothing where it is none.
fn begins_text(text: &str, begins: impl Fn(&str) -> Option<bool>) -> Recognized {
    match begins(text) {
        Some(true) if text.ends_with(BEL) => Recognized::Whole(None),
        Some(true) => Recognized::Delimited(Delimited::Answer),
        Some(false) if text.len() < LONGEST => Recognized::More,
        _ => Recognized::Keys,
    }
}

/// Whether no keys make this: it is broken off then, and not typed.
pub fn is_certain(held: &str) -> bool {
    held.starts_with("\u{1b}[") && held.len() > 2
}

/// Where a text stands after its newest character.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    NotYet,
    Here,
    /// It lacks its end mark: so many characters are not part of it.
    BrokenOff(usize),
}

pub fn end(text: Delimited, held: &str) -> End {
    if text == Delimited::Paste {
        return match held.ends_with(PASTE_END) {
            true => End::Here,
            false => End::NotYet,
        };
    }
    let mut last = held.chars().rev();
    match (last.next(), last.next()) {
        (Some(BEL), _) | (Some('\\'), Some(ESC)) => End::Here,
        (Some(_), Some(ESC)) => End::BrokenOff(2),
        // No answer holds any other.
        (Some(c), _) if c != ESC && c.is_control() => End::BrokenOff(1),
        _ if held.len() > LONGEST_ANSWER => End::BrokenOff(0),
        _ => End::NotYet,
    }
}

/// What a text comes to that has ended, or has been waited for in vain.
pub fn finished(text: Delimited, held: &str) -> Option<Input> {
    match text {
        Delimited::Paste => {
            let pasted = held.strip_prefix(PASTE).unwrap_or(held);
            let pasted = pasted.strip_suffix(PASTE_END).unwrap_or(pasted);
            Some(Input::Paste(pasted.to_owned()))
        }
        Delimited::Answer => Some(Input::Report(held.to_owned())),
    }
}

/// What follows `ESC [`.
fn control_sequence(text: &str, given: bool) -> Recognized {
    let end = text.find(|c| !(' '..='?').contains(&c));
    let (parameters, end) = text.split_at(end.unwrap_or(text.len()));
    let mut end = end.chars();
    let Some(letter) = end.next() else {
        return match text.len() < LONGEST {
            true => Recognized::More,
            false => Recognized::BrokenOff,
        };
    };
    if given && parameters.is_empty() {
        return Recognized::Keys;
    }
    match letter {
        // The function keys of a Linux console.
        '[' if parameters.is_empty() => match end.next() {
            None => Recognized::More,
            Some(c @ 'A'..='E') => {
                Recognized::Whole(key(KeyCode::F(c as u8 - b'A' + 1)).map(Input::Key))
            }
            Some(_) => Recognized::BrokenOff,
        },
        // A click as old terminals report it: a button and two coordinates.
        'M' if parameters.is_empty() => {
            let told: Vec<u32> = end.map(|c| u32::from(c).saturating_sub(32)).collect();
            match told[..] {
                [button, x, y] => Recognized::Whole(mouse(button, x, y, false)),
                _ => Recognized::More,
            }
        }
        '~' if parameters == "200" => Recognized::Delimited(Delimited::Paste),
        '@'..='~' => Recognized::Whole(meaning(parameters, letter)),
        _ => Recognized::BrokenOff,
    }
}

fn meaning(parameters: &str, end: char) -> Option<Input> {
    let report = || Some(Input::Report(format!("\u{1b}[{parameters}{end}")));
    let mut numbers = parameters.split(';');
    let first = numbers.next().unwrap_or_default();
    if let Some(button) = first.strip_prefix('<') {
        let (x, y) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        return mouse(button.parse().ok()?, x, y, end == 'm');
    }
    let second = numbers.next();
    let held = modifiers(second);
    let pressed = |code| Some(Input::Key(KeyEvent::new(code, held)));
    match end {
        _ if parameters.starts_with(['?', '>', '=']) => report(),
        // A cursor report ends with the letter of F3.
        'R' | 'c' | 'n' | 't' | 'y' => report(),
        'Z' => Some(Input::Key(KeyEvent::new(
            KeyCode::BackTab,
            KeyModifiers::SHIFT,
        ))),
        '~' if first == "27" => character(numbers.next()?, held),
        '~' => pressed(numbered(first.parse().ok()?)?),
        'u' => match second.and_then(|second| second.split(':').nth(1)) {
            // A release.
            Some("3") => None,
            _ => character(first, held),
        },
        // A click of rxvt.
        'M' => {
            let (x, y) = (second?.parse().ok()?, numbers.next()?.parse().ok()?);
            mouse(first.parse::<u32>().ok()?.checked_sub(32)?, x, y, false)
        }
        end if first.is_empty() || first == "1" => pressed(named(end)?),
        _ => None,
    }
}

/// A key reported by the number of its character.
fn character(number: &str, held: KeyModifiers) -> Option<Input> {
    let number = number.split(':').next()?.parse().ok()?;
    let code = match char::from_u32(number)? {
        '\r' => KeyCode::Enter,
        '\t' if held.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        ESC => KeyCode::Esc,
        '\u{8}' | '\u{7f}' => KeyCode::Backspace,
        // Private use: keys without a character.
        '\u{e000}'..='\u{f8ff}' => return None,
        c if c.is_control() => return None,
        c if held.contains(KeyModifiers::SHIFT) => {
            let mut upper = c.to_uppercase();
            KeyCode::Char(upper.next().filter(|_| upper.len() == 0).unwrap_or(c))
        }
        c => KeyCode::Char(c),
    };
    Some(Input::Key(KeyEvent::new(code, held)))
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
    let mut held = KeyModifiers::NONE;
    held.set(KeyModifiers::SHIFT, button & 4 != 0);
    held.set(KeyModifiers::ALT, button & 8 != 0);
    held.set(KeyModifiers::CONTROL, button & 16 != 0);
    Some(Input::Mouse(MouseEvent {
        kind,
        column: cell(x)?,
        row: cell(y)?,
        modifiers: held,
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

/// The keys held down, as a number of which one bit each is Shift, Alt and Control.
fn modifiers(number: Option<&str>) -> KeyModifiers {
    let number = number.and_then(|number| number.split(':').next());
    let bits: u8 = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let bits = bits.saturating_sub(1);
    let mut held = KeyModifiers::NONE;
    held.set(KeyModifiers::SHIFT, bits & 1 != 0);
    held.set(KeyModifiers::ALT, bits & 2 != 0);
    held.set(KeyModifiers::CONTROL, bits & 4 != 0);
    held
}
