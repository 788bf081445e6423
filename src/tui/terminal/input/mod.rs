//! Decodes the bytes that a terminal sends into input events. Replies of the terminal are never
//! taken for keys, however late and in however many pieces they arrive.

mod event;
mod sequence;

pub use event::Input;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use event::{ESC, key};
use sequence::{Delimited, Recognized, TextEnd};
use std::time::Duration;

/// An escape character is the Esc key if nothing follows for this long.
const ESC_TIMEOUT: Duration = Duration::from_millis(50);
/// The same while replies are expected, because one may begin here.
const ESC_TIMEOUT_BEFORE_REPLY: Duration = Duration::from_millis(300);
/// An escape character with one more is a key with Alt if nothing follows for this long.
const ALT_TIMEOUT: Duration = Duration::from_millis(250);
/// How long to wait for the next part of a sequence.
const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for the next part of a delimited text.
const TEXT_TIMEOUT: Duration = Duration::from_secs(5);

/// Decodes bytes that arrive in any pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bytes of an incomplete character.
    bytes: Vec<u8>,
    /// Characters from an escape character on, which may become a sequence.
    pending: String,
    /// How many characters of `pending` were already emitted as keys after a timeout.
    emitted: usize,
    /// The kind of delimited text in `pending`.
    text: Option<Delimited>,
    /// The terminal has not replied to all queries yet.
    pub expects_replies: bool,
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
                    // Bytes that are not UTF-8 are not keys.
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

    /// How long to wait for more input before [`Self::expire`]; `None` if nothing is pending.
    pub fn timeout(&self) -> Option<Duration> {
        let length = self.pending.chars().count();
        match (length, self.text, self.emitted) {
            (0, ..) => None,
            (_, Some(_), _) => Some(TEXT_TIMEOUT),
            // All of it was emitted, but what follows soon may still belong to it.
            (_, None, emitted) if emitted == length => Some(SEQUENCE_TIMEOUT),
            (1, None, _) if self.expects_replies => Some(ESC_TIMEOUT_BEFORE_REPLY),
            (1, None, _) => Some(ESC_TIMEOUT),
            (2, None, _) => Some(ALT_TIMEOUT),
            _ => Some(SEQUENCE_TIMEOUT),
        }
    }

    /// Emits or drops what is pending after [`Self::timeout`] without input.
    pub fn expire(&mut self) -> Vec<Input> {
        let mut out = Vec::new();
        match self.text {
            Some(Delimited::Paste) => {
                out.extend(sequence::finished(Delimited::Paste, &self.pending))
            }
            Some(Delimited::Reply) => {}
            None => {
                let length = self.pending.chars().count();
                let may_continue = length <= 2 && self.emitted < length;
                if !sequence::is_certain(&self.pending) || self.emitted > 0 {
                    self.emit_keys(&mut out);
                }
                if may_continue {
                    self.emitted = length;
                    return out;
                }
            }
        }
        self.reset();
        out
    }

    fn reset(&mut self) {
        self.pending.clear();
        self.emitted = 0;
        self.text = None;
    }

    fn take(&mut self, c: char, out: &mut Vec<Input>) {
        if self.pending.is_empty() {
            match c {
                ESC => self.pending.push(c),
                c => out.extend(plain(c).map(Input::Key)),
            }
            return;
        }
        self.pending.push(c);
        if let Some(text) = self.text {
            match sequence::end(text, &self.pending) {
                TextEnd::NotYet => {}
                TextEnd::Here => {
                    out.extend(sequence::finished(text, &self.pending));
                    self.reset();
                }
                TextEnd::Aborted(others) => {
                    let mut last: Vec<char> = self.pending.chars().rev().take(others).collect();
                    last.reverse();
                    self.reset();
                    last.into_iter().for_each(|c| self.take(c, out));
                }
            }
            return;
        }
        match sequence::find(&self.pending, self.emitted > 0) {
            Recognized::Incomplete => {}
            Recognized::Delimited(text) => self.text = Some(text),
            Recognized::Complete(input) => {
                out.extend(input);
                self.reset();
            }
            Recognized::Aborted => {
                self.reset();
                self.take(c, out);
            }
            Recognized::Keys => {
                self.pending.pop();
                self.emit_keys(out);
                let alone = self.pending.chars().count() == 1 && self.emitted == 0;
                self.reset();
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

    /// Emits the pending characters as keys.
    fn emit_keys(&mut self, out: &mut Vec<Input>) {
        let mut chars = self.pending.chars().skip(self.emitted).peekable();
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
        // Before raw mode is on, the terminal sends a line feed for Enter.
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
