//! The screens. Each owns its state, its actions, its layout and its drawing.

mod gallery;
mod picture_pane;
mod progress;
mod queue_parts;
mod related_records;
mod screen;
mod statistics;
mod versions;
mod workbench;

pub use screen::{ActionOutcome, Screen, View};

use gallery::Gallery;
use progress::ProgressScreen;
use statistics::Statistics;
use versions::Versions;
use workbench::Workbench;

use super::dialogs::{Dialog, DialogPlace};
use super::flow::Part;
use super::keymap::{Action, KeyContext};
use super::session::Session;
use crate::record::GroupId;
use crate::text::Phrase;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ScreenId {
    #[default]
    Workbench,
    Gallery,
    Versions,
    Progress,
    Statistics,
}

/// The tabs of the header: the screen, its name, and the action that shows it.
pub const TABS: [(ScreenId, Phrase, Action); 4] = [
    (
        ScreenId::Workbench,
        Phrase::new("Work", "작업"),
        Action::Workbench,
    ),
    (
        ScreenId::Gallery,
        Phrase::new("Gallery", "갤러리"),
        Action::Gallery,
    ),
    (
        ScreenId::Progress,
        Phrase::new("Progress", "진행"),
        Action::Progress,
    ),
    (
        ScreenId::Statistics,
        Phrase::new("Words", "단어"),
        Action::Statistics,
    ),
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

    /// The tab of the shown screen; versions have none of their own.
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
            KeyContext::Versions => ScreenId::Versions,
            KeyContext::Progress => ScreenId::Progress,
            KeyContext::Statistics => ScreenId::Statistics,
        };
    }

    /// Brings a part of the current record into view: on the shown screen if it has room for it, else
    /// on the workbench.
    pub fn bring_up(&mut self, part: Part, session: &Session) {
        if !self.shown().has_room_for(part, session) {
            self.shown = ScreenId::Workbench;
            self.workbench.bring_up(part, session);
        }
    }

    /// Returns the focus to the pane from which the closed dialog was opened.
    pub fn dialog_closed(&mut self) {
        self.workbench.return_focus();
    }

    /// Runs an action that belongs to a screen that is not shown.
    pub fn act_elsewhere(
        &mut self,
        action: Action,
        session: &mut Session,
    ) -> Option<ActionOutcome> {
        if !self.is_workbench() {
            self.workbench.end_zoom();
        }
        // The workbench comes first: actions that go to a field of the record belong to it.
        self.all()
            .into_iter()
            .find_map(|screen| screen.act(action, session))
    }

    pub fn prepare(&mut self, dialog: Option<&Dialog>, session: &Session) {
        for screen in self.all() {
            screen.prepare(dialog, session);
        }
    }

    /// The records that an action applies to: the selected ones where the screen is for bulk work,
    /// else the current one.
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
            rooms: shown.rooms(session),
            text_cells: self.workbench.text_cells(session),
            in_place: shown.in_place(dialog, session),
        }
    }
}
