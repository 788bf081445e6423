//! The progress screen: the model's work, or the review if the model has no work.

mod model;
mod parts;
mod review;

use super::{ActionOutcome, Screen, View};
use crate::record::GroupId;
use crate::text::count;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, focused_pane, layout, lines};
use model::{ICON, written_icons};
use parts::{TILE, panes, shown_icons};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

#[derive(Default)]
pub struct ProgressScreen {
    /// The first line on a screen without room for panes.
    top: usize,
}

impl ProgressScreen {
    fn scroll(&mut self, by: isize, session: &Session) {
        let panes = panes(session.body());
        let inner = layout::inside_border(panes.run);
        let lines = match panes.has_room() {
            true => 0,
            false => all_lines(session, inner).len(),
        };
        let last = lines.saturating_sub(inner.height.into());
        self.top = self.top.saturating_add_signed(by).min(last);
    }
}

/// Everything in one column.
fn all_lines(session: &Session, area: Rect) -> Vec<Line<'static>> {
    match session.engine.has_activity() {
        true => model::all_lines(session, area),
        false => review::all_lines(session, area),
    }
}

/// Draws one column; its last line tells how many lines are below.
fn draw_column(session: &Session, top: usize, area: Rect, buf: &mut Buffer) {
    let (theme, words) = (&session.theme, session.words);
    let inner = focused_pane(theme, area, words.progress_title(), buf);
    let all = all_lines(session, inner);
    lines(&all, top, inner, buf);
    let below = all.len().saturating_sub(top + usize::from(inner.height));
    if below > 0 {
        let text = words.and_more(count(below as u64 + 1));
        let last = Rect {
            y: inner.bottom().saturating_sub(1),
            height: 1,
            ..inner
        };
        fill_line(&text, theme.dim(), last, buf);
    }
}

impl Screen for ProgressScreen {
    fn context(&self) -> KeyContext {
        KeyContext::Progress
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        let by = match action {
            Action::Progress => return Some(ActionOutcome::show(KeyContext::Progress)),
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -5,
            Action::PageDown => 5,
            _ => return None,
        };
        self.scroll(by, session);
        Some(ActionOutcome::done())
    }

    /// The lines may have become fewer.
    fn prepare(&mut self, _: Option<&Dialog>, session: &Session) {
        if self.top > 0 {
            self.scroll(0, session);
        }
    }

    fn draw(&self, view: &View<'_>, body: Rect, buf: &mut Buffer) {
        let panes = panes(body);
        if !panes.has_room() {
            return draw_column(view.session, self.top, panes.run, buf);
        }
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
