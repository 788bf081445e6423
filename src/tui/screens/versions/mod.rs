//! The versions screen: a timeline of a record's versions, the version under the cursor compared
//! with the draft, and the picture.

mod compare;
mod layout;
mod timeline;

use super::picture_pane::{self, PicturePlace};
use super::{ActionOutcome, Screen, View};
use crate::record::{Change, Field, GroupDetail, HistoryEntry, Labels};
use crate::tui::flow::Part;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::widgets::layout::inner;
use crate::tui::widgets::{keep_in_view, lines, pane, paragraph};
use compare::{ComparisonLines, VersionComparison};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use layout::{Parts, parts};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

#[derive(Default)]
pub struct Versions {
    /// The version under the cursor, oldest first.
    version: usize,
    /// The field under the cursor, as an index into [`Field::ALL`].
    field: usize,
    /// The keys move over fields instead of versions.
    in_fields: bool,
}

impl Versions {
    /// Shows the versions of the current record, with the cursor on the offered version, else on
    /// the newest one besides the draft and undone edits.
    fn open(&mut self, session: &mut Session) -> ActionOutcome {
        let Some(detail) = session.detail() else {
            return ActionOutcome::done();
        };
        let draft = detail.current.review.draft;
        let offer = detail.current.offer();
        let listed = detail.history();
        let Some(newest) = listed.len().checked_sub(1) else {
            session.notify(session.words.no_version_yet());
            return ActionOutcome::done();
        };
        let number = |listed: &HistoryEntry| match listed {
            HistoryEntry::Version(version) => Some(version.number),
            HistoryEntry::Failed(_) => None,
        };
        let is_undone =
            |listed: &HistoryEntry| matches!(listed, HistoryEntry::Version(of) if of.undone);
        self.version = (0..=newest)
            .rev()
            .find(|at| match offer {
                Some(_) => number(&listed[*at]) == offer,
                None if is_undone(&listed[*at]) => false,
                None => number(&listed[*at]).is_none_or(|number| Some(number) != draft),
            })
            .or_else(|| (0..=newest).rev().find(|at| !is_undone(&listed[*at])))
            .unwrap_or(newest);
        self.field = 0;
        self.in_fields = false;
        let id = detail.summary.id;
        session.retries.acknowledge(id);
        ActionOutcome::show(KeyContext::Versions)
    }

    fn step(&mut self, by: isize, session: &Session) {
        if !self.in_fields {
            let versions = session.detail().map_or(0, |detail| detail.history().len());
            let last = versions.saturating_sub(1);
            self.version = self.version.saturating_add_signed(by).min(last);
            return;
        }
        let moved = |at: usize| at.saturating_add_signed(by).min(Field::ALL.len() - 1);
        self.field = moved(self.field);
        if !session.has_field(Field::ALL[self.field]) {
            self.field = moved(self.field);
        }
    }

    /// The number and the labels of the version under the cursor; `None` for a failed attempt.
    fn version<'a>(&self, detail: &'a GroupDetail) -> Option<(i64, &'a Labels)> {
        match *detail.history().get(self.version)? {
            HistoryEntry::Version(version) => Some((version.number, &version.text.labels)),
            HistoryEntry::Failed(_) => None,
        }
    }

    /// Copies the version under the cursor into the draft, or only one field of it.
    fn take(&self, field: Option<Field>, session: &mut Session) -> ActionOutcome {
        let Some(detail) = session.detail() else {
            return ActionOutcome::done();
        };
        let Some((version, _)) = self.version(detail) else {
            session.notify(session.words.no_labels_to_take());
            return ActionOutcome::done();
        };
        match field {
            Some(field) => {
                session.apply_to_current(Change::TakeField { version, field });
                ActionOutcome::done()
            }
            None => {
                session.apply_to_current(Change::TakeVersion { version });
                ActionOutcome::show(KeyContext::Global)
            }
        }
    }

    /// Takes the field with the digit that was pressed.
    fn take_numbered(&self, session: &mut Session) -> ActionOutcome {
        let index = session.digit.and_then(|digit| digit.checked_sub(1));
        match index.and_then(|index| fields(session).get(index).copied()) {
            Some(field) => self.take(Some(field), session),
            None => {
                session.notify(session.words.no_numbered_field());
                ActionOutcome::done()
            }
        }
    }

    fn draw_comparison(
        &self,
        view: &View<'_>,
        detail: &GroupDetail,
        parts: &Parts,
        buf: &mut Buffer,
    ) {
        let session = view.session;
        let theme = &session.theme;
        let words = session.words;
        let title = words.against_draft(detail.summary.title());
        let focused = self.in_fields;
        let inner = pane(theme, parts.compare, parts.borders, &title, focused, buf);
        let Some((number, version)) = self.version(detail) else {
            return paragraph(words.no_labels_here(), theme.dim(), inner, buf);
        };
        let mut comparison = self.comparison(session, detail, version, inner.width);
        if comparison.differing.is_empty() {
            let is_draft = detail.current.review.draft == Some(number);
            let text = match is_draft {
                true => words.this_is_draft(),
                false => words.same_as_draft(),
            };
            comparison.lines.push(Default::default());
            comparison
                .lines
                .push(ratatui::text::Line::styled(text, theme.dim()));
        }
        let top = self.top(&comparison, inner.height);
        lines(&comparison.lines, top, inner, buf);
    }

    fn comparison(
        &self,
        session: &Session,
        detail: &GroupDetail,
        version: &Labels,
        cells: u16,
    ) -> ComparisonLines {
        let compared = VersionComparison {
            draft: detail.draft.as_ref().map(|draft| &draft.labels),
            version,
            fields: &fields(session),
            marked: self.marked(),
            theme: &session.theme,
            words: session.words,
        };
        compared.lay_out(usize::from(cells))
    }

    /// The field under the cursor, while the keys move over fields.
    fn marked(&self) -> Option<Field> {
        self.in_fields.then_some(Field::ALL[self.field])
    }

    /// The first line of the comparison on screen.
    fn top(&self, comparison: &ComparisonLines, height: u16) -> usize {
        let rows = usize::from(height).max(1);
        let mut top = 0;
        let mut places = comparison.places.iter();
        let marked = places.find(|(field, ..)| Some(*field) == self.marked());
        if let Some((_, first, last)) = marked {
            keep_in_view(&mut top, *last, rows);
            keep_in_view(&mut top, *first, rows);
        }
        top
    }

    /// Whether the comparison shows the whole label of the draft.
    fn shows_label(&self, session: &Session) -> bool {
        let parts = places(session);
        let inner = inner(parts.compare, parts.borders);
        let Some(detail) = session.detail() else {
            return false;
        };
        let Some((_, version)) = self.version(detail) else {
            return false;
        };
        let comparison = self.comparison(session, detail, version, inner.width);
        let top = self.top(&comparison, inner.height);
        let seen = top..top + usize::from(inner.height);
        comparison.shows_all_of(Field::LabelKo, seen)
    }

    fn picture(&self, session: &Session) -> Option<PicturePlace> {
        let parts = places(session);
        Some(PicturePlace {
            area: parts.picture?,
            borders: parts.borders,
        })
    }
}

fn places(session: &Session) -> Parts {
    parts(session.body(), !session.pictures.are_off())
}

/// The fields that are shown.
fn fields(session: &Session) -> Vec<Field> {
    let all = Field::ALL.iter().copied();
    all.filter(|field| session.has_field(*field)).collect()
}

impl Screen for Versions {
    fn context(&self) -> KeyContext {
        KeyContext::Versions
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        if let Some(field) = action.target_field() {
            self.field = Field::ALL.iter().position(|other| *other == field)?;
            self.in_fields = true;
            return Some(ActionOutcome::done());
        }
        match action {
            Action::Up => self.step(-1, session),
            Action::Down => self.step(1, session),
            Action::Left => self.in_fields = false,
            Action::Right => self.in_fields = true,
            Action::NextPane | Action::PreviousPane => self.in_fields = !self.in_fields,
            Action::PageUp => self.step(-5, session),
            Action::PageDown => self.step(5, session),
            Action::Versions => return Some(self.open(session)),
            Action::TakeField if self.in_fields => {
                return Some(self.take(Some(Field::ALL[self.field]), session));
            }
            Action::TakeField => self.in_fields = true,
            Action::TakeNumbered => return Some(self.take_numbered(session)),
            Action::TakeVersion => return Some(self.take(None, session)),
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    /// The wheel moves over the versions or fields under the mouse. A click focuses them, and
    /// selects the version under it.
    fn mouse(&mut self, mouse: &MouseEvent, session: &mut Session) {
        let parts = places(session);
        let at = Position::new(mouse.column, mouse.row);
        let over_fields = parts.compare.contains(at);
        if !over_fields && !parts.timeline.contains(at) {
            return;
        }
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.in_fields = over_fields;
                let view = (&session.theme, session.words);
                let clicked = session
                    .detail()
                    .filter(|_| !over_fields)
                    .and_then(|detail| timeline::entry_at(view, &parts, detail, self.version, at));
                self.version = clicked.unwrap_or(self.version);
            }
            MouseEventKind::ScrollDown => {
                self.in_fields = over_fields;
                self.step(1, session);
            }
            MouseEventKind::ScrollUp => {
                self.in_fields = over_fields;
                self.step(-1, session);
            }
            _ => {}
        }
    }

    fn draw(&self, view: &View<'_>, _: Rect, buf: &mut Buffer) {
        let Some(detail) = view.session.detail() else {
            return;
        };
        let parts = places(view.session);
        let listed = detail.history();
        let cursor = self.version.min(listed.len().saturating_sub(1));
        timeline::draw(view, &parts, detail, &listed, cursor, !self.in_fields, buf);
        self.draw_comparison(view, detail, &parts, buf);
        if let Some(place) = self.picture(view.session) {
            picture_pane::draw(view, place, false, buf);
        }
    }

    fn shown_parts(&self, session: &Session) -> Vec<Part> {
        if session.detail().is_none() {
            return Vec::new();
        }
        let mut shown = vec![Part::Name];
        if self.shows_label(session) {
            shown.push(Part::Label);
        }
        if picture_pane::is_settled(session, self.picture(session)) {
            shown.push(Part::Picture);
        }
        shown
    }

    fn has_room_for(&self, part: Part, session: &Session) -> bool {
        match part {
            Part::Name => true,
            Part::Label => self.shows_label(session),
            Part::Picture => places(session).picture.is_some(),
        }
    }

    fn pictures(&self, session: &Session) -> Vec<PictureRequest> {
        picture_pane::requests(session, self.picture(session))
    }

    fn rooms(&self, session: &Session) -> [Rect; 2] {
        let parts = places(session);
        [parts.compare, parts.timeline]
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::TakeNumbered,
            Action::TakeVersion,
            Action::TakeField,
            Action::RetryWith,
            Action::Undo,
            Action::Workbench,
        ]
    }
}
