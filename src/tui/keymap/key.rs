//! Keys, their names in key files, and the Latin keys of Hangul letters.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt::Write as _;

/// A key of a binding. Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl Key {
    /// The keys that an event stands for; several if an input method sent a whole syllable.
    pub fn from_event(event: &KeyEvent) -> Vec<Key> {
        let modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        match event.code {
            KeyCode::Char(c) => {
                let modifiers = modifiers - KeyModifiers::SHIFT;
                let mut keys = Vec::new();
                hangul_keys(c, &mut |c| {
                    keys.push(Key {
                        code: KeyCode::Char(c),
                        modifiers,
                    });
                });
                keys
            }
            KeyCode::BackTab => vec![Key {
                code: KeyCode::Tab,
                modifiers: modifiers | KeyModifiers::SHIFT,
            }],
            code => vec![Key { code, modifiers }],
        }
    }

    /// The event of a key press, as a terminal reports it.
    pub fn to_event(self) -> KeyEvent {
        match self.code {
            KeyCode::Tab if self.modifiers == KeyModifiers::SHIFT => {
                KeyEvent::new(KeyCode::BackTab, self.modifiers)
            }
            code => KeyEvent::new(code, self.modifiers),
        }
    }

    /// The digit on the key, if it is one.
    pub fn digit(&self) -> Option<usize> {
        match self.code {
            KeyCode::Char(c) => c.to_digit(10).map(|digit| digit as usize),
            _ => None,
        }
    }

    /// Parses a key from a key file, such as `ctrl-r` or `PageUp`. The error is a message for
    /// people.
    pub fn parse(text: &str) -> Result<Key, String> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        loop {
            let lower = rest.to_ascii_lowercase();
            let (flag, length) = if lower.starts_with("ctrl-") {
                (KeyModifiers::CONTROL, 5)
            } else if lower.starts_with("alt-") {
                (KeyModifiers::ALT, 4)
            } else if lower.starts_with("shift-") {
                (KeyModifiers::SHIFT, 6)
            } else {
                break;
            };
            modifiers |= flag;
            rest = &rest[length..];
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => NAMED
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(rest))
                .map(|(_, code)| *code)
                .or_else(|| {
                    let number = rest.strip_prefix(['f', 'F'])?.parse().ok()?;
                    (1..=24).contains(&number).then_some(KeyCode::F(number))
                })
                .ok_or_else(|| format!("there is no key `{text}`"))?,
        };
        match code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                if !c.is_ascii_lowercase() {
                    return Err(format!("write the shifted character instead of `{text}`"));
                }
                Ok(Key {
                    code: KeyCode::Char(c.to_ascii_uppercase()),
                    modifiers: modifiers - KeyModifiers::SHIFT,
                })
            }
            // A key is read as the Latin letter on it, so this one could never be pressed.
            KeyCode::Char(c) if latin(c) != c.to_string() => Err(format!(
                "write the Latin key `{}` instead of `{text}`; it works with a Hangul layout too",
                display(&latin(c))
            )),
            code => Ok(Key { code, modifiers }),
        }
    }
}

/// The Latin keys of a Hangul or full-width character; other characters unchanged.
fn latin(c: char) -> String {
    let mut keys = String::new();
    hangul_keys(c, &mut |key| keys.push(key));
    keys
}

/// Several keys in the form of a key file: `r k`.
fn display(keys: &str) -> String {
    let keys: Vec<String> = keys.chars().map(String::from).collect();
    keys.join(" ")
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (flag, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.modifiers.contains(flag) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => f.write_char(c),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => f.write_str(
                NAMED
                    .iter()
                    .find(|(_, named)| *named == code)
                    .map_or("?", |(name, _)| name),
            ),
        }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Space", KeyCode::Char(' ')),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

const LEADS: [&str; 19] = [
    "r", "R", "s", "e", "E", "f", "a", "q", "Q", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g",
];
const VOWELS: [&str; 21] = [
    "k", "o", "i", "O", "j", "p", "u", "P", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b",
    "m", "ml", "l",
];
const TAILS: [&str; 28] = [
    "", "r", "R", "rt", "s", "sw", "sg", "e", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a",
    "q", "qt", "t", "T", "d", "w", "c", "z", "x", "v", "g",
];
/// Keys of the compatibility letters, from ㄱ (U+3131).
const LETTERS: [&str; 51] = [
    "r", "R", "rt", "s", "sw", "sg", "e", "E", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a",
    "q", "Q", "qt", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g", "k", "o", "i", "O", "j", "p",
    "u", "P", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b", "m", "ml", "l",
];

/// Pushes the Latin keys of a Hangul character on a two-set keyboard, and the ASCII form of a
/// full-width character; other characters unchanged.
fn hangul_keys(c: char, push: &mut impl FnMut(char)) {
    let code = c as usize;
    let keys: [&str; 3] = match code {
        0x3131..=0x3163 => [LETTERS[code - 0x3131], "", ""],
        0xac00..=0xd7a3 => {
            let index = code - 0xac00;
            [
                LEADS[index / 588],
                VOWELS[index % 588 / 28],
                TAILS[index % 28],
            ]
        }
        // Input methods send full-width forms.
        0xff01..=0xff5e => return push(char::from_u32(c as u32 - 0xfee0).unwrap_or(c)),
        _ => return push(c),
    };
    keys.iter().flat_map(|part| part.chars()).for_each(push);
}
