//! The palette: finds an action by name and runs it.

use super::{DialogPlace, KeyHint, Modal, Next};
use crate::text::{Language, fit, pad, width};
use crate::tui::keymap::{ACTIONS, ActionInfo, collapse_digits};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inner;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, fill_line, pane};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

#[derive(Default)]
pub struct ActionPalette {
    edit: TextEdit,
    selected: usize,
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(76, 20)
}

/// Actions whose name or description contains every word; matches in the name come first.
fn matches(text: &str) -> Vec<&'static ActionInfo> {
    let words: Vec<String> = text
        .to_lowercase()
        .split_whitespace()
        .map(Into::into)
        .collect();
    let mut found: Vec<&ActionInfo> = ACTIONS
        .iter()
        .filter(|info| {
            // Searches both languages.
            let texts = [info.short, info.description].map(|text| [text.english, text.korean]);
            let all = format!("{} {}", info.name, texts.as_flattened().join(" ")).to_lowercase();
            words.iter().all(|word| all.contains(word.as_str()))
        })
        .collect();
    if let Some(first) = words.first() {
        found.sort_by_key(|info| !info.name.contains(first.as_str()));
    }
    found
}

impl ActionPalette {
    /// The first row on screen.
    fn top(&self, rows: usize) -> usize {
        (self.selected + 1).saturating_sub(rows.max(1))
    }
}

impl Modal for ActionPalette {
    fn key(&mut self, key: &KeyEvent, escape: bool, _: &DialogPlace, _: &mut Session) -> Next {
        let found = matches(self.edit.text());
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Enter => {
                if let Some(info) = found.get(self.selected) {
                    return Next::close().and_act(info.action);
                }
            }
            KeyCode::Down | KeyCode::Tab => {
                self.selected = (self.selected + 1).min(found.len().saturating_sub(1));
            }
            KeyCode::Up | KeyCode::BackTab => self.selected = self.selected.saturating_sub(1),
            _ => {
                if self.edit.key(key) {
                    self.selected = 0;
                }
            }
        }
        Next::stay()
    }

    fn click(&mut self, at: Position, place: &DialogPlace, _: &Session) -> Option<KeyCode> {
        let inner = inner(area(place), true);
        let line = usize::from(at.y.checked_sub(inner.y + 1)?);
        let rows = usize::from(inner.height.saturating_sub(1));
        let row = self.top(rows) + line;
        let found = matches(self.edit.text()).len();
        if !inner.contains(at) || line >= rows || row >= found {
            return None;
        }
        self.selected = row;
        Some(KeyCode::Enter)
    }

    fn paste(&mut self, text: &str, _: &mut Session) {
        self.edit.insert(text);
        self.selected = 0;
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = area(place);
        clear(area, buf);
        let words = session.words;
        let inner = pane(theme, area, true, words.do_what(), true, buf);
        edit_line(&self.edit, theme.chip(), Rect { height: 1, ..inner }, buf);
        let rows = usize::from(inner.height.saturating_sub(1));
        let found = matches(self.edit.text());
        let top = self.top(rows);
        for (line, (index, info)) in found.iter().enumerate().skip(top).take(rows).enumerate() {
            let keys = session.keymap.keys_of(place.context, info.action);
            let keys = collapse_digits(keys).join(" ");
            let keys = fit(&keys, 14);
            let here = index == self.selected;
            let mark = if here { ">" } else { " " };
            let name = match words.language() {
                Language::English => info.name,
                Language::Korean => words.phrase(info.short),
            };
            let head = format!("{mark} {} {}", pad(name, 16), pad(&keys, 14));
            // A description cut to a few letters is useless.
            let text = match usize::from(inner.width).saturating_sub(width(&head) + 1) {
                cells @ 20.. => format!("{head} {}", fit(words.phrase(info.description), cells)),
                _ => head,
            };
            let style = if here {
                theme.cursor(true)
            } else {
                theme.text()
            };
            let y = inner.y + 1 + line as u16;
            fill_line(&text, style, Rect { y, ..inner }, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        Some(edit_cursor(&self.edit, inner(area(place), true)))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        vec![
            ("Enter", words.do_it()),
            ("Up Down", words.choose()),
            ("Esc", words.close()),
        ]
    }
}
