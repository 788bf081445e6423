//! The palette: finds an action by name and runs it.

use super::{DialogPlace, KeyHint, Modal, Next};
use crate::text::{Language, fit, pad, width, wrap};
use crate::tui::keymap::{ACTIONS, ActionInfo, collapse_digits};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, fill_line, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

#[derive(Default)]
pub struct ActionPalette {
    edit: TextEdit,
    selected: usize,
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(140, 20)
}

/// Actions whose name or description contains every word; a name in either language that is or
/// contains the first word comes first.
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
        found.sort_by_key(|info| {
            let names = [info.name, info.short.english, info.short.korean];
            let is_name = names.contains(&first.as_str());
            (
                !is_name,
                !names.iter().any(|name| name.contains(first.as_str())),
            )
        });
    }
    found
}

/// Cells before a description: mark, name and keys.
const HEAD: usize = 34;
/// A description cut to fewer cells is useless.
const MIN_DESCRIPTION: usize = 20;

impl ActionPalette {
    /// The rows of the actions, and the whole description of the selected one below them if its row
    /// has no room for it.
    fn split(&self, inner: Rect, found: &[&ActionInfo], words: Words) -> (usize, Vec<String>) {
        let rows = usize::from(inner.height.saturating_sub(1));
        let cells = usize::from(inner.width);
        let selected = found.get(self.selected);
        let whole = selected.map_or("", |info| words.phrase(info.description));
        let below = match width(whole) + HEAD > cells {
            true => wrap(whole, cells),
            false => Vec::new(),
        };
        match rows.checked_sub(below.len()) {
            Some(rows) if rows >= below.len() => (rows, below),
            _ => (rows, Vec::new()),
        }
    }

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

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        let inner = inside_border(area(place));
        let line = usize::from(at.y.checked_sub(inner.y + 1)?);
        let found = matches(self.edit.text());
        let (rows, _) = self.split(inner, &found, session.words);
        let row = self.top(rows) + line;
        if !inner.contains(at) || line >= rows || row >= found.len() {
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
        let inner = focused_pane(theme, area, words.do_what(), buf);
        edit_line(&self.edit, theme.chip(), Rect { height: 1, ..inner }, buf);
        let found = matches(self.edit.text());
        let (rows, below) = self.split(inner, &found, words);
        let top = self.top(rows);
        let bottom = inner.bottom().saturating_sub(below.len() as u16);
        for (line, y) in below.iter().zip(bottom..) {
            put(buf, inner.x, y, inner.width, line, theme.dim());
        }
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
            let text = match usize::from(inner.width).saturating_sub(width(&head) + 1) {
                cells @ MIN_DESCRIPTION.. => {
                    format!("{head} {}", fit(words.phrase(info.description), cells))
                }
                _ => head,
            };
            let style = if here { theme.cursor() } else { theme.text() };
            let y = inner.y + 1 + line as u16;
            fill_line(&text, style, Rect { y, ..inner }, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        Some(edit_cursor(&self.edit, inside_border(area(place))))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        let close = ("Esc", words.close());
        match matches(self.edit.text()).len() {
            0 => vec![close],
            1 => vec![("Enter", words.do_it()), close],
            _ => vec![("Enter", words.do_it()), ("Up Down", words.choose()), close],
        }
    }
}
