//! Decodes the bytes that a terminal sends into input events. Its own reports are kept apart from
//! keys, however late and in however many pieces they arrive.

mod event;
mod sequence;

pub use event::Input;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use event::{ESC, key};
use sequence::{Delimited, End, Recognized};
use std::time::Duration;

/// An escape character is the key Esc where nothing follows for this long.
const ESCAPE: Duration = Duration::from_millis(50);
/// The same while the terminal owes answers, one of which may begin here.
const ESCAPE_AMID_ANSWERS: Duration = Duration::from_millis(300);
/// The beginning of an answer may also be a key with Alt.
const ALT: Duration = Duration::from_millis(250);
/// The next piece of a sequence.
const PIECE: Duration = Duration::from_secs(2);
/// The next piece of a text that has an end mark.
const LONG: Duration = Duration::from_secs(5);

/// Takes bytes as they come, in any pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Not yet a whole character.
    bytes: Vec<u8>,
    /// What has come from an escape character on, and may become a sequence.
    held: String,
    /// How many characters of it were given out as keys already, for nothing followed.
    given: usize,
    /// The end mark that `held` waits for.
    text: Option<Delimited>,
    /// The terminal has not replied to all queries yet.
    pub amid_answers: bool,
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.bytes.extend_from_slice(bytes);
        let mut out = Vec::new();
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    text.chars().for_each(|c| self.take(c, &mut out));
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    // Bytes that are no text are no keys either.
                    String::from_utf8_lossy(good)
                        .chars()
                        .for_each(|c| self.take(c, &mut out));
                    match error.error_len() {
                        Some(length) => rest = &bad[length..],
                        None => {
                            self.bytes = bad.to_vec();
                            break;
                        }
                    }
                }
            }
        }
        out
    }

    /// How long to wait for more before [`Self::expire`]; `None` where nothing is held back.
    pub fn patience(&self) -> Option<Duration> {
        let length = self.held.chars().count();
        match (length, self.text, self.given) {
            (0, ..) => None,
            (_, Some(_), _) => Some(LONG),
            // All of it was given out; what follows soon may still belong to it.
            (_, None, given) if given == length => Some(PIECE),
            (1, None, _) if self.amid_answers => Some(ESCAPE_AMID_ANSWERS),
            (1, None, _) => Some(ESCAPE),
            (2, None, _) => Some(ALT),
            _ => Some(PIECE),
        }
    }

    /// Nothing has come for as long as [`Self::patience`] says.
    pub fn expire(&mut self) -> Vec<Input> {
        let mut out = Vec::new();
        match self.text {
            Some(Delimited::Paste) => out.extend(sequence::finished(Delimited::Paste, &self.held)),
            Some(Delimited::Answer) => {}
            None => {
                let length = self.held.chars().count();
                let begins = length <= 2 && self.given < length;
                if !sequence::is_certain(&self.held) || self.given > 0 {
                    self.give_out(&mut out);
                }
                if begins {
                    self.given = length;
                    return out;
                }
            }
        }
        self.forget();
        out
    }

    fn forget(&mut self) {
        self.held.clear();
        self.given = 0;
        self.text = None;
    }

    fn take(&mut self, c: char, out: &mut Vec<Input>) {
        if self.held.is_empty() {
            match c {
                ESC => self.held.push(c),
                c => out.extend(plain(c).map(Input::Key)),
            }
            return;
        }
        self.held.push(c);
        if let Some(text) = self.text {
            match sequence::end(text, &self.held) {
                End::NotYet => {}
                End::Here => {
                    out.extend(sequence::finished(text, &self.held));
                    self.forget();
                }
                End::BrokenOff(others) => {
                    let mut last: Vec<char> = self.held.chars().rev().take(others).collect();
                    last.reverse();
                    self.forget();
                    last.into_iter().for_each(|c| self.take(c, out));
                }
            }
            return;
        }
        match sequence::find(&self.held, self.given > 0) {
            Recognized::More => {}
            Recognized::Delimited(text) => self.text = Some(text),
            Recognized::Whole(input) => {
                out.extend(input);
                self.forget();
            }
            Recognized::BrokenOff => {
                self.forget();
                self.take(c, out);
            }
            Recognized::Keys => {
                self.held.pop();
                self.give_out(out);
                let alone = self.held.chars().count() == 1 && self.given == 0;
                self.forget();
                match plain(c) {
                    // An escape character right before a key is Alt.
                    Some(mut key) if alone && c != ESC => {
                        out.pop();
                        key.modifiers |= KeyModifiers::ALT;
                        out.push(Input::Key(key));
                    }
                    _ => self.take(c, out),
                }
            }
        }
    }

    /// What is held is no sequence but keys.
    fn give_out(&mut self, out: &mut Vec<Input>) {
        let mut chars = self.held.chars().skip(self.given).peekable();
        while let Some(c) = chars.next() {
            let key = match (c, chars.peek()) {
                (ESC, Some(&next)) if next != ESC => {
                    chars.next();
                    plain(next).map(|mut key| {
                        key.modifiers |= KeyModifiers::ALT;
                        key
                    })
                }
                (ESC, _) => Some(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)),
                (c, _) => plain(c),
            };
            out.extend(key.map(Input::Key));
        }
    }
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
        ESC => key(KeyCode::Esc),
        '\0' => control(' '),
        '\u{1}'..='\u{1a}' => control(char::from(c as u8 - 1 + b'a')),
        '\u{1c}'..='\u{1f}' => control(char::from(c as u8 - 0x1c + b'4')),
        c if c.is_control() => None,
        c if c.is_uppercase() => Some(KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT)),
        c => key(KeyCode::Char(c)),
    }
}

#[cfg(test)]
mod tests;
