//! A text field: a cursor between graphemes, word moves, and the cursor's position on screen.

use crate::text::{for_input, width, wrap_offsets};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextEdit {
    text: String,
    /// A byte offset at a grapheme boundary.
    cursor: usize,
}

impl TextEdit {
    /// Starts with the cursor at the end.
    pub fn new(text: &str) -> Self {
        let text = for_input(text);
        let cursor = text.len();
        Self { text, cursor }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    pub fn insert(&mut self, text: &str) {
        let text = for_input(text);
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
        // A combining mark may have joined its neighbors.
        self.snap(self.cursor);
    }

    /// Moves the cursor to the first grapheme boundary from `at` on.
    fn snap(&mut self, at: usize) {
        let boundary = self.boundaries().find(|&boundary| boundary >= at);
        self.cursor = boundary.unwrap_or(self.text.len());
    }

    fn boundaries(&self) -> impl Iterator<Item = usize> + '_ {
        self.text
            .grapheme_indices(true)
            .map(|(at, _)| at)
            .chain([self.text.len()])
    }

    fn before(&self) -> usize {
        self.boundaries()
            .take_while(|&at| at < self.cursor)
            .last()
            .unwrap_or(0)
    }

    fn after(&self) -> usize {
        self.boundaries()
            .find(|&at| at > self.cursor)
            .unwrap_or(self.text.len())
    }

    fn word_before(&self) -> usize {
        self.text[..self.cursor]
            .unicode_word_indices()
            .next_back()
            .map_or(0, |(at, _)| at)
    }

    fn word_after(&self) -> usize {
        self.text[self.cursor..]
            .unicode_word_indices()
            .next()
            .map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.snap(from);
    }

    /// Handles a key that edits or moves. Returns `false` for other keys.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(c) if !ctrl && !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Left if ctrl || alt => self.cursor = self.word_before(),
            KeyCode::Right if ctrl || alt => self.cursor = self.word_after(),
            KeyCode::Char('b') if alt => self.cursor = self.word_before(),
            KeyCode::Char('f') if alt => self.cursor = self.word_after(),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Char('b') if ctrl => self.cursor = self.before(),
            KeyCode::Char('f') if ctrl => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('w') if ctrl => self.cut(self.word_before(), self.cursor),
            KeyCode::Backspace if ctrl || alt => self.cut(self.word_before(), self.cursor),
            KeyCode::Backspace => self.cut(self.before(), self.cursor),
            KeyCode::Char('h') if ctrl => self.cut(self.before(), self.cursor),
            KeyCode::Delete => self.cut(self.cursor, self.after()),
            KeyCode::Char('d') if ctrl => self.cut(self.cursor, self.after()),
            KeyCode::Char('u') if ctrl => self.cut(0, self.cursor),
            KeyCode::Char('k') if ctrl => self.cut(self.cursor, self.text.len()),
            _ => return false,
        }
        true
    }

    /// Wraps the text into lines of at most `cells`, and returns the cursor as (line, cell). The
    /// cursor may be one cell past the end of a full line, so callers keep a cell free.
    pub fn layout(&self, cells: usize) -> (Vec<String>, (usize, usize)) {
        let lines = wrap_offsets(&self.text, cells);
        let line = lines
            .iter()
            .rposition(|(start, _)| *start <= self.cursor)
            .unwrap_or(0);
        let column = width(&self.text[lines[line].0..self.cursor]);
        (
            lines.into_iter().map(|(_, text)| text.to_owned()).collect(),
            (line, column),
        )
    }

    /// The text in one line, scrolled sideways so that the cursor is in view, and the cursor's
    /// cell.
    pub fn window(&self, cells: usize) -> (String, usize) {
        let cells = cells.max(1);
        let mut start = 0;
        while width(&self.text[start..self.cursor]) >= cells {
            start += self.text[start..]
                .graphemes(true)
                .next()
                .map_or(1, str::len);
        }
        let mut shown = String::new();
        for grapheme in self.text[start..].graphemes(true) {
            if width(&shown) + width(grapheme) > cells {
                break;
            }
            shown.push_str(grapheme);
        }
        (shown, width(&self.text[start..self.cursor]))
    }

    /// Moves a line up or down in a layout of `cells`. Returns `false` at the first or last line.
    pub fn vertical(&mut self, cells: usize, down: bool) -> bool {
        let (lines, (line, column)) = self.layout(cells);
        let target = if down { line + 1 } else { line.wrapping_sub(1) };
        let Some(text) = lines.get(target) else {
            return false;
        };
        let start = wrap_offsets(&self.text, cells)[target].0;
        let mut at = start;
        for grapheme in text.graphemes(true) {
            if width(&self.text[start..at]) >= column {
                break;
            }
            at += grapheme.len();
        }
        self.cursor = at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(edit: &mut TextEdit, code: KeyCode, modifiers: KeyModifiers) {
        edit.key(&KeyEvent::new(code, modifiers));
    }

    #[test]
    fn moves_and_cuts_by_grapheme() {
        let mut edit = TextEdit::new("👩‍🚀반지");
        press(&mut edit, KeyCode::Home, KeyModifiers::NONE);
        press(&mut edit, KeyCode::Right, KeyModifiers::NONE);
        press(&mut edit, KeyCode::Char('x'), KeyModifiers::NONE);
        assert_eq!(edit.text(), "👩‍🚀x반지");
        press(&mut edit, KeyCode::Backspace, KeyModifiers::NONE);
        press(&mut edit, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(edit.text(), "반지");
        assert_eq!(edit.cursor(), 0);
    }

    #[test]
    fn moves_and_cuts_by_word() {
        let mut edit = TextEdit::new("붉은 보석 반지");
        press(&mut edit, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(edit.text(), "붉은 보석 ");
        press(&mut edit, KeyCode::Left, KeyModifiers::CONTROL);
        assert_eq!(edit.cursor(), "붉은 ".len());
    }

    #[test]
    fn the_cursor_is_within_the_layout() {
        let edit = TextEdit::new("붉은 보석이 박힌 반지");
        let (lines, (line, column)) = edit.layout(10);
        assert_eq!(lines[line].len().min(1), 1);
        assert_eq!(width(&lines[line]), column);
        let (shown, cell) = edit.window(8);
        assert!(width(&shown) <= 8 && cell < 8);
    }

    proptest::proptest! {
        #[test]
        fn any_keys_on_any_text_keep_the_cursor_inside(text in ".{0,40}", keys in proptest::collection::vec(0u8..14, 0..60), cells in 1usize..30) {
            let mut edit = TextEdit::new(&text);
            for key in keys {
                let (code, modifiers) = [
                    (KeyCode::Left, KeyModifiers::NONE), (KeyCode::Right, KeyModifiers::NONE),
                    (KeyCode::Left, KeyModifiers::CONTROL), (KeyCode::Right, KeyModifiers::CONTROL),
                    (KeyCode::Backspace, KeyModifiers::NONE), (KeyCode::Delete, KeyModifiers::NONE),
                    (KeyCode::Char('가'), KeyModifiers::NONE), (KeyCode::Char('\u{301}'), KeyModifiers::NONE),
                    (KeyCode::Char('\u{1f1f0}'), KeyModifiers::NONE), (KeyCode::Home, KeyModifiers::NONE),
                    (KeyCode::End, KeyModifiers::NONE), (KeyCode::Char('w'), KeyModifiers::CONTROL),
                    (KeyCode::Char('k'), KeyModifiers::CONTROL), (KeyCode::Char('\u{200d}'), KeyModifiers::NONE),
                ][key as usize];
                press(&mut edit, code, modifiers);
                edit.vertical(cells, key % 2 == 0);
                edit.layout(cells);
                edit.window(cells);
                assert!(edit.text().is_char_boundary(edit.cursor()));
            }
        }
    }
}
