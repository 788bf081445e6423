//! The screens. Each owns its state, the actions that are its own, its layout and its drawing.

mod gallery;
mod progress;
mod queue_parts;
mod statistics;
mod versions;
mod workbench;

use gallery::Gallery;
use progress::ProgressScreen;
use statistics::Statistics;
use versions::Versions;
use workbench::Workbench;

use super::dialogs::{Dialog, DialogPlace};
use super::keymap::{Action, KeyContext};
use super::picture::PictureRequest;
use super::session::Session;
use crate::record::GroupId;
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

    /// Scrolls to its cursors before a frame.
    fn prepare(&mut self, _dialog: Option<&Dialog>, _session: &Session) {}

    fn draw(&self, view: &View<'_>, area: Rect, buf: &mut Buffer);

    /// The most useful actions, the first ones first, for the hint line.
    fn hints(&self) -> &'static [Action];

    /// The action that leads back from what hides the rest of the screen.
    fn way_back(&self) -> Option<Action> {
        None
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

    /// The pictures that it shows or is about to, the most important one first.
    fn pictures(&self, _session: &Session) -> Vec<PictureRequest> {
        Vec::new()
    }

    fn wants_counts(&self) -> bool {
        false
    }

    /// Where the cursor of a text that is edited in place stands; see [`DialogPlace::in_place`].
    fn in_place(&self, _dialog: Option<&Dialog>, _session: &Session) -> Option<Option<Position>> {
        None
    }

    /// The line of the filter, where the screen shows it.
    fn filter_line(&self, _session: &Session) -> Option<Rect> {
        None
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ScreenId {
    #[default]
    Workbench,
    Gallery,
    Versions,
    Progress,
    Statistics,
}

/// A tab of the header: what it shows, its name, and the action that shows it.
pub const TABS: [(ScreenId, &str, Action); 4] = [
    (ScreenId::Workbench, "Work", Action::Workbench),
    (ScreenId::Gallery, "Gallery", Action::Gallery),
    (ScreenId::Progress, "Progress", Action::Progress),
    (ScreenId::Statistics, "Statistics", Action::Statistics),
];

#[derive(Default)]
pub struct Screens {
    shown: ScreenId,
    workbench: Workbench,
    gallery: Gallery,
    versions: Versions,
    progress: ProgressScreen,
    statistics: Statistics,
}

impl Screens {
    fn all(&mut self) -> [&mut dyn Screen; 5] {
        [
            &mut self.workbench,
            &mut self.gallery,
            &mut self.versions,
            &mut self.progress,
            &mut self.statistics,
        ]
    }

    pub fn shown(&self) -> &dyn Screen {
        match self.shown {
            ScreenId::Workbench => &self.workbench,
            ScreenId::Gallery => &self.gallery,
            ScreenId::Versions => &self.versions,
            ScreenId::Progress => &self.progress,
            ScreenId::Statistics => &self.statistics,
        }
    }

    pub fn shown_mut(&mut self) -> &mut dyn Screen {
        match self.shown {
            ScreenId::Workbench => &mut self.workbench,
            ScreenId::Gallery => &mut self.gallery,
            ScreenId::Versions => &mut self.versions,
            ScreenId::Progress => &mut self.progress,
            ScreenId::Statistics => &mut self.statistics,
        }
    }

    /// The tab that stands for the shown screen.
    pub fn tab(&self) -> ScreenId {
        match self.shown {
            ScreenId::Versions => ScreenId::Workbench,
            shown => shown,
        }
    }

    pub fn is_workbench(&self) -> bool {
        self.shown == ScreenId::Workbench
    }

    /// Shows a screen, or a pane of the workbench.
    pub fn show(&mut self, place: KeyContext) {
        self.shown = match place {
            KeyContext::Global | KeyContext::Queue | KeyContext::Record => {
                self.workbench.focus(place);
                ScreenId::Workbench
            }
            KeyContext::Gallery => ScreenId::Gallery,
            KeyContext::Attempts => ScreenId::Versions,
            KeyContext::Progress => ScreenId::Progress,
            KeyContext::Statistics => ScreenId::Statistics,
        };
    }

    /// Performs an action of a screen that is not shown.
    pub fn act_elsewhere(
        &mut self,
        action: Action,
        session: &mut Session,
    ) -> Option<ActionOutcome> {
        if !self.is_workbench() {
            self.workbench.end_zoom();
        }
        self.all()
            .into_iter()
            .find_map(|screen| screen.act(action, session))
    }

    pub fn prepare(&mut self, dialog: Option<&Dialog>, session: &Session) {
        for screen in self.all() {
            screen.prepare(dialog, session);
        }
    }

    /// The records that an action is about: what is selected where that counts, else the current
    /// one.
    pub fn targets(&self, session: &Session) -> Vec<GroupId> {
        if self.shown().is_bulk() && !session.selection.is_empty() {
            return session.selection.groups();
        }
        session.current().into_iter().collect()
    }

    /// Where a dialog belongs on the shown screen.
    pub fn placement(&self, dialog: Option<&Dialog>, session: &Session) -> DialogPlace {
        let shown = self.shown();
        let line = shown.filter_line(session);
        DialogPlace {
            context: shown.context(),
            filter: line.unwrap_or_else(|| self.gallery.layout(session).filter),
            text_cells: self.workbench.text_cells(session),
            in_place: shown.in_place(dialog, session),
        }
    }
}
