//! The progress screen: the model's work, or the review if the model has no work.

mod model;
mod parts;
mod review;

use super::{ActionOutcome, Screen, View};
use crate::record::GroupId;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use model::{ICON, written_icons};
use parts::{TILE, panes, shown_icons};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Default)]
pub struct ProgressScreen;

impl Screen for ProgressScreen {
    fn context(&self) -> KeyContext {
        KeyContext::Progress
    }

    fn act(&mut self, action: Action, _: &mut Session) -> Option<ActionOutcome> {
        (action == Action::Progress).then(|| ActionOutcome::show(KeyContext::Progress))
    }

    fn draw(&self, view: &View<'_>, body: Rect, buf: &mut Buffer) {
        let panes = panes(body);
        match view.session.engine.has_activity() {
            true => model::draw(view, &panes, buf),
            false => review::draw(view, &panes, buf),
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[Action::Pause, Action::Workbench, Action::Quit]
    }

    fn wants_details(&self, session: &Session) -> Vec<GroupId> {
        let mut ids = written_icons(session);
        ids.extend(shown_icons(session));
        ids
    }

    fn wants_counts(&self, session: &Session) -> bool {
        !session.engine.has_activity()
    }

    fn pictures(&self, session: &Session) -> Vec<PictureRequest> {
        let mut tiles = session.tiles_of(&written_icons(session), ICON);
        tiles.extend(session.tiles_of(&shown_icons(session), TILE));
        tiles
    }
}
