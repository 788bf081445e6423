//! The list of named filters: shows one, saves the current filter, deletes one.

use super::{DialogPlace, KeyHint, Modal, Next};
use crate::record::filter::quoted;
use crate::text::{fit, pad, width};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, fill_line, focused_pane, put};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Width in cells of the label before the name being typed.
const LABEL: u16 = 9;

#[derive(Default)]
pub struct ViewList {
    selected: usize,
    /// The name for the current filter, while it is being typed.
    name: Option<TextEdit>,
}

impl ViewList {
    fn area(place: &DialogPlace, session: &Session) -> Rect {
        let rows = session.history.views().iter().count().max(1) as u16;
        place.box_of(72, rows.saturating_add(4).min(20))
    }

    /// The first row on screen.
    fn top(&self, rows: usize) -> usize {
        (self.selected + 1).saturating_sub(rows.max(1))
    }

    /// The name and the filter under the cursor.
    fn chosen<'a>(&self, session: &'a Session) -> Option<(&'a str, &'a str)> {
        session.history.views().iter().nth(self.selected)
    }

    fn name_key(&mut self, key: &KeyEvent, escape: bool, session: &mut Session) -> Next {
        let Some(edit) = &mut self.name else {
            return Next::stay();
        };
        match key.code {
            _ if escape => self.name = None,
            KeyCode::Enter if !edit.text().trim().is_empty() => {
                let name = edit.text().trim().replace('"', "");
                session.save_view(&name);
                return Next::close();
            }
            _ => {
                edit.key(key);
            }
        }
        Next::stay()
    }
}

/// Whether the current filter can be saved: it is not empty, has no error and is not a saved one.
fn can_save(session: &Session) -> bool {
    let filter = session.queue.filter();
    !filter.is_empty() && !filter.contains("view:") && session.queue.filter_error().is_none()
}

impl Modal for ViewList {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        if self.name.is_some() {
            return self.name_key(key, escape, session);
        }
        let count = session.history.views().iter().count();
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => {
                self.selected = self.selected.saturating_sub(1)
            }
            // ㄴ is on the S key and ㅇ on the D key of a Korean keyboard.
            KeyCode::Char('s' | '+' | 'ㄴ') => match can_save(session) {
                true => self.name = Some(TextEdit::default()),
                false => session.warn(session.words.cannot_save_view()),
            },
            KeyCode::Char('d' | 'ㅇ') | KeyCode::Delete => {
                if let Some((name, _)) = self.chosen(session) {
                    let name = name.to_owned();
                    session.remove_view(&name);
                }
            }
            KeyCode::Enter => {
                if let Some((name, _)) = self.chosen(session) {
                    let filter = format!("view:{}", quoted(name));
                    session.set_filter(filter);
                    return Next::close();
                }
            }
            _ => {}
        }
        self.selected = self.selected.min(count.saturating_sub(1));
        Next::stay()
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        let inner = inside_border(Self::area(place, session));
        let line = usize::from(at.y.checked_sub(inner.y)?);
        let rows = usize::from(inner.height.saturating_sub(1));
        let row = self.top(rows) + line;
        let count = session.history.views().iter().count();
        if self.name.is_some() || !inner.contains(at) || line >= rows || row >= count {
            return None;
        }
        self.selected = row;
        Some(KeyCode::Enter)
    }

    fn paste(&mut self, text: &str, _: &mut Session) {
        if let Some(edit) = &mut self.name {
            edit.insert(text);
        }
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        vec![Self::area(place, session)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = Self::area(place, session);
        clear(area, buf);
        let words = session.words;
        let inner = focused_pane(theme, area, words.saved_filters(), buf);
        let views = session.history.views();
        let names = views.iter().map(|(name, _)| width(name));
        let cells = names.max().unwrap_or(0).min(usize::from(inner.width) / 3);
        let rows = usize::from(inner.height.saturating_sub(1));
        let top = self.top(rows);
        for (line, (row, (name, filter))) in
            views.iter().enumerate().skip(top).take(rows).enumerate()
        {
            let here = row == self.selected && self.name.is_none();
            let mark = if here { ">" } else { " " };
            let style = if here { theme.cursor() } else { theme.text() };
            let text = format!("{mark} {}  {filter}", pad(&fit(name, cells), cells));
            let y = inner.y + line as u16;
            fill_line(
                &text,
                style,
                Rect {
                    y,
                    height: 1,
                    ..inner
                },
                buf,
            );
        }
        if views.iter().next().is_none() && inner.height > 0 {
            let text = words.none_yet();
            put(buf, inner.x, inner.y, inner.width, text, theme.dim());
        }
        let last = last_line(inner);
        match &self.name {
            Some(edit) => {
                put(buf, last.x, last.y, LABEL, words.save_as(), theme.key());
                edit_line(edit, theme.chip(), name_room(inner), buf);
            }
            None if can_save(session) => {
                let text = words.s_saves(session.queue.filter());
                put(buf, last.x, last.y, last.width, &text, theme.dim());
            }
            None => {}
        }
    }

    fn cursor(&self, place: &DialogPlace, session: &Session) -> Option<Position> {
        let edit = self.name.as_ref()?;
        let inner = inside_border(Self::area(place, session));
        Some(edit_cursor(edit, name_room(inner)))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        match self.name {
            Some(_) => vec![("Enter", words.save()), ("Esc", words.back())],
            None => {
                let some = self.chosen(session).is_some();
                let hints = [
                    (some, ("Enter", words.show())),
                    (can_save(session), ("s", words.save_this_filter())),
                    (some, ("d", words.delete())),
                    (true, ("Esc", words.close())),
                ];
                let hints = hints.into_iter().filter(|(works, _)| *works);
                hints.map(|(_, hint)| hint).collect()
            }
        }
    }
}

fn last_line(inner: Rect) -> Rect {
    Rect {
        y: inner.bottom().saturating_sub(1).max(inner.y),
        height: 1,
        ..inner
    }
}

fn name_room(inner: Rect) -> Rect {
    let line = last_line(inner);
    Rect {
        x: line.x + LABEL,
        width: line.width.saturating_sub(LABEL),
        ..line
    }
}
