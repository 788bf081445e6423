//! The progress screen: the model's work, or the review if the model has no work.

mod model;
mod parts;
mod review;

use super::{ActionOutcome, Screen, View};
use crate::record::GroupId;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, focused_pane, layout, lines};
use crossterm::event::{MouseEvent, MouseEventKind};
use model::{ICON, written_icons};
use parts::{ProgressPanes, TILE, panes, shown_icons};
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
        let inner = column(&panes);
        let lines = match panes.has_room() {
            true => 0,
            false => all_lines(session, inner).len(),
        };
        let last = lines.saturating_sub(inner.height.into());
        self.top = self.top.saturating_add_signed(by).min(last);
    }
}

/// The area of the lines on a screen without room for panes.
fn column(panes: &ProgressPanes) -> Rect {
    layout::inside_border(panes.run)
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
    let mut end = top + usize::from(inner.height);
    if end >= all.len() {
        return lines(&all, top, inner, buf);
    }
    end = end.saturating_sub(1);
    // A title says nothing without the lines below it.
    let is_title = |line: &Line| line.style == theme.title() || line.spans.is_empty();
    while end > top && is_title(&all[end - 1]) {
        end -= 1;
    }
    lines(&all[..end], top, inner, buf);
    let key = |action| {
        let keys = session.keymap.keys_of(KeyContext::Progress, action);
        keys.into_iter().next()
    };
    let keys = [Action::Down, Action::Bottom].into_iter().filter_map(key);
    let keys = keys.collect::<Vec<String>>().join(" ");
    let text = words.lines_below(words.more_lines(all.len() - end), keys);
    let last = Rect {
        y: inner.bottom().saturating_sub(1),
        height: 1,
        ..inner
    };
    fill_line(&text, theme.dim(), last, buf);
}

impl Screen for ProgressScreen {
    fn context(&self) -> KeyContext {
        KeyContext::Progress
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        let page = isize::try_from(column(&panes(session.body())).height).unwrap_or(1);
        let page = (page - 2).max(1);
        let by = match action {
            Action::Progress => return Some(ActionOutcome::show(KeyContext::Progress)),
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::Top => isize::MIN,
            Action::Bottom => isize::MAX,
            _ => return None,
        };
        self.scroll(by, session);
        Some(ActionOutcome::done())
    }

    fn mouse(&mut self, mouse: &MouseEvent, session: &mut Session) {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.scroll(1, session),
            MouseEventKind::ScrollUp => self.scroll(-1, session),
            _ => {}
        }
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
