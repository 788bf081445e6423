//! A prompt for a text: a value, a note, a reason. Values of the current record are edited in place
//! in the record pane, other texts in a box.

use super::completion::{self, Completion};
use super::{Confirm, Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::record::{Change, Field, GroupId};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, focused_pane};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Purpose of the typed text.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptPurpose {
    /// Sets the text of a field that is not a list.
    Set {
        field: Field,
        groups: Vec<GroupId>,
    },
    /// Adds a value; for one record the prompt stays open for the next value.
    Add {
        field: Field,
        groups: Vec<GroupId>,
    },
    Rename {
        field: Field,
        from: String,
        groups: Vec<GroupId>,
    },
    Remove {
        field: Field,
        groups: Vec<GroupId>,
    },
    Note,
    Reject {
        groups: Vec<GroupId>,
    },
    /// Searches icons by a text; an empty text ends the search.
    Search,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TextPrompt {
    purpose: PromptPurpose,
    edit: TextEdit,
    /// Index of the chosen completion.
    chosen: Option<usize>,
}

impl TextPrompt {
    pub fn new(purpose: PromptPurpose, text: &str) -> Self {
        Self {
            purpose,
            edit: TextEdit::new(text),
            chosen: None,
        }
    }

    pub fn edit(&self) -> &TextEdit {
        &self.edit
    }

    /// The field and value of a single record that the prompt edits: `None` for the whole field, an
    /// empty string for a new value.
    pub fn edited(&self) -> Option<(Field, Option<&str>)> {
        match &self.purpose {
            PromptPurpose::Set { field, groups } if groups.len() == 1 => Some((*field, None)),
            PromptPurpose::Add { field, groups } if groups.len() == 1 => Some((*field, Some(""))),
            PromptPurpose::Rename {
                field,
                from,
                groups,
            } if groups.len() == 1 => Some((*field, Some(from))),
            _ => None,
        }
    }

    /// The field that the prompt adds a value to.
    pub fn adds_to(&self) -> Option<Field> {
        match &self.purpose {
            PromptPurpose::Add { field, .. } => Some(*field),
            _ => None,
        }
    }

    fn title(&self, words: Words) -> String {
        match &self.purpose {
            PromptPurpose::Set { field, groups } => match groups.len() {
                0 | 1 => words.set_field(words.field(*field)),
                n => words.set_field_of(words.field(*field), n),
            },
            PromptPurpose::Add { field, groups } => match groups.len() {
                0 | 1 => words.add_to(words.field(*field)),
                n => words.add_to_of(words.field(*field), n),
            },
            PromptPurpose::Rename {
                field,
                from,
                groups,
            } => match groups.len() {
                0 | 1 => words.replace_in(from, words.field(*field)),
                n => words.replace_in_of(from, words.field(*field), n),
            },
            PromptPurpose::Remove { field, groups } => match groups.len() {
                0 | 1 => words.remove_from(words.field(*field)),
                n => words.remove_from_of(words.field(*field), n),
            },
            PromptPurpose::Note => words.note().to_owned(),
            PromptPurpose::Search => words.search_title().to_owned(),
            PromptPurpose::Reject { groups } => match groups.len() {
                1 => words.why_reject().to_owned(),
                n => words.why_reject_these(n),
            },
        }
    }

    /// The field whose known values complete the text.
    fn completes(&self) -> Option<Field> {
        match &self.purpose {
            PromptPurpose::Add { field, .. }
            | PromptPurpose::Rename { field, .. }
            | PromptPurpose::Remove { field, .. } => Some(*field),
            PromptPurpose::Set { field, .. } if !field.is_list() && field.words().is_some() => {
                Some(*field)
            }
            PromptPurpose::Set { .. }
            | PromptPurpose::Note
            | PromptPurpose::Reject { .. }
            | PromptPurpose::Search => None,
        }
    }

    /// The part of the text that a completion replaces: the text after the last comma, or all of it
    /// for a rejection reason.
    fn word(&self) -> &str {
        let text = &self.edit.text()[..self.edit.cursor()];
        if let PromptPurpose::Reject { .. } = self.purpose {
            return text;
        }
        text.rsplit(',').next().unwrap_or(text).trim_start()
    }

    /// Whether a digit picks a completion: only while nothing is typed, and only for texts that do
    /// not begin with a digit.
    fn is_numbered(&self) -> bool {
        let chooses = match &self.purpose {
            PromptPurpose::Reject { .. } => true,
            PromptPurpose::Remove { groups, .. } => groups.len() == 1,
            _ => false,
        };
        chooses && self.edit.text().is_empty()
    }

    /// Index of the completion that Enter accepts: the chosen one or, with no reason typed, the
    /// newest earlier reason.
    fn choice(&self) -> Option<usize> {
        let newest = matches!(self.purpose, PromptPurpose::Reject { .. }) && self.is_numbered();
        self.chosen.or(newest.then_some(0))
    }

    /// Completions of the word being typed.
    pub fn completions(&self, session: &Session) -> Vec<Completion> {
        if let PromptPurpose::Reject { .. } = self.purpose {
            return completion::of_texts(session.history.rejections().iter(), self.word());
        }
        let Some(field) = self.completes() else {
            return Vec::new();
        };
        if let PromptPurpose::Remove { groups, .. } = &self.purpose
            && groups.len() == 1
            && let Some(labels) = session.labels()
        {
            return completion::of_values(labels.values(field), self.word());
        }
        // Do not offer values that the record already has.
        let taken = match &self.purpose {
            PromptPurpose::Add { groups, .. } if groups.len() == 1 => {
                session.labels().map(|labels| labels.values(field))
            }
            _ => None,
        };
        completion::of_field(field, self.word(), taken.unwrap_or_default(), session)
    }

    fn complete(&mut self, value: &str) {
        let text = self.edit.text();
        let start = self.edit.cursor() - self.word().len();
        let new = format!("{}{value}", &text[..start]);
        self.edit.set(&new);
    }

    /// Inserts the chosen completion into the text.
    fn complete_chosen(&mut self, completions: &[Completion]) {
        if let Some(completion) = self.choice().and_then(|at| completions.get(at)) {
            self.complete(&completion.value);
        }
    }

    /// Chooses the completion with this digit; returns `false` if there is none.
    fn choose(&mut self, digit: char, completions: &[Completion]) -> bool {
        let at = digit
            .to_digit(10)
            .and_then(|at| (at as usize).checked_sub(1));
        self.chosen = at.filter(|at| *at < completions.len()).or(self.chosen);
        at == self.chosen
    }

    /// Applies the typed text. If that fails, the prompt stays open and a notice gives the reason.
    fn submit(&mut self, session: &mut Session) -> Next {
        let text = self.edit.text().trim().to_owned();
        if self.purpose == PromptPurpose::Search {
            session.search(text);
            return Next::close();
        }
        if session.refuse_unsaved() {
            return Next::stay();
        }
        let done = match self.purpose.clone() {
            PromptPurpose::Set { field, groups } => {
                let values = (!text.is_empty()).then_some(text).into_iter().collect();
                session.apply(groups, Change::Set { field, values })
            }
            PromptPurpose::Add { .. } if text.is_empty() => true,
            PromptPurpose::Add { field, groups } => return add(field, groups, &text, session),
            PromptPurpose::Rename {
                field,
                from,
                groups,
            } if text.is_empty() => {
                // An empty text removes the value from one record, but never from many.
                groups.len() > 1 || session.apply(groups, Change::Remove { field, value: from })
            }
            PromptPurpose::Rename { from, .. } if text == from => true,
            PromptPurpose::Rename {
                field,
                from,
                groups,
            } => {
                let to = text;
                session.apply(groups, Change::Rename { field, from, to })
            }
            PromptPurpose::Remove { .. } if text.is_empty() => true,
            PromptPurpose::Remove { field, groups } => {
                session.apply(groups, Change::Remove { field, value: text })
            }
            PromptPurpose::Note => {
                let note = (!text.is_empty()).then_some(text);
                let current = session.current().into_iter().collect();
                session.apply(current, Change::SetNote { note })
            }
            PromptPurpose::Reject { .. } if text.is_empty() => {
                session.warn(session.words.reason_needed());
                false
            }
            PromptPurpose::Reject { groups } => return reject(groups, text, session),
            PromptPurpose::Search => true,
        };
        match done {
            true => Next::close(),
            false => Next::stay(),
        }
    }

    /// The completions with their rectangle.
    fn popup(&self, place: &DialogPlace, session: &Session) -> Option<(Vec<Completion>, Rect)> {
        let completions = self.completions(session);
        let at = self.cursor(place, session)?;
        let anchor = match place.in_place {
            Some(_) => Rect::new(at.x, at.y, 1, 1),
            None => Rect {
                x: at.x,
                ..box_area(place)
            },
        };
        let area = completion::popup_area(&completions, anchor, place.room_around(at, session))?;
        Some((completions, area))
    }
}

fn box_area(place: &DialogPlace) -> Rect {
    place.box_of(64, 3)
}

/// Adds the comma-separated values in one step; for one record the prompt stays open for more.
fn add(field: Field, groups: Vec<GroupId>, text: &str, session: &mut Session) -> Next {
    let values: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect();
    let value = values.join(", ");
    if !session.apply(groups.clone(), Change::Add { field, value }) {
        return Next::stay();
    }
    match groups.len() {
        1 => Next::open(Dialog::prompt(PromptPurpose::Add { field, groups }, "")),
        _ => Next::close(),
    }
}

fn reject(groups: Vec<GroupId>, reason: String, session: &mut Session) -> Next {
    session.remember_rejection(&reason);
    let change = Change::Reject { reason };
    if groups.len() > 1 {
        let words = session.words;
        let question = words.reject_these(words.records(groups.len()));
        let confirm = Confirm::apply(question, String::new(), groups, change, session);
        return Next::open(Dialog::Confirm(confirm));
    }
    session.go_to_next();
    session.apply(groups, change);
    Next::close()
}

impl Modal for TextPrompt {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        place: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        let completions = self.completions(session);
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Tab | KeyCode::Down if !completions.is_empty() => {
                let at = self.chosen.map_or(0, |at| (at + 1) % completions.len());
                self.chosen = Some(at);
            }
            KeyCode::BackTab | KeyCode::Up if self.chosen.is_some() => {
                self.chosen = self.chosen.and_then(|at| at.checked_sub(1));
            }
            KeyCode::Down | KeyCode::Up => {
                let down = key.code == KeyCode::Down;
                self.edit.vertical(place.text_cells, down);
            }
            KeyCode::Enter => {
                self.complete_chosen(&completions);
                return self.submit(session);
            }
            KeyCode::Char(digit @ '1'..='9')
                if self.is_numbered() && self.choose(digit, &completions) =>
            {
                self.complete_chosen(&completions);
                return self.submit(session);
            }
            _ => {
                // A comma accepts the chosen completion.
                if let KeyCode::Char(',') = key.code {
                    self.complete_chosen(&completions);
                }
                if self.edit.key(key) {
                    self.chosen = None;
                }
            }
        }
        Next::stay()
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        let (_, area) = self.popup(place, session)?;
        let row = completion::row_at(area, self.choice(), at)?;
        self.chosen = Some(row);
        Some(KeyCode::Enter)
    }

    fn paste(&mut self, text: &str, _: &mut Session) {
        self.edit.insert(text);
        self.chosen = None;
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        let text = place.in_place.is_none().then(|| box_area(place));
        let popup = self.popup(place, session).map(|(_, area)| area);
        text.into_iter().chain(popup).collect()
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        if place.in_place.is_none() {
            let area = box_area(place);
            clear(area, buf);
            let inner = focused_pane(theme, area, &self.title(session.words), buf);
            edit_line(&self.edit, theme.text(), inner, buf);
        }
        if let Some((completions, area)) = self.popup(place, session) {
            let numbered = self.is_numbered();
            completion::draw(&completions, self.choice(), numbered, theme, area, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        match place.in_place {
            Some(cursor) => cursor,
            None => Some(edit_cursor(&self.edit, inside_border(box_area(place)))),
        }
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        let rejects = matches!(self.purpose, PromptPurpose::Reject { .. });
        let has_earlier = !rejects || session.history.rejections().iter().next().is_some();
        if self.is_numbered() && has_earlier {
            vec![
                ("1-9 Enter", words.take()),
                ("Tab", words.next()),
                ("Esc", words.close()),
            ]
        } else if self.completes().is_some() || rejects && has_earlier {
            vec![
                ("Enter", words.take()),
                ("Tab", words.complete()),
                ("Esc", words.close()),
            ]
        } else {
            vec![("Enter", words.take()), ("Esc", words.leave_it())]
        }
    }

    fn wants_counts(&self) -> bool {
        self.completes().is_some()
    }
}
