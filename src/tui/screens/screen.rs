//! The interface that every screen implements.

use crate::record::GroupId;
use crate::tui::dialogs::Dialog;
use crate::tui::flow::Part;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crossterm::event::MouseEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::ops::Range;

/// What a screen reads when it draws, besides its own state.
pub struct View<'a> {
    pub session: &'a Session,
    pub dialog: Option<&'a Dialog>,
    /// The rectangles that the dialog covers.
    pub boxes: &'a [Rect],
}

/// The result of an action: a screen to show, a dialog to open.
#[derive(Default)]
pub struct ActionOutcome {
    pub show: Option<KeyContext>,
    pub open: Option<Dialog>,
}

impl ActionOutcome {
    pub fn done() -> Self {
        Self::default()
    }

    pub fn show(place: KeyContext) -> Self {
        Self {
            show: Some(place),
            open: None,
        }
    }

    pub fn open(dialog: Dialog) -> Self {
        Self {
            show: None,
            open: Some(dialog),
        }
    }
}

pub trait Screen {
    /// The key table that applies.
    fn context(&self) -> KeyContext;

    /// Runs an action. Returns `None` if the screen does not have it.
    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome>;

    fn mouse(&mut self, _mouse: &MouseEvent, _session: &mut Session) {}

    /// The fix at a screen position, counted from 1 like its key.
    fn fix_at(&self, _at: Position, _session: &Session) -> Option<usize> {
        None
    }

    /// The action of a double click.
    fn double_click(&self, _at: Position, _session: &Session) -> Option<Action> {
        None
    }

    /// Scrolls the cursors into view before a frame.
    fn prepare(&mut self, _dialog: Option<&Dialog>, _session: &Session) {}

    fn draw(&self, view: &View<'_>, area: Rect, buf: &mut Buffer);

    /// The most useful actions for the hint line, most important first.
    fn hints(&self) -> &'static [Action];

    /// The action that leaves a zoomed view.
    fn way_back(&self) -> Option<Action> {
        None
    }

    /// The parts of the current record that are on screen now.
    fn shown_parts(&self, _session: &Session) -> Vec<Part> {
        Vec::new()
    }

    /// Whether the screen has room for a part of the current record.
    fn has_room_for(&self, _part: Part, _session: &Session) -> bool {
        false
    }

    /// Whether actions apply to all selected records.
    fn is_bulk(&self) -> bool {
        false
    }

    /// Rows of the queue whose details or pictures the screen shows.
    fn visible_rows(&self, session: &Session) -> Range<usize> {
        let cursor = session.queue.cursor();
        cursor..cursor + 3
    }

    /// Other groups whose details the screen needs, in the queue or not.
    fn wants_details(&self, _session: &Session) -> Vec<GroupId> {
        Vec::new()
    }

    /// The pictures that the screen shows or soon will, most important first.
    fn pictures(&self, _session: &Session) -> Vec<PictureRequest> {
        Vec::new()
    }

    fn wants_counts(&self, _: &Session) -> bool {
        false
    }

    /// The screen position of the selected element.
    fn cursor(&self, _session: &Session) -> Option<Position> {
        None
    }

    /// The cursor position of a text that is edited in place; see
    /// [`DialogPlace::in_place`](crate::tui::dialogs::DialogPlace::in_place).
    fn in_place(&self, _dialog: Option<&Dialog>, _session: &Session) -> Option<Option<Position>> {
        None
    }

    /// Areas where a dialog does not cover the picture of the record, best first.
    fn rooms(&self, session: &Session) -> [Rect; 2] {
        [session.body(); 2]
    }

    /// The line of the filter, if the screen shows it.
    fn filter_line(&self, _session: &Session) -> Option<Rect> {
        None
    }
}
