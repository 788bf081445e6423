//! The statistics screen: words in use, reasons, states and uncertainty, with counts and example
//! icons. A word can be renamed, merged into another, deleted or marked as a synonym in all
//! records.

mod layout;
mod lists;

use super::{ActionOutcome, Screen, View};
use crate::engine::Command;
use crate::record::{Field, GroupId};
use crate::text::{count, fit, pad, percent, width, wrap};
use crate::tui::dialogs::{BulkForm, Dialog};
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{focused_pane, keep_in_view, put};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use layout::{TILE, WordsLayout, layout};
use lists::{CountList, CountRow};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Style;

#[derive(Default)]
pub struct Statistics {
    /// The list under the cursor, and its row.
    list: usize,
    row: usize,
    /// The first row on screen.
    top: usize,
}

impl Statistics {
    fn list(&self) -> CountList {
        let all = CountList::all();
        all[self.list.min(all.len() - 1)]
    }

    fn row<'a>(&self, rows: &'a [CountRow]) -> Option<&'a CountRow> {
        rows.get(self.row.min(rows.len().saturating_sub(1)))
    }

    fn layout(session: &Session) -> WordsLayout {
        layout(inside_border(session.body()))
    }

    /// Moves the cursor. A new list starts at its first row.
    fn step(&mut self, lists: isize, rows: isize, session: &Session) {
        let last = CountList::all().len() - 1;
        let to = self.list.saturating_add_signed(lists).min(last);
        if to != self.list {
            (self.list, self.row, self.top) = (to, 0, 0);
        }
        let len = self.list().len(session.records.counts());
        let to = self.row.saturating_add_signed(rows);
        self.row = to.min(len.saturating_sub(1));
    }

    /// Shows the records of the row under the cursor in the queue.
    fn open(&self, session: &mut Session) -> ActionOutcome {
        let rows = self.list().rows(session);
        if let Some(row) = self.row(&rows) {
            let filter = row.filter.clone();
            session.set_filter(filter);
        }
        ActionOutcome::show(KeyContext::Queue)
    }

    /// Opens a dialog about the word under the cursor.
    fn open_word_dialog(
        &self,
        session: &mut Session,
        dialog: impl FnOnce(Field, &CountRow, &mut Session) -> Dialog,
    ) -> ActionOutcome {
        let words = session.words;
        let rows = self.list().rows(session);
        let open = match (self.list(), self.row(&rows)) {
            (CountList::Field(field), Some(row)) => Some(dialog(field, row, session)),
            (CountList::Field(_), None) => Some(Dialog::refusal(words.no_word_here())),
            (list, _) => {
                session.notify(words.no_words_to_change(list.title(words)));
                None
            }
        };
        ActionOutcome {
            show: Some(KeyContext::Statistics),
            open,
        }
    }

    /// The examples of the row under the cursor.
    fn examples(&self, session: &Session) -> Vec<GroupId> {
        let rows = self.list().rows(session);
        self.row(&rows)
            .map_or_else(Vec::new, |row| row.examples.clone())
    }
}

impl Screen for Statistics {
    fn context(&self) -> KeyContext {
        KeyContext::Statistics
    }

    /// Left of the examples, or anywhere.
    fn rooms(&self, session: &Session) -> [Rect; 2] {
        let body = session.body();
        let examples = Self::layout(session).examples;
        let left = match examples.width {
            0 => body.width,
            _ => examples.x - body.x,
        };
        [
            Rect {
                width: left,
                ..body
            },
            body,
        ]
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        let page = isize::try_from(Self::layout(session).words.height).unwrap_or(1);
        match action {
            Action::Up => self.step(0, -1, session),
            Action::Down => self.step(0, 1, session),
            Action::Left => self.step(-1, 0, session),
            Action::Right => self.step(1, 0, session),
            Action::PageUp => self.step(0, -page, session),
            Action::PageDown => self.step(0, page, session),
            Action::Top => self.step(0, isize::MIN, session),
            Action::Bottom => self.step(0, isize::MAX, session),
            Action::Statistics => {
                session.send(Command::Audit);
                return Some(ActionOutcome::show(KeyContext::Statistics));
            }
            Action::Open => return Some(self.open(session)),
            Action::RenameWord => {
                return Some(self.open_word_dialog(session, |field, row, session| {
                    BulkForm::rename(field, &row.name, session)
                }));
            }
            Action::MergeWord => {
                return Some(self.open_word_dialog(session, |field, row, session| {
                    BulkForm::merge(field, &row.name, row.synonym_of.as_deref(), session)
                }));
            }
            Action::MarkSynonym => {
                return Some(self.open_word_dialog(session, |field, row, session| {
                    BulkForm::synonym(field, &row.name, row.synonym_of.as_deref(), session)
                }));
            }
            Action::DeleteWord => {
                return Some(self.open_word_dialog(session, |field, row, session| {
                    BulkForm::delete(field, &row.name, session)
                }));
            }
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    fn mouse(&mut self, mouse: &MouseEvent, session: &mut Session) {
        let layout = Self::layout(session);
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.step(0, 1, session),
            MouseEventKind::ScrollUp => self.step(0, -1, session),
            MouseEventKind::Down(MouseButton::Left) if layout.words.contains(at) => {
                let row = self.top + usize::from(at.y - layout.words.y);
                if row < self.list().len(session.records.counts()) {
                    self.row = row;
                }
            }
            MouseEventKind::Down(MouseButton::Left) if layout.lists.contains(at) => {
                let list = usize::from(at.y - layout.lists.y);
                if layout.lists.height > 1 && list < CountList::all().len() {
                    (self.list, self.row, self.top) = (list, 0, 0);
                }
            }
            _ => {}
        }
    }

    fn double_click(&self, at: Position, session: &Session) -> Option<Action> {
        let words = Self::layout(session).words;
        let row = self.top + usize::from(at.y.checked_sub(words.y)?);
        let is_row = words.contains(at) && row < self.list().len(session.records.counts());
        is_row.then_some(Action::Open)
    }

    fn prepare(&mut self, _: Option<&Dialog>, session: &Session) {
        self.step(0, 0, session);
        let rows = usize::from(Self::layout(session).words.height).max(1);
        keep_in_view(&mut self.top, self.row, rows);
    }

    fn draw(&self, view: &View<'_>, body: Rect, buf: &mut Buffer) {
        let session = view.session;
        let theme = &session.theme;
        let area = focused_pane(theme, body, session.words.words_title(), buf);
        let layout = layout(area);
        self.draw_lists(session, layout.lists, buf);
        draw_audit(session, layout.audit, buf);
        let rows = self.list().rows(session);
        if rows.is_empty() {
            let text = session.words.nothing_to_count();
            let words = layout.words;
            put(buf, words.x, words.y, words.width, text, theme.dim());
            return;
        }
        self.draw_rows(&rows, session, layout.words, buf);
        let Some(row) = self.row(&rows) else { return };
        draw_examples(row, view, layout.examples, buf);
        let names: Vec<&str> = row
            .examples
            .iter()
            .filter_map(|id| Some(session.records.get(*id)?.name.as_str()))
            .collect();
        let text = session.words.found_on(names.join(" · "));
        if !names.is_empty() && layout.names.height > 0 {
            let at = layout.names;
            put(buf, at.x, at.y, at.width, &text, theme.dim());
        }
    }

    fn hints(&self) -> &'static [Action] {
        match self.list() {
            CountList::Field(_) => &[
                Action::Open,
                Action::RenameWord,
                Action::MergeWord,
                Action::DeleteWord,
                Action::MarkSynonym,
                Action::Undo,
                Action::Workbench,
                Action::Quit,
            ],
            _ => &[Action::Open, Action::Undo, Action::Workbench, Action::Quit],
        }
    }

    fn cursor(&self, session: &Session) -> Option<Position> {
        let words = Self::layout(session).words;
        let line = self.row.checked_sub(self.top)?;
        let at = Position::new(words.x, words.y + line as u16);
        let is_row = self.row < self.list().len(session.records.counts());
        (is_row && words.contains(at)).then_some(at)
    }

    fn wants_counts(&self, _: &Session) -> bool {
        true
    }

    fn wants_details(&self, session: &Session) -> Vec<GroupId> {
        match Self::layout(session).examples.width {
            0 => Vec::new(),
            _ => self.examples(session),
        }
    }

    fn pictures(&self, session: &Session) -> Vec<PictureRequest> {
        session.tiles_of(&self.wants_details(session), picture_size())
    }
}

impl Statistics {
    /// Draws the names of the lists, each with its number of rows.
    fn draw_lists(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let theme = &session.theme;
        let counts = session.records.counts();
        let all = CountList::all();
        let style = |under_cursor: bool| match under_cursor {
            true => theme.cursor(),
            false => theme.text(),
        };
        if area.height < 2 {
            let list = self.list();
            let n = count(list.len(counts) as u64);
            let title = list.title(session.words);
            let text = format!("< {title} {n} > {}/{}", self.list + 1, all.len());
            put(buf, area.x, area.y, area.width, &text, style(true));
            return;
        }
        let cells = usize::from(area.width.saturating_sub(2));
        for ((at, list), y) in all.iter().enumerate().zip(area.top()..area.bottom()) {
            let under_cursor = at == self.list;
            let mark = if under_cursor { ">" } else { " " };
            let n = count(list.len(counts) as u64);
            let name = pad(list.title(session.words), cells.saturating_sub(n.len() + 2));
            let text = format!("{mark} {name}{n}");
            put(
                buf,
                area.x,
                y,
                area.width.saturating_sub(1),
                &text,
                style(under_cursor),
            );
        }
    }

    fn draw_rows(&self, rows: &[CountRow], session: &Session, area: Rect, buf: &mut Buffer) {
        let theme = &session.theme;
        let highest = rows.iter().map(|row| row.records).max().unwrap_or(1).max(1);
        let visible = rows.iter().skip(self.top).take(usize::from(area.height));
        // The sign, a swatch, a space and the indent of a synonym come before the name.
        let cells_of =
            |row: &CountRow| width(&row.name) + 4 + if row.rgb.is_some() { 2 } else { 0 };
        let longest = visible.clone().map(cells_of).max();
        let cells = usize::from(area.width);
        let name_cells = longest.unwrap_or(0).min(cells * 3 / 5);
        for ((at, row), y) in visible.enumerate().zip(area.top()..area.bottom()) {
            let under_cursor = self.top + at == self.row;
            let style = if under_cursor {
                theme.cursor()
            } else {
                theme.text()
            };
            let mark = match (under_cursor, &row.synonym_of) {
                (true, _) => ">",
                (false, Some(_)) => "└",
                (false, None) => " ",
            };
            let mut x = put(buf, area.x, y, area.width, mark, theme.text());
            if let Some(rgb) = row.rgb {
                let color = theme
                    .rgb(rgb)
                    .map_or(Style::new(), |color| Style::new().fg(color));
                put(buf, x + 1, y, 1, "■", color);
                x += 2;
            }
            let indent = if row.synonym_of.is_some() { "  " } else { "" };
            let room = name_cells.saturating_sub(usize::from(x - area.x));
            let name = pad(&fit(&format!("{indent}{}", row.name), room), room);
            let x = put(
                buf,
                x + 1,
                y,
                area.right().saturating_sub(x + 1),
                &name,
                style,
            );
            let share = row.uncertain.map(|n| n as f64 / row.records.max(1) as f64);
            let share = share.map_or(String::new(), |share| {
                format!("{:>4} %?", percent(share, 0))
            });
            let number = format!("{:>6}{share}", count(row.records));
            let room = usize::from(area.right().saturating_sub(x)).saturating_sub(number.len() + 2);
            let full = (row.records as usize * room)
                .div_ceil(highest as usize)
                .min(room);
            put(
                buf,
                x + 1,
                y,
                room as u16,
                &"█".repeat(full),
                theme.accent(),
            );
            let at = area.right().saturating_sub(number.len() as u16 + 1);
            put(buf, at, y, number.len() as u16, &number, theme.dim());
        }
    }
}

/// The size of an example's picture in cells.
fn picture_size() -> Size {
    Size::new(TILE.width - 1, TILE.height - 1)
}

/// Draws icons with the word under the cursor, and their names beside them.
fn draw_examples(row: &CountRow, view: &View<'_>, area: Rect, buf: &mut Buffer) {
    if area.width == 0 {
        return;
    }
    let session = view.session;
    let theme = &session.theme;
    let mut y = area.y;
    if let Some(word) = &row.synonym_of {
        let text = session.words.probably_synonym(word);
        for line in wrap(&text, usize::from(area.width)) {
            put(buf, area.x, y, area.width, &line, theme.warn());
            y += 1;
        }
    }
    let pictures = &session.pictures;
    let size = picture_size();
    for id in &row.examples {
        if y + TILE.height > area.bottom() {
            break;
        }
        let room = Rect::new(area.x, y, size.width, size.height);
        match pictures.get(&pictures.tile_key(*id, size)) {
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
        let x = area.x + TILE.width;
        let cells = area.right().saturating_sub(x);
        if let Some(summary) = session.records.get(*id) {
            let name = wrap(summary.title(), usize::from(cells));
            for (line, y) in name.iter().zip(y..y + size.height) {
                put(buf, x, y, cells, line, theme.text());
            }
        }
        y += TILE.height;
    }
}

/// Draws the result of the latest audit, as many lines as fit.
fn draw_audit(session: &Session, area: Rect, buf: &mut Buffer) {
    let (theme, words) = (&session.theme, session.words);
    let text = match &session.audit {
        Some(estimate) if area.height > 1 => words.audit_brief(estimate),
        Some(estimate) => vec![words.audit_line(estimate)],
        None => {
            let keys = session.keymap.keys_of(KeyContext::Global, Action::Audit);
            let key = keys.first().map(String::as_str).unwrap_or_default();
            vec![format!(
                "{} {key} {}",
                words.no_audit(),
                words.begins_audit()
            )]
        }
    };
    let top = area.bottom() - area.height.min(text.len() as u16);
    for (line, y) in text.iter().zip(top..area.bottom()) {
        put(buf, area.x, y, area.width, line, theme.dim());
    }
}
