//! Find and replace in free text: where, what counts as a place, and every text that would change.
//! Single ones can be ticked off. The item's name stays.

use super::Scope;
use super::pending::{self, PendingPreview, place_line};
use crate::record::{Change, ChangePreview, Field, Matching, Replacement, TextChange};
use crate::text::count;
use crate::tui::dialogs::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::tui::keymap::Key;
use crate::tui::session::Session;
use crate::tui::widgets::layout::inner;
use crate::tui::widgets::{TextEdit, clear, edit_line, fill_line, keep_in_view, pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeSet;

/// Cells before the texts being typed.
const LABEL: u16 = 12;
/// The lines above the places: two texts, where it looks, what it found.
const HEAD: u16 = 4;

/// What takes the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    Find,
    With,
    Places,
}

pub struct ReplaceForm {
    scope: Scope,
    find: TextEdit,
    with: TextEdit,
    /// Only in this field.
    only: Option<Field>,
    matching: Matching,
    focus: Focus,
    /// Texts that are ticked off.
    except: BTreeSet<String>,
    /// Of everything that is found, ticked off or not.
    places: PendingPreview,
    /// Of what is not ticked off.
    rest: PendingPreview,
    at: usize,
}

impl ReplaceForm {
    pub fn open() -> Dialog {
        Dialog::Replace(Box::new(Self {
            scope: Scope::All,
            find: TextEdit::default(),
            with: TextEdit::default(),
            only: None,
            matching: Matching::Word,
            focus: Focus::Find,
            except: BTreeSet::new(),
            places: PendingPreview::default(),
            rest: PendingPreview::default(),
            at: 0,
        }))
    }

    pub fn set_preview(&mut self, number: u64, preview: ChangePreview) {
        self.places.take(number, preview.clone());
        self.rest.take(number, preview);
    }

    fn replacement(&self) -> Option<Replacement> {
        let find = self.find.text();
        (!find.trim().is_empty()).then(|| Replacement {
            only: self.only.into_iter().collect(),
            matching: self.matching,
            ..Replacement::everywhere(find, self.with.text())
        })
    }

    fn all_places(&self) -> &[TextChange] {
        self.places.found().map_or(&[], |found| &found.changes)
    }

    /// Counts again where something is another one; a new search has nothing ticked off.
    fn preview(&mut self, session: &mut Session) {
        let all = self.replacement();
        let before = self.places.found().is_some();
        self.places
            .ask(self.scope, all.clone().map(Change::Replace), session);
        if before && self.places.is_counting() {
            self.except.clear();
            self.at = 0;
        }
        let rest = all.filter(|_| !self.except.is_empty()).map(|all| {
            Change::Replace(Replacement {
                except: self.except.iter().cloned().collect(),
                ..all
            })
        });
        self.rest.ask(self.scope, rest, session);
    }

    /// What would be done now.
    fn current(&self) -> &PendingPreview {
        match self.except.is_empty() {
            true => &self.places,
            false => &self.rest,
        }
    }

    fn edited(&mut self) -> &mut TextEdit {
        match self.focus {
            Focus::With => &mut self.with,
            Focus::Find | Focus::Places => &mut self.find,
        }
    }

    /// Keys on the list of places.
    fn place_key(&mut self, key: &KeyEvent, session: &mut Session) -> Next {
        let code = match Key::from_event(key)[..] {
            [first, ..] => first.code,
            [] => key.code,
        };
        match code {
            KeyCode::Down | KeyCode::Char('j') => self.at += 1,
            KeyCode::Up | KeyCode::Char('k') => self.at = self.at.saturating_sub(1),
            KeyCode::PageDown => self.at += 10,
            KeyCode::PageUp => self.at = self.at.saturating_sub(10),
            KeyCode::Char(' ') => {
                if let Some(text) = self.all_places().get(self.at).map(|p| p.before.clone())
                    && !self.except.remove(&text)
                {
                    self.except.insert(text);
                }
                self.at += 1;
            }
            KeyCode::Char('f') => {
                let fields = Field::free_text().filter(|field| session.has_field(*field));
                let all: Vec<Option<Field>> =
                    std::iter::once(None).chain(fields.map(Some)).collect();
                let at = all.iter().position(|have| *have == self.only);
                self.only = all[(at.unwrap_or(0) + 1) % all.len()];
            }
            KeyCode::Char('w') => {
                let all = Matching::ALL;
                let at = all.iter().position(|have| *have == self.matching);
                self.matching = all[(at.unwrap_or(0) + 1) % all.len()];
            }
            KeyCode::Char('s') => self.scope = self.scope.next(session),
            KeyCode::Enter if self.current().carry_out(session) => return Next::close(),
            _ => {}
        }
        self.at = self.at.min(self.all_places().len().saturating_sub(1));
        Next::stay()
    }

    fn options(&self, words: Words) -> String {
        let fields = match self.only {
            Some(field) => words.field(field),
            None => words.all_text(),
        };
        let matching = words.matching(self.matching);
        let records = match self.scope {
            Scope::All => words.all_records(),
            Scope::Shown => words.the_list(),
            Scope::Selection => words.the_selection(),
            Scope::Family => words.this_family(),
            Scope::Record => words.this_record(),
        };
        format!("f {fields} · w {matching} · s {records}")
    }
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(100, 30)
}

impl Modal for ReplaceForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        let next = match (key.code, self.focus) {
            _ if escape => return Next::close(),
            (KeyCode::Tab, Focus::Find) | (KeyCode::Enter, Focus::Find) => {
                self.focus = Focus::With;
                Next::stay()
            }
            (KeyCode::Tab, Focus::With) | (KeyCode::Enter, Focus::With) => {
                self.focus = Focus::Places;
                Next::stay()
            }
            (KeyCode::Tab, Focus::Places) | (KeyCode::BackTab, Focus::With) => {
                self.focus = Focus::Find;
                Next::stay()
            }
            (KeyCode::BackTab, _) => {
                self.focus = match self.focus {
                    Focus::Find => Focus::Places,
                    Focus::With | Focus::Places => Focus::With,
                };
                Next::stay()
            }
            (_, Focus::Places) => self.place_key(key, session),
            _ => {
                self.edited().key(key);
                Next::stay()
            }
        };
        self.preview(session);
        next
    }

    fn paste(&mut self, text: &str, session: &mut Session) {
        if self.focus != Focus::Places {
            self.edited().insert(text);
            self.preview(session);
        }
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = area(place);
        clear(area, buf);
        let words = session.words;
        let area = pane(theme, area, true, words.find_and_replace(), true, buf);
        let edits = [
            (words.find(), &self.find, Focus::Find),
            (words.replace_by(), &self.with, Focus::With),
        ];
        for ((name, edit, focus), y) in edits.into_iter().zip(area.top()..area.bottom()) {
            let mark = if self.focus == focus { ">" } else { " " };
            put(buf, area.x, y, LABEL, &format!("{mark}{name}"), theme.dim());
            let value = Rect {
                x: area.x + LABEL,
                y,
                width: area.width.saturating_sub(LABEL),
                height: 1,
            };
            edit_line(edit, theme.chip(), value, buf);
        }
        if area.height <= HEAD {
            return;
        }
        let y = area.y + 2;
        put(
            buf,
            area.x,
            y,
            area.width,
            &self.options(words),
            theme.dim(),
        );
        let places = self.all_places();
        let counts = Rect {
            y: y + 1,
            height: 1,
            ..area
        };
        pending::draw(self.current(), 0, session, counts, buf);
        let rows = usize::from(area.height - HEAD);
        let mut top = 0;
        keep_in_view(&mut top, self.at, rows);
        for (row, (at, place)) in places.iter().enumerate().skip(top).take(rows).enumerate() {
            let room = Rect {
                y: area.y + HEAD + row as u16,
                height: 1,
                ..area
            };
            let here = at == self.at && self.focus == Focus::Places;
            let off = self.except.contains(&place.before);
            let style = match (here, off) {
                (true, _) => theme.cursor(true),
                (false, true) => theme.dim(),
                (false, false) => theme.text(),
            };
            let left = places.len() - at;
            if row + 1 == rows && left > 1 && !here {
                let text = words.and_more(count(left as u64));
                put(buf, room.x, room.y, room.width, &text, theme.dim());
                break;
            }
            let tick = if off { "-" } else { "x" };
            let place = place_line(place, room.width.saturating_sub(2), words);
            let line = format!("{tick} {place}");
            fill_line(&line, style, room, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let area = inner(area(place), true);
        let (edit, row) = match self.focus {
            Focus::Find => (&self.find, 0),
            Focus::With => (&self.with, 1),
            Focus::Places => return None,
        };
        let (_, at) = edit.window(usize::from(area.width.saturating_sub(LABEL + 1)));
        Some(Position::new(area.x + LABEL + at as u16, area.y + row))
    }

    fn hints(&self, words: Words) -> Vec<KeyHint> {
        match self.focus {
            Focus::Find | Focus::With => vec![("Enter", words.next()), ("Esc", words.close())],
            Focus::Places => vec![
                ("Enter", words.replace_it()),
                ("Space", words.leave_out()),
                ("f", words.the_field()),
                ("w", words.the_words()),
                ("s", words.the_records()),
                ("Tab", words.the_text()),
                ("Esc", words.close()),
            ],
        }
    }
}
