//! The workbench: queue, picture and record side by side, or one of them on a small screen.

mod field_cursor;
mod layout;
mod queue_pane;
mod record_pane;
mod sheet;
mod texts;

use super::picture_pane::{self, PicturePlace};
use super::{ActionOutcome, Screen, View};
use crate::record::{Field, GroupId, GroupState};
use crate::tui::dialogs::{Dialog, FilterForm};
use crate::tui::flow::Part;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use layout::{Pane, Panes, inner_of, panes, zoomed};
use queue_pane::{QueuePane, QueueRows, THUMBNAIL, rows};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use record_pane::RecordPane;
use std::ops::{Range, RangeInclusive};
use texts::fix_key;

/// Lines that one step of the wheel scrolls.
const WHEEL_LINES: isize = 3;
/// Limits of the queue's share of the width.
const QUEUE_PERCENT: RangeInclusive<u16> = 15..=75;

/// A part of the record that has the screen for itself while the keys go to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Picture,
    Record,
}

pub struct Workbench {
    focus: Pane,
    queue: QueuePane,
    record: RecordPane,
    /// The queue's share of the width.
    queue_percent: u16,
    dragging_divider: bool,
    /// Set only while the queue has the focus.
    alone: Option<Alone>,
    /// The current edit began in the queue and returns the focus to it.
    returns_to_queue: bool,
}

impl Default for Workbench {
    fn default() -> Self {
        Self {
            focus: Pane::Queue,
            queue: QueuePane::default(),
            record: RecordPane::default(),
            queue_percent: 40,
            dragging_divider: false,
            alone: None,
            returns_to_queue: false,
        }
    }
}

impl Workbench {
    /// Focuses a pane and shows all panes again; does nothing for other places.
    pub fn focus(&mut self, place: KeyContext) {
        self.focus = match place {
            KeyContext::Queue => Pane::Queue,
            KeyContext::Record => Pane::Record,
            _ => return,
        };
        self.alone = None;
    }

    /// Shows all panes again.
    pub fn end_zoom(&mut self) {
        self.alone = None;
    }

    /// Brings a part of the current record into view.
    pub fn bring_up(&mut self, part: Part, session: &Session) {
        match part {
            Part::Name => {}
            Part::Label => {
                self.show_record(session);
                let panes = self.panes(session);
                self.record.reveal_label(&panes, session);
            }
            Part::Picture if self.panes(session).picture.is_none() => self.zoom(),
            Part::Picture => {}
        }
    }

    /// Shows the record; alone, where there is no room for it beside the queue.
    fn show_record(&mut self, session: &Session) {
        let is_hidden = |workbench: &Self| workbench.panes(session).record.is_none();
        if is_hidden(self) {
            self.alone = None;
        }
        if is_hidden(self) {
            self.alone = Some(Alone::Record);
        }
    }

    /// Gives the picture the full screen.
    fn zoom(&mut self) {
        // A key must not change a value that is not visible.
        self.focus = Pane::Queue;
        self.alone = Some(Alone::Picture);
    }

    /// Returns the focus to the queue after an edit that began there.
    pub fn return_focus(&mut self) {
        if std::mem::take(&mut self.returns_to_queue) {
            self.focus = Pane::Queue;
        }
    }

    fn panes(&self, session: &Session) -> Panes {
        let focus = match self.alone {
            Some(Alone::Picture) => return zoomed(session.body()),
            Some(Alone::Record) => Pane::Record,
            None => self.focus,
        };
        let pictures = !session.pictures.are_off();
        panes(session.body(), focus, self.queue_percent, pictures)
    }

    fn rows(&self, session: &Session) -> Option<QueueRows> {
        rows(&self.panes(session), session.pictures.draws_pixels())
    }

    /// Width of a text that is edited in place, for moving up and down in it.
    pub fn text_cells(&self, session: &Session) -> usize {
        let panes = self.panes(session);
        let cells = match panes.record {
            Some(area) => inner_of(&panes, area).width.saturating_sub(11),
            None => session.size.width.saturating_sub(8),
        };
        usize::from(cells).max(2)
    }

    fn step(&mut self, x: isize, y: isize, session: &mut Session) -> ActionOutcome {
        match self.focus {
            Pane::Record => {
                let panes = self.panes(session);
                if !self.record.step(x, y, &panes, session) {
                    self.focus = Pane::Queue;
                }
            }
            Pane::Queue if y != 0 => session.move_cursor(y),
            Pane::Queue if x > 0 => return ActionOutcome::show(KeyContext::Record),
            Pane::Queue => return ActionOutcome::show(KeyContext::Queue),
        }
        ActionOutcome::done()
    }

    fn page(&mut self, direction: isize, session: &mut Session) {
        match self.focus {
            Pane::Record => {
                let panes = self.panes(session);
                self.record.scroll_by(direction * 5, &panes, session);
            }
            Pane::Queue => {
                let rows = self.rows(session).map_or(1, |rows| rows.count);
                session.move_cursor(direction * rows as isize);
            }
        }
    }

    fn go_to_top(&mut self, session: &mut Session) {
        match self.focus {
            Pane::Record => self.record.go_to_top(),
            Pane::Queue => session.put_cursor(0),
        }
    }

    fn go_to_bottom(&mut self, session: &mut Session) {
        match self.focus {
            Pane::Record => self.record.go_to_bottom(),
            Pane::Queue => session.put_cursor(usize::MAX),
        }
    }

    fn wheel(&mut self, lines: isize, at: Position, session: &mut Session) {
        let panes = self.panes(session);
        match panes.pane_at(at) {
            Some(Pane::Record) => self.record.scroll_by(lines, &panes, session),
            _ => session.move_cursor(lines),
        }
    }

    fn click(&mut self, at: Position, session: &mut Session) {
        let panes = self.panes(session);
        if let Some(divider) = panes.divider()
            && at.x.abs_diff(divider) <= 1
            && at.x + 1 >= divider
        {
            self.dragging_divider = true;
            return;
        }
        match panes.pane_at(at) {
            Some(Pane::Queue) => {
                let row = self
                    .rows(session)
                    .and_then(|rows| self.queue.row_at(at.y, &rows));
                self.focus = Pane::Queue;
                if let Some(row) = row.filter(|row| *row < session.queue.len()) {
                    session.put_cursor(row);
                }
            }
            Some(Pane::Record) => {
                let hit = self.record.click(at, &panes, session);
                if hit {
                    self.focus(KeyContext::Record);
                }
            }
            None => {}
        }
    }

    /// Scrolls to the fix of the pressed key. Returns `None` if it is already on screen or does not
    /// exist.
    fn reveal_fix(&mut self, session: &mut Session) -> Option<ActionOutcome> {
        let number = session.fix_index()?;
        session.detail()?.fixes.get(number)?;
        let hidden = self.panes(session).record.is_none();
        self.show_record(session);
        let panes = self.panes(session);
        if !self.record.reveal_fix(number, &panes, session) && !hidden {
            return None;
        }
        let key = fix_key(number, &session.keymap);
        session.notify(session.words.fix_shown(key));
        Some(ActionOutcome::done())
    }

    fn set_queue_percent(&mut self, percent: u16) {
        self.queue_percent = percent.clamp(*QUEUE_PERCENT.start(), *QUEUE_PERCENT.end());
    }
}

fn picture_place(panes: &Panes) -> Option<PicturePlace> {
    Some(PicturePlace {
        area: panes.picture?,
        borders: panes.borders,
    })
}

impl Screen for Workbench {
    fn context(&self) -> KeyContext {
        match self.focus {
            Pane::Queue => KeyContext::Queue,
            Pane::Record => KeyContext::Record,
        }
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        self.record.follow(session.current());
        let edits = matches!(action, Action::EditLabel | Action::AddTag);
        self.returns_to_queue = edits && self.focus == Pane::Queue;
        if let Some(field) = action.target_field() {
            self.record.go_to(field);
            return Some(ActionOutcome::show(KeyContext::Record));
        }
        match action {
            Action::Fix => return self.reveal_fix(session),
            Action::Up => return Some(self.step(0, -1, session)),
            Action::Down => return Some(self.step(0, 1, session)),
            Action::Left => return Some(self.step(-1, 0, session)),
            Action::Right => return Some(self.step(1, 0, session)),
            Action::PageUp => self.page(-1, session),
            Action::PageDown => self.page(1, session),
            Action::Top => self.go_to_top(session),
            Action::Bottom => self.go_to_bottom(session),
            Action::EditLabel => return Some(self.record.edit_label(session)),
            Action::EditField => return Some(self.record.edit(session)),
            Action::AddTag => return Some(self.record.add_to(Field::TagsKo, session)),
            Action::AddValue => return Some(self.record.add_value(session)),
            Action::RemoveValue => self.record.remove(session),
            Action::MoveEarlier => self.record.shift(-1, session),
            Action::MoveLater => self.record.shift(1, session),
            Action::Zoom if session.pictures.are_off() => {
                session.notify(session.words.pictures_are_off());
            }
            Action::Zoom => {
                match self.alone {
                    Some(Alone::Picture) => self.alone = None,
                    _ => self.zoom(),
                }
                return Some(ActionOutcome::show(KeyContext::Global));
            }
            Action::Filter => {
                return Some(ActionOutcome {
                    show: Some(KeyContext::Queue),
                    open: Some(FilterForm::open(session)),
                });
            }
            Action::PreviousPane if self.alone.is_some() => {
                return Some(ActionOutcome::show(KeyContext::Queue));
            }
            Action::NextPane | Action::PreviousPane => {
                return Some(ActionOutcome::show(match self.focus {
                    Pane::Queue => KeyContext::Record,
                    Pane::Record => KeyContext::Queue,
                }));
            }
            Action::Workbench => return Some(ActionOutcome::show(self.context())),
            Action::NarrowQueue => self.set_queue_percent(self.queue_percent.saturating_sub(4)),
            Action::WidenQueue => self.set_queue_percent(self.queue_percent + 4),
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    fn mouse(&mut self, mouse: &MouseEvent, session: &mut Session) {
        self.record.follow(session.current());
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(WHEEL_LINES, at, session),
            MouseEventKind::ScrollUp => self.wheel(-WHEEL_LINES, at, session),
            MouseEventKind::Down(MouseButton::Left) => self.click(at, session),
            MouseEventKind::Drag(MouseButton::Left) if self.dragging_divider => {
                let width = session.size.width.max(1);
                let percent = u32::from(mouse.column) * 100 / u32::from(width);
                self.set_queue_percent(percent as u16);
            }
            MouseEventKind::Up(_) => self.dragging_divider = false,
            _ => {}
        }
    }

    fn fix_at(&self, at: Position, session: &Session) -> Option<usize> {
        self.record.fix_at(at, &self.panes(session), session)
    }

    /// Opens a row of the queue, or edits a value of the record.
    fn double_click(&self, at: Position, session: &Session) -> Option<Action> {
        match self.panes(session).pane_at(at)? {
            Pane::Queue => Some(Action::NextPane),
            Pane::Record => Some(Action::EditField),
        }
    }

    fn prepare(&mut self, dialog: Option<&Dialog>, session: &Session) {
        let count = self.rows(session).map_or(1, |rows| rows.count);
        self.queue.prepare(count, session);
        let panes = self.panes(session);
        let focused = self.focus == Pane::Record;
        self.record.prepare(&panes, focused, dialog, session);
    }

    fn draw(&self, view: &View<'_>, _: Rect, buf: &mut Buffer) {
        let panes = self.panes(view.session);
        self.queue
            .draw(view, &panes, self.focus == Pane::Queue, buf);
        if let Some(place) = picture_place(&panes) {
            let zoomed = self.alone == Some(Alone::Picture);
            picture_pane::draw(view, place, zoomed, buf);
        }
        self.record
            .draw(view, &panes, self.focus == Pane::Record, buf);
    }

    fn hints(&self) -> &'static [Action] {
        match self.focus {
            Pane::Queue => &[
                Action::AcceptNext,
                Action::CommitNext,
                Action::EditLabel,
                Action::AddTag,
                Action::Retry,
                Action::Reject,
                Action::Undo,
                Action::RepeatEdit,
                Action::Filter,
                Action::NextPane,
                Action::Versions,
                Action::CommitAccepted,
                Action::CommitCertain,
                Action::Palette,
                Action::Quit,
            ],
            Pane::Record => &[
                Action::EditField,
                Action::AddValue,
                Action::RemoveValue,
                Action::AcceptNext,
                Action::CommitNext,
                Action::Undo,
                Action::MoveEarlier,
                Action::NextPane,
                Action::Retry,
                Action::Versions,
                Action::Quit,
            ],
        }
    }

    fn shown_parts(&self, session: &Session) -> Vec<Part> {
        if session.detail().is_none() {
            return Vec::new();
        }
        let panes = self.panes(session);
        let mut shown = vec![Part::Name];
        if self.record.shows_label(&panes, session) {
            shown.push(Part::Label);
        }
        if picture_pane::is_settled(session, picture_place(&panes)) {
            shown.push(Part::Picture);
        }
        shown
    }

    fn way_back(&self) -> Option<Action> {
        (self.alone == Some(Alone::Picture)).then_some(Action::Zoom)
    }

    fn visible_rows(&self, session: &Session) -> Range<usize> {
        match self.rows(session) {
            Some(rows) if rows.height == usize::from(THUMBNAIL.height) => self.queue.visible(&rows),
            _ => {
                let cursor = session.queue.cursor();
                cursor..cursor + 3
            }
        }
    }

    /// Those of failed items, whose rows say why.
    fn wants_details(&self, session: &Session) -> Vec<GroupId> {
        let visible = self.rows(session).map(|rows| self.queue.visible(&rows));
        let visible = visible.into_iter().flatten();
        let summaries = visible.filter_map(|row| session.row(row));
        let failed = summaries.filter(|summary| summary.state == GroupState::Failed);
        failed.map(|summary| summary.id).collect()
    }

    fn pictures(&self, session: &Session) -> Vec<PictureRequest> {
        let mut wanted = picture_pane::requests(session, picture_place(&self.panes(session)));
        let rows = self.rows(session);
        if rows.is_some_and(|rows| rows.height == usize::from(THUMBNAIL.height)) {
            wanted.extend(session.tile_requests(self.visible_rows(session), THUMBNAIL));
        }
        wanted
    }

    fn cursor(&self, session: &Session) -> Option<Position> {
        match self.focus {
            Pane::Queue => self.queue.cursor(&self.rows(session)?, session),
            Pane::Record => self.record.cursor(&self.panes(session), session),
        }
    }

    fn in_place(&self, dialog: Option<&Dialog>, session: &Session) -> Option<Option<Position>> {
        let prompt = dialog?.edits_in_place()?;
        self.record
            .text_cursor(prompt, &self.panes(session), session)
    }

    fn rooms(&self, session: &Session) -> [Rect; 2] {
        let panes = self.panes(session);
        let body = session.body();
        let record = panes.record.or(panes.queue).unwrap_or(body);
        [record, panes.queue.unwrap_or(record)]
    }

    fn filter_line(&self, session: &Session) -> Option<Rect> {
        self.rows(session).map(|rows| rows.filter)
    }
}
