//! What every screen does, and what it gets and gives for it.

use crate::record::GroupId;
use crate::tui::dialogs::Dialog;
use crate::tui::flow::Visibility;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crossterm::event::MouseEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::ops::Range;

/// What a screen is drawn from, besides its own state.
pub struct View<'a> {
    pub session: &'a Session,
    pub dialog: Option<&'a Dialog>,
    /// The rectangles that the dialog covers.
    pub boxes: &'a [Rect],
}

/// What an action leads to: a screen to show, a dialog to open.
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
    /// The table of keys that work on it.
    fn context(&self) -> KeyContext;

    /// Performs an action of its own; `None` where it has no such action.
    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome>;

    fn mouse(&mut self, _mouse: &MouseEvent, _session: &mut Session) {}

    /// What a second click on the same place does.
    fn double_click(&self, _at: Position, _session: &Session) -> Option<Action> {
        None
    }

    /// Scrolls to its cursors before a frame.
    fn prepare(&mut self, _dialog: Option<&Dialog>, _session: &Session) {}

    fn draw(&self, view: &View<'_>, area: Rect, buf: &mut Buffer);

    /// The most useful actions, the first ones first, for the hint line.
    fn hints(&self) -> &'static [Action];

    /// The action that leads back from what hides the rest of the screen.
    fn way_back(&self) -> Option<Action> {
        None
    }

    /// How much of the current record a frame of it shows.
    fn record_visibility(&self, _session: &Session) -> Visibility {
        Visibility::Hidden
    }

    /// Whether actions are about all selected records.
    fn is_bulk(&self) -> bool {
        false
    }

    /// Rows of the queue whose details or pictures it shows.
    fn visible_rows(&self, session: &Session) -> Range<usize> {
        let cursor = session.queue.cursor();
        cursor..cursor + 3
    }

    /// Further groups whose details it needs, in the queue or not.
    fn wants_details(&self, _session: &Session) -> Vec<GroupId> {
        Vec::new()
    }

    /// The pictures that it shows or is about to, the most important one first.
    fn pictures(&self, _session: &Session) -> Vec<PictureRequest> {
        Vec::new()
    }

    fn wants_counts(&self, _: &Session) -> bool {
        false
    }

    /// Where what is in hand stands on the screen.
    fn cursor(&self, _session: &Session) -> Option<Position> {
        None
    }

    /// Where the cursor of a text that is edited in place stands; see
    /// [`DialogPlace::in_place`](crate::tui::dialogs::DialogPlace::in_place).
    fn in_place(&self, _dialog: Option<&Dialog>, _session: &Session) -> Option<Option<Position>> {
        None
    }

    /// Where a box may lie without covering the picture of the record; the best place first.
    fn rooms(&self, session: &Session) -> [Rect; 2] {
        [session.body(); 2]
    }

    /// The line of the filter, where the screen shows it.
    fn filter_line(&self, _session: &Session) -> Option<Rect> {
        None
    }
}
