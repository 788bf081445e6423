//! The filter dialog: the queue is filtered after each key. A filter with an error is not kept: its
//! message is shown under it until it is corrected.

use super::completion::{self, Completion};
use super::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::record::GroupId;
use crate::record::filter::{NEEDS_REVIEW, last_word};
use crate::text::{Said, wrap};
use crate::tui::keymap::Action;
use crate::tui::session::Session;
use crate::tui::widgets::{TextEdit, clear, fill_line};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub struct FilterForm {
    edit: TextEdit,
    /// The filter that Esc restores.
    before: String,
    /// The record that was current before. It stays current while the filter shows it, and Esc returns
    /// to it.
    record: Option<GroupId>,
    /// Index of the chosen completion.
    chosen: Option<usize>,
    /// What was wrong when the operator last confirmed the text.
    refused: Option<Said>,
}

impl FilterForm {
    /// Opens the dialog on the current filter. The default filter is dropped, because it would hide
    /// search results; any other filter is kept, and typing adds a new word.
    pub fn open(session: &mut Session) -> Dialog {
        let before = session.queue.filter().to_owned();
        let edit = match before.as_str() {
            "" | NEEDS_REVIEW => TextEdit::default(),
            before => TextEdit::new(&format!("{before} ")),
        };
        session.queue.set_filter(edit.text().to_owned());
        Dialog::Filter(Self {
            edit,
            before,
            record: session.current(),
            chosen: None,
            refused: None,
        })
    }

    pub fn edit(&self) -> &TextEdit {
        &self.edit
    }

    fn completions(&self, session: &Session) -> Vec<Completion> {
        completion::of_filter(&self.edit, session)
    }

    /// The text with the chosen completion in place of the word being typed.
    fn text(&self, completions: &[Completion]) -> String {
        let text = self.edit.text();
        match self.chosen.and_then(|at| completions.get(at)) {
            Some(completion) => {
                let start = text.len() - last_word(text).len();
                format!("{}{}", &text[..start], completion.value)
            }
            None => text.to_owned(),
        }
    }

    /// The message about an error in the filter, and its rectangle below the line.
    fn error(&self, place: &DialogPlace, session: &Session) -> Option<(Vec<String>, Rect)> {
        let wrong = session.queue.filter_error().or(self.refused.as_ref())?;
        let below = Rect {
            y: place.filter.bottom(),
            height: session
                .body()
                .bottom()
                .saturating_sub(place.filter.bottom()),
            ..place.filter
        };
        let text = format!("! {}", session.words.said(wrong));
        let lines = wrap(&text, usize::from(below.width));
        let area = Rect {
            height: below.height.min(lines.len() as u16),
            ..below
        };
        Some((lines, area))
    }

    /// The rectangle of the completions.
    fn popup(&self, place: &DialogPlace, session: &Session) -> Option<Rect> {
        let at = self.cursor(place, session)?;
        let error = self.error(place, session).map(|(_, area)| area);
        let anchor = Rect::new(at.x, at.y, 1, 1 + error.map_or(0, |area| area.height));
        completion::popup_area(
            &self.completions(session),
            anchor,
            place.room_around(at, session),
        )
    }
}

impl Modal for FilterForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        if escape {
            session.set_filter(std::mem::take(&mut self.before));
            if let Some(id) = self.record {
                session.go_to(id);
            }
            return Next::close();
        }
        let offered = self.completions(session);
        let mut next = Next::stay();
        self.refused = None;
        match key.code {
            KeyCode::Enter => {
                let text = self.text(&offered).trim().to_owned();
                // A key still needs its value.
                if self.chosen.is_none() || !text.ends_with(':') {
                    self.refused = session.filter_error_in(&text);
                    if self.refused.is_some() {
                        return next;
                    }
                    session.set_filter(text);
                    return Next::close();
                }
                self.edit.set(&text);
                self.chosen = None;
            }
            KeyCode::Tab if !offered.is_empty() => {
                self.chosen = Some(self.chosen.map_or(0, |at| (at + 1) % offered.len()));
            }
            KeyCode::BackTab => self.chosen = self.chosen.and_then(|at| at.checked_sub(1)),
            KeyCode::Down => next = next.and_act(Action::Down),
            KeyCode::Up => next = next.and_act(Action::Up),
            _ => {
                // Typing accepts the chosen completion.
                if self.chosen.is_some() && matches!(key.code, KeyCode::Char(_)) {
                    let text = self.text(&offered);
                    self.edit.set(&text);
                }
                if self.edit.key(key) {
                    self.chosen = None;
                }
            }
        }
        let text = self.text(&self.completions(session));
        if text != session.queue.filter() {
            session.queue.type_filter(text, self.record);
        }
        next
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        let row = completion::row_at(self.popup(place, session)?, self.chosen, at)?;
        // Tab then moves on to the clicked one.
        self.chosen = row.checked_sub(1);
        Some(KeyCode::Tab)
    }

    fn paste(&mut self, text: &str, session: &mut Session) {
        self.edit.insert(text);
        self.chosen = None;
        let text = self.edit.text().to_owned();
        session.queue.type_filter(text, self.record);
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        let error = self.error(place, session).map(|(_, area)| area);
        let popup = self.popup(place, session);
        error.into_iter().chain(popup).collect()
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        if let Some((lines, area)) = self.error(place, session) {
            clear(area, buf);
            for (line, row) in lines.iter().zip(area.rows()) {
                fill_line(line, session.theme.bad(), row, buf);
            }
        }
        if let Some(area) = self.popup(place, session) {
            let offered = self.completions(session);
            completion::draw(&offered, self.chosen, false, &session.theme, area, buf);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let area = place.filter;
        let (_, at) = self.edit.window(usize::from(area.width.saturating_sub(2)));
        Some(Position::new(area.x + 1 + at as u16, area.y))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        let keep = ("Enter", words.keep());
        let keep = session.queue.filter_error().is_none().then_some(keep);
        let others = [
            ("Tab", words.complete()),
            ("Up Down", words.moves()),
            ("Esc", words.as_before()),
        ];
        keep.into_iter().chain(others).collect()
    }

    fn wants_counts(&self) -> bool {
        true
    }
}
