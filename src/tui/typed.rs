//! Keys out of the bytes that a terminal sends, where crossterm cannot read them: between its own
//! answers, while it is being asked.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::iter::Peekable;
use std::str::Chars;

const ESC: char = '\u{1b}';
const BEL: char = '\u{7}';

/// The keys as crossterm would tell them. What the terminal says of itself, mouse reports and
/// pastes are no keys: nothing on the screen yet asks for them.
pub fn keys(text: &str) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        keys.extend(match c {
            ESC => escape(&mut rest),
            c => plain(c),
        });
    }
    keys
}

fn key(code: KeyCode) -> Option<KeyEvent> {
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}

fn control(c: char) -> Option<KeyEvent> {
    Some(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

fn plain(c: char) -> Option<KeyEvent> {
    match c {
        // Before raw mode the terminal makes a line feed of Enter.
        '\r' | '\n' => key(KeyCode::Enter),
        '\t' => key(KeyCode::Tab),
        '\u{7f}' => key(KeyCode::Backspace),
        '\0' => control(' '),
        '\u{1}'..='\u{1a}' => control(char::from(c as u8 - 1 + b'a')),
        '\u{1c}'..='\u{1f}' => control(char::from(c as u8 - 0x1c + b'4')),
        // Bytes that are no text.
        c if c.is_control() || c == '\u{fffd}' => None,
        c if c.is_uppercase() => Some(KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT)),
        c => key(KeyCode::Char(c)),
    }
}

/// What follows an escape character.
fn escape(rest: &mut Peekable<Chars>) -> Option<KeyEvent> {
    match rest.peek() {
        // Esc itself, perhaps before a sequence of its own.
        None | Some(&ESC) => return key(KeyCode::Esc),
        Some(_) => {}
    }
    match rest.next()? {
        '[' => sequence(rest),
        'O' => key(named(rest.next()?)?),
        // Strings, which only a terminal sends.
        ']' | 'P' | '_' | '^' | 'X' => {
            let mut last = ' ';
            rest.find(|&c| {
                let end = c == BEL || (last == ESC && c == '\\');
                last = c;
                end
            });
            None
        }
        c => plain(c).map(|mut key| {
            key.modifiers |= KeyModifiers::ALT;
            key
        }),
    }
}

/// What follows `ESC [`.
fn sequence(rest: &mut Peekable<Chars>) -> Option<KeyEvent> {
    let mut parameters = String::new();
    while let Some(c) = rest.next_if(|c| (' '..='?').contains(c)) {
        parameters.push(c);
    }
    // One that is broken off by the next ends here.
    let end = rest.next_if(|&c| c != ESC)?;
    let mut numbers = parameters.split(';');
    let first = numbers.next().unwrap_or_default();
    let held = modifiers(numbers.next());
    match end {
        'Z' => Some(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)),
        '~' if first == "200" => {
            skip_paste(rest);
            None
        }
        '~' => Some(KeyEvent::new(numbered(first.parse().ok()?)?, held)),
        // The function keys of a Linux console.
        '[' => key(KeyCode::F(match rest.next()? {
            c @ 'A'..='E' => c as u8 - b'A' + 1,
            _ => return None,
        })),
        // A click as old terminals tell it: a button and two coordinates.
        'M' if parameters.is_empty() => {
            rest.nth(2);
            None
        }
        // Where the cursor stands is told with the letter of F3.
        'R' => None,
        end if first.is_empty() || first == "1" => Some(KeyEvent::new(named(end)?, held)),
        _ => None,
    }
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
    let bits: u8 = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let bits = bits.saturating_sub(1);
    let mut held = KeyModifiers::NONE;
    held.set(KeyModifiers::SHIFT, bits & 1 != 0);
    held.set(KeyModifiers::ALT, bits & 2 != 0);
    held.set(KeyModifiers::CONTROL, bits & 4 != 0);
    held
}

fn skip_paste(rest: &mut Peekable<Chars>) {
    const END: &str = "\u{1b}[201~";
    let mut seen = String::new();
    rest.find(|&c| {
        seen.push(c);
        seen.ends_with(END)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Key;

    /// As key files write them.
    fn told(text: &str) -> String {
        let keys = keys(text);
        let keys = keys.iter().flat_map(Key::from_event);
        keys.map(|key| key.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn letters_and_control_keys() {
        assert_eq!(
            told("jG\r\n\t\u{7f}\0"),
            "j G Enter Enter Tab Backspace Ctrl-Space"
        );
        assert_eq!(told("\u{1a}\u{3}\u{8}"), "Ctrl-z Ctrl-c Ctrl-h");
        assert_eq!(keys("ㅓ"), [KeyEvent::from(KeyCode::Char('ㅓ'))]);
        assert_eq!(told("\u{fffd}\u{9b}"), "");
    }

    #[test]
    fn keys_that_terminals_send_as_sequences() {
        assert_eq!(
            told("\u{1b}[A\u{1b}OB\u{1b}[1;5C\u{1b}[H\u{1b}[4~\u{1b}[Z"),
            "Up Down Ctrl-Right Home End Shift-Tab"
        );
        assert_eq!(
            told("\u{1b}[2~\u{1b}[3;2~\u{1b}[5~\u{1b}[6~"),
            "Insert Shift-Delete PageUp PageDown"
        );
        assert_eq!(
            told("\u{1b}OP\u{1b}[11~\u{1b}[[B\u{1b}[15~\u{1b}[17~\u{1b}[24~"),
            "F1 F1 F2 F5 F6 F12"
        );
        assert_eq!(told("\u{1b}c\u{1b}\u{7f}"), "Alt-c Alt-Backspace");
        assert_eq!(told("\u{1b}"), "Esc");
        assert_eq!(told("\u{1b}\u{1b}[0nj"), "Esc j");
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        let answers = "\u{1b}_Gi=31;OK\u{1b}\\ㅏ\u{1b}[?62;4c\u{1b}[6;20;10tj\u{1b}]11;rgb:0/0/0\u{7}\
                       \u{1b}P>|xterm\u{1b}\\\r\u{1b}[3;7R\u{1b}[0n";
        assert_eq!(told(answers), "k j Enter");
        let mouse = "\u{1b}[<0;5;5M\u{1b}[<0;5;5m\u{1b}[M #$\u{1b}[32;5;5M\u{1b}[I";
        assert_eq!(told(mouse), "");
        assert_eq!(told("a\u{1b}[200~q\ry\u{1b}[A\u{1b}[201~b"), "a b");
        // Cut off where the patience ended.
        assert_eq!(told("a\u{1b}["), "a");
        assert_eq!(told("a\u{1b}[\u{1b}[0nj"), "a j");
        assert_eq!(told("a\u{1b}[6;20"), "a");
        assert_eq!(told("a\u{1b}]11;rgb"), "a");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[\u{1b}\\[\\]OP_;0-9~A-Zmt\u{7}\\\\가\u{0}-\u{1f}]{0,60}") {
            // An answer that came whole ends whatever stood before it, unless that was a string.
            let all = keys(&format!("{text}\u{1b}\\\u{1b}\\\u{1b}[201~\u{1b}[0nj"));
            proptest::prop_assert_eq!(all.last().map(|key| key.code), Some(KeyCode::Char('j')));
        }
    }
}
