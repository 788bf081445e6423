//! The gallery: a grid of icons for bulk work, with the record under the cursor below it.

mod layout;

use super::queue_parts::{empty_queue, filter_line};
use super::{ActionOutcome, Screen, View};
use crate::record::{Field, GroupSummary};
use crate::text::{count, fit, for_screen, pad, width, wrap, wrap_offsets};
use crate::tui::dialogs::{
    BulkAction, BulkForm, Dialog, FilterForm, PromptPurpose, PromptRefusal, RecordEffect, Scope,
};
use crate::tui::flow::Part;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::{fill_view, keep_in_view, put};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use layout::{TileGrid, grid};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Modifier;
use std::ops::Range;

#[derive(Default)]
pub struct Gallery {
    /// The first line of tiles on screen.
    top: usize,
    /// Whether the tiles leave room for a dialog below them.
    has_dialog: bool,
}

impl Gallery {
    pub fn layout(&self, session: &Session) -> TileGrid {
        let is_fine = session.pictures.draws_pixels();
        grid(session.body(), is_fine, self.has_dialog)
    }

    /// Moves the cursor by tiles and lines, within the grid.
    fn step(&self, x: isize, y: isize, session: &mut Session) {
        let columns = self.layout(session).columns as isize;
        let cursor = session.queue.cursor();
        let to = cursor.saturating_add_signed(y * columns + x);
        if to < session.queue.len() {
            session.put_cursor(to);
        }
    }

    fn page(&self, direction: isize, session: &mut Session) {
        let grid = self.layout(session);
        session.move_cursor(direction * (grid.columns * grid.lines) as isize);
    }

    fn select(&self, session: &mut Session) {
        if let Some(id) = session.current() {
            session.selection.toggle(id);
        }
    }

    fn select_range(&self, session: &mut Session) {
        if session.current().is_some() {
            let shown: Vec<_> = session.queue.ids(&session.records).collect();
            session.selection.extend_to(session.queue.cursor(), &shown);
        }
    }
}

impl Screen for Gallery {
    fn context(&self) -> KeyContext {
        KeyContext::Gallery
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        match action {
            Action::Up => self.step(0, -1, session),
            Action::Down => self.step(0, 1, session),
            Action::Left => self.step(-1, 0, session),
            Action::Right => self.step(1, 0, session),
            Action::PageUp => self.page(-1, session),
            Action::PageDown => self.page(1, session),
            Action::Select => self.select(session),
            Action::SelectRange => self.select_range(session),
            Action::SelectAll => {
                let shown = session.queue.ids(&session.records);
                session.selection.set(shown);
            }
            Action::Gallery => return Some(ActionOutcome::show(KeyContext::Gallery)),
            Action::Unselect => session.selection.clear(),
            Action::Filter => return Some(ActionOutcome::open(FilterForm::open(session))),
            Action::AddTag => {
                let field = Field::TagsKo;
                let groups = match session.selection.is_empty() {
                    true => session.current().into_iter().collect(),
                    false => session.selection.groups(),
                };
                return Some(ActionOutcome::open(match groups.len() {
                    0 => PromptRefusal::nothing_to_edit(session),
                    1 if session.labels().is_none() => PromptRefusal::nothing_to_edit(session),
                    1 => Dialog::prompt(PromptPurpose::Add { field, groups }, ""),
                    _ => BulkForm::value(Scope::Selection, field, BulkAction::Add, session),
                }));
            }
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    fn mouse(&mut self, mouse: &MouseEvent, session: &mut Session) {
        let grid = self.layout(session);
        match mouse.kind {
            MouseEventKind::ScrollDown => session.move_cursor(grid.columns as isize),
            MouseEventKind::ScrollUp => session.move_cursor(-(grid.columns as isize)),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(mouse.column, mouse.row);
                if let Some(slot) = grid.slot_at(at) {
                    let row = self.top * grid.columns + slot;
                    if row < session.queue.len() {
                        session.put_cursor(row);
                    }
                }
            }
            _ => {}
        }
    }

    fn double_click(&self, at: Position, session: &Session) -> Option<Action> {
        let grid = self.layout(session);
        let row = self.top * grid.columns + grid.slot_at(at)?;
        (row < session.queue.len()).then_some(Action::Open)
    }

    fn prepare(&mut self, dialog: Option<&Dialog>, session: &Session) {
        self.has_dialog = dialog.is_some_and(|dialog| !dialog.is_filter());
        let grid = self.layout(session);
        let line = session.queue.cursor() / grid.columns;
        keep_in_view(&mut self.top, line, grid.lines);
        let lines = session.queue.len().div_ceil(grid.columns);
        fill_view(&mut self.top, grid.lines, lines);
    }

    fn draw(&self, view: &View<'_>, _: Rect, buf: &mut Buffer) {
        let session = view.session;
        let grid = self.layout(session);
        title(session, grid.title, buf);
        filter_line(view, grid.filter, buf);
        if session.queue.is_empty() {
            empty_queue(view, grid.tiles, buf);
            return;
        }
        let first = self.top * grid.columns;
        for slot in 0..grid.columns * grid.lines {
            let Some(summary) = session.row(first + slot) else {
                break;
            };
            let under_cursor = first + slot == session.queue.cursor();
            tile(
                view,
                summary,
                under_cursor,
                grid.tile_at(slot),
                grid.picture(),
                buf,
            );
        }
        if let Some(summary) = session.row(session.queue.cursor()) {
            record(session, summary, grid.record, buf);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::Select,
            Action::SelectRange,
            Action::SelectAll,
            Action::AcceptNext,
            Action::AddTag,
            Action::RemoveTag,
            Action::Bulk,
            Action::Retry,
            Action::Reject,
            Action::Open,
            Action::Undo,
        ]
    }

    fn shown_parts(&self, session: &Session) -> Vec<Part> {
        let grid = self.layout(session);
        let Some(summary) = session.row(session.queue.cursor()) else {
            return Vec::new();
        };
        let mut shown = vec![Part::Name];
        if shows_label(summary, grid.record) {
            shown.push(Part::Label);
        }
        let key = session.pictures.tile_key(summary.id, grid.picture());
        let detail = session.detail();
        if detail.is_some_and(|detail| session.pictures.has_settled(&key, detail)) {
            shown.push(Part::Picture);
        }
        shown
    }

    fn has_room_for(&self, part: Part, session: &Session) -> bool {
        let summary = session.row(session.queue.cursor());
        match part {
            Part::Name | Part::Picture => true,
            Part::Label => summary.is_some_and(|of| shows_label(of, self.layout(session).record)),
        }
    }

    fn cursor(&self, session: &Session) -> Option<Position> {
        let grid = self.layout(session);
        let first = self.top * grid.columns;
        let slot = session.queue.cursor().checked_sub(first)?;
        let tile = grid.tile_at(slot);
        let is_visible = slot < grid.columns * grid.lines && !session.queue.is_empty();
        is_visible.then(|| Position::new(tile.x, tile.bottom().saturating_sub(1)))
    }

    fn is_bulk(&self) -> bool {
        true
    }

    /// Below the tiles, or anywhere.
    fn rooms(&self, session: &Session) -> [Rect; 2] {
        [self.layout(session).dialog, session.body()]
    }

    fn visible_rows(&self, session: &Session) -> Range<usize> {
        let grid = self.layout(session);
        let first = self.top * grid.columns;
        first..first + grid.columns * grid.lines
    }

    fn pictures(&self, session: &Session) -> Vec<PictureRequest> {
        session.tile_requests(self.visible_rows(session), self.layout(session).picture())
    }

    fn filter_line(&self, session: &Session) -> Option<Rect> {
        Some(self.layout(session).filter)
    }
}

fn title(session: &Session, area: Rect, buf: &mut Buffer) {
    let queue = &session.queue;
    let words = session.words;
    let selected = session.selection.len();
    let text = if selected == 0 {
        let place = (queue.cursor() + 1).min(queue.len());
        words.list_title(
            count(place as u64),
            count(queue.len() as u64),
            words.order(queue.search_text(), queue.sort()),
        )
    } else {
        // Bulk actions include selected records that the filter hides, so their number is shown.
        let selected = count(selected as u64);
        match session.selection.hidden() {
            0 => words.selected(selected),
            n => words.selected_hidden(selected, count(n as u64)),
        }
    };
    let style = if selected == 0 {
        session.theme.title()
    } else {
        session.theme.accent().add_modifier(Modifier::REVERSED)
    };
    let cells = usize::from(area.width.saturating_sub(1));
    put(
        buf,
        area.x,
        area.y,
        area.width,
        &fit(&format!(" {text} "), cells),
        style,
    );
}

/// Draws a tile: the icon, and a line with its signs and its name, or what the change in the open
/// dialog makes of the record.
fn tile(
    view: &View<'_>,
    summary: &GroupSummary,
    under_cursor: bool,
    area: Rect,
    room: Size,
    buf: &mut Buffer,
) {
    let session = view.session;
    let theme = &session.theme;
    let picked = session.selection.contains(summary.id);
    let room = Rect {
        x: area.x + 1,
        width: room.width,
        height: room.height,
        ..area
    };
    let pictures = &session.pictures;
    match pictures.get(&pictures.tile_key(summary.id, room.as_size())) {
        Some(Ok(picture)) => pictures.draw(picture, room, view.boxes, theme, buf),
        Some(Err(_)) => {
            let text = session.words.no_picture();
            put(buf, room.x, room.y, room.width, text, theme.bad());
        }
        None if pictures.are_off() => {}
        None => {
            put(buf, room.x, room.y, room.width, "...", theme.dim());
        }
    }
    // Selection and cursor have signs as well as colors, for screens without colors.
    let bar = match (under_cursor, picked) {
        (true, _) => Some((">", theme.title())),
        (false, true) => Some(("#", theme.accent())),
        _ => None,
    };
    if let Some((bar, style)) = bar {
        for y in area.y..area.bottom() - 1 {
            put(buf, area.x, y, 1, bar, style);
        }
    }
    let marks = format!("{}{}", if picked { "#" } else { " " }, sign(summary.state));
    let cells = usize::from(area.width.saturating_sub(1));
    let text_cells = cells.saturating_sub(width(&marks) + 1);
    let pending = view.dialog.and_then(Dialog::pending);
    let effect = pending.and_then(|pending| pending.effect_on(summary, text_cells, session));
    let style = match (under_cursor, picked, &effect) {
        (true, ..) => theme.cursor(),
        (_, _, Some(RecordEffect::Changed(_))) => theme.accent(),
        (_, _, Some(RecordEffect::Unchanged)) => theme.dim(),
        (_, _, Some(RecordEffect::Refused)) => theme.bad(),
        (_, true, None) => theme.accent().add_modifier(Modifier::REVERSED),
        (_, false, None) => theme.text(),
    };
    let text = match effect {
        Some(RecordEffect::Changed(after)) => after,
        Some(RecordEffect::Unchanged) => format!("= {}", summary.title()),
        Some(RecordEffect::Refused) => format!("! {}", summary.title()),
        None => summary.title().to_owned(),
    };
    let text = fit(&text, text_cells);
    let y = area.bottom() - 1;
    put(
        buf,
        area.x,
        y,
        area.width,
        &pad(&format!("{marks} {text}"), cells),
        style,
    );
    if !under_cursor && !picked {
        put(
            buf,
            area.x + 1,
            y,
            1,
            sign(summary.state),
            theme.state(summary.state),
        );
    }
}

/// Whether the area below the tiles shows the whole label of a record.
fn shows_label(summary: &GroupSummary, area: Rect) -> bool {
    let cells = usize::from(area.width.saturating_sub(1));
    let lines = wrap(summary.labels.label_ko(), cells).len();
    area.height >= 3 && lines < usize::from(area.height)
}

/// Draws the record under the cursor: its name, its label in one or two lines and, below a short
/// label, its values.
fn record(session: &Session, summary: &GroupSummary, area: Rect, buf: &mut Buffer) {
    let (theme, words) = (&session.theme, session.words);
    if area.height < 3 {
        return;
    }
    let cells = area.width.saturating_sub(1);
    let state = format!("{} {}", sign(summary.state), words.state(summary.state));
    let reasons = summary.reasons.iter().map(|code| words.reason_code(*code));
    let head = [
        (fit(summary.title(), usize::from(cells / 2)), theme.title()),
        (state, theme.state(summary.state)),
        (reasons.collect::<Vec<_>>().join("  "), theme.warn()),
    ];
    let mut x = area.x + 1;
    for (text, style) in head {
        x = put(buf, x, area.y, area.right().saturating_sub(x), &text, style) + 2;
    }
    let label = for_screen(summary.labels.label_ko());
    let lines = wrap_offsets(&label, usize::from(cells));
    let last = usize::from(area.height) - 1;
    let lines = lines.iter().take(last).zip(area.y + 1..);
    let mut below = area.y + 1;
    for ((start, line), y) in lines {
        let is_last = y + 1 == area.bottom();
        let text = if is_last { &label[*start..] } else { line };
        put(buf, area.x + 1, y, cells, text, theme.text());
        below = y + 1;
    }
    if below >= area.bottom() {
        return;
    }
    let shown = [Field::TagsKo, Field::Colors, Field::ItemTypeGuess];
    let values = shown
        .into_iter()
        .flat_map(|field| summary.labels.values(field));
    let values: Vec<&str> = values.map(String::as_str).collect();
    put(
        buf,
        area.x + 1,
        below,
        cells,
        &values.join(", "),
        theme.dim(),
    );
}
