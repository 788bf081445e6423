//! Find and replace in free text, with a list of every text that would change. The operator can
//! exclude single texts; item names are never replaced.

use super::Scope;
use super::pending::{self, PendingPreview, change_line};
use crate::record::{Change, ChangePreview, Field, Matching, Replacement, TextChange};
use crate::tui::dialogs::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::tui::keymap::Key;
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_line, fill_line, focused_pane, keep_in_view, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeSet;

/// Width in cells of the labels before the texts.
const LABEL: u16 = 12;
/// Lines above the summary: two texts, the options.
const FORM: u16 = 3;

/// The part of the form that receives the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    Find,
    Replacement,
    Changes,
}

pub struct ReplaceForm {
    scope: Scope,
    find: TextEdit,
    replacement: TextEdit,
    /// Limits the search to this field.
    only: Option<Field>,
    matching: Matching,
    focus: Focus,
    /// Texts that the operator excluded.
    except: BTreeSet<String>,
    /// Preview of all matches, with the excluded texts.
    all: PendingPreview,
    /// Preview without the excluded texts.
    included: PendingPreview,
    selected: usize,
}

impl ReplaceForm {
    pub fn open() -> Dialog {
        Dialog::Replace(Box::new(Self {
            scope: Scope::All,
            find: TextEdit::default(),
            replacement: TextEdit::default(),
            only: None,
            matching: Matching::Word,
            focus: Focus::Find,
            except: BTreeSet::new(),
            all: PendingPreview::default(),
            included: PendingPreview::default(),
            selected: 0,
        }))
    }

    pub fn set_preview(&mut self, number: u64, preview: ChangePreview) {
        self.all.set(number, preview.clone());
        self.included.set(number, preview);
    }

    fn replacement(&self) -> Option<Replacement> {
        let find = self.find.text();
        (!find.trim().is_empty()).then(|| Replacement {
            only: self.only.into_iter().collect(),
            matching: self.matching,
            ..Replacement::everywhere(find, self.replacement.text())
        })
    }

    fn all_changes(&self) -> &[TextChange] {
        self.all.preview().map_or(&[], |preview| &preview.changes)
    }

    /// Requests new previews after a change of the form. A new search clears the exclusions.
    fn preview(&mut self, session: &mut Session) {
        let all = self.replacement();
        let before = self.all.preview().is_some();
        self.all
            .request(self.scope, all.clone().map(Change::Replace), session);
        if before && self.all.is_counting() {
            self.except.clear();
            self.selected = 0;
        }
        let rest = all.filter(|_| !self.except.is_empty()).map(|all| {
            Change::Replace(Replacement {
                except: self.except.iter().cloned().collect(),
                ..all
            })
        });
        self.included.request(self.scope, rest, session);
    }

    /// Preview of the change that Enter would apply.
    pub fn current(&self) -> &PendingPreview {
        match self.except.is_empty() {
            true => &self.all,
            false => &self.included,
        }
    }

    fn edited(&mut self) -> &mut TextEdit {
        match self.focus {
            Focus::Replacement => &mut self.replacement,
            Focus::Find | Focus::Changes => &mut self.find,
        }
    }

    /// Handles a key on the list of texts.
    fn change_key(&mut self, key: &KeyEvent, session: &mut Session) -> Next {
        let code = match Key::from_event(key)[..] {
            [first, ..] => first.code,
            [] => key.code,
        };
        match code {
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected += 10,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Char(' ') => {
                if let Some(text) = self
                    .all_changes()
                    .get(self.selected)
                    .map(|p| p.before.clone())
                    && !self.except.remove(&text)
                {
                    self.except.insert(text);
                }
                self.selected += 1;
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
            KeyCode::Enter if self.current().apply(session) => return Next::close(),
            _ => {}
        }
        self.selected = self
            .selected
            .min(self.all_changes().len().saturating_sub(1));
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
    place.box_of(100, 24)
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
                self.focus = Focus::Replacement;
                Next::stay()
            }
            (KeyCode::Tab, Focus::Replacement) | (KeyCode::Enter, Focus::Replacement) => {
                self.focus = Focus::Changes;
                Next::stay()
            }
            (KeyCode::Tab, Focus::Changes) | (KeyCode::BackTab, Focus::Replacement) => {
                self.focus = Focus::Find;
                Next::stay()
            }
            (KeyCode::BackTab, _) => {
                self.focus = match self.focus {
                    Focus::Find => Focus::Changes,
                    Focus::Replacement | Focus::Changes => Focus::Replacement,
                };
                Next::stay()
            }
            (_, Focus::Changes) => self.change_key(key, session),
            _ => {
                self.edited().key(key);
                Next::stay()
            }
        };
        self.preview(session);
        next
    }

    fn paste(&mut self, text: &str, session: &mut Session) {
        if self.focus != Focus::Changes {
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
        let area = focused_pane(theme, area, words.find_and_replace(), buf);
        let edits = [
            (words.find(), &self.find, Focus::Find),
            (words.replace_by(), &self.replacement, Focus::Replacement),
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
        if area.height <= FORM + 1 {
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
        let changes = self.all_changes();
        let below = Rect {
            y: area.y + FORM,
            height: area.height - FORM,
            ..area
        };
        let head = pending::draw_summary(self.current(), session, below, buf);
        let rows = usize::from(below.height.saturating_sub(head));
        let mut top = 0;
        keep_in_view(&mut top, self.selected, rows);
        for (row, (at, change)) in changes.iter().enumerate().skip(top).take(rows).enumerate() {
            let room = Rect {
                y: below.y + head + row as u16,
                height: 1,
                ..area
            };
            let here = at == self.selected && self.focus == Focus::Changes;
            let off = self.except.contains(&change.before);
            let style = match (here, off) {
                (true, _) => theme.cursor(),
                (false, true) => theme.dim(),
                (false, false) => theme.text(),
            };
            let left = changes.len() - at;
            if row + 1 == rows && left > 1 && !here {
                let text = words.and_more(words.more_texts(left));
                put(buf, room.x, room.y, room.width, &text, theme.dim());
                break;
            }
            let tick = if off { "-" } else { "x" };
            let change = change_line(change, room.width.saturating_sub(2), words);
            let line = format!("{tick} {change}");
            fill_line(&line, style, room, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let area = inside_border(area(place));
        let (edit, row) = match self.focus {
            Focus::Find => (&self.find, 0),
            Focus::Replacement => (&self.replacement, 1),
            Focus::Changes => return None,
        };
        let (_, at) = edit.window(usize::from(area.width.saturating_sub(LABEL + 1)));
        Some(Position::new(area.x + LABEL + at as u16, area.y + row))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        match self.focus {
            Focus::Find | Focus::Replacement => {
                vec![("Enter", words.next()), ("Esc", words.close())]
            }
            Focus::Changes => vec![
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
