//! Clicks, the wheel, and the divider between queue and record.

use super::app::{App, Screen};
use super::layout::{self, Pane};
use super::view::record::sheet;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

const WHEEL: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, mouse: &MouseEvent) {
        if self.dialog.is_some() || self.too_small() {
            return;
        }
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(at, WHEEL),
            MouseEventKind::ScrollUp => self.wheel(at, -WHEEL),
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            MouseEventKind::Drag(MouseButton::Left) if self.dragging => {
                let width = self.size.width.max(1);
                let percent = u32::from(mouse.column) * 100 / u32::from(width);
                self.queue_percent = (percent as u16).clamp(15, 75);
            }
            MouseEventKind::Up(_) => self.dragging = false,
            _ => {}
        }
    }

    fn wheel(&mut self, at: Position, lines: isize) {
        if self.screen == Screen::Work && self.bench().pane_at(at) == Some(Pane::Record) {
            return self.scroll_by(lines);
        }
        if matches!(self.screen, Screen::Work | Screen::Gallery) {
            let step = match self.screen {
                Screen::Gallery => lines.signum() * self.gallery().columns as isize,
                _ => lines,
            };
            self.put_cursor(self.queue.cursor.saturating_add_signed(step));
        }
    }

    fn click(&mut self, at: Position) {
        match self.screen {
            Screen::Work => {
                let bench = self.bench();
                if let Some(divider) = bench.divider()
                    && at.x.abs_diff(divider) <= 1
                    && at.x + 1 >= divider
                {
                    self.dragging = true;
                    return;
                }
                match bench.pane_at(at) {
                    Some(Pane::Queue) => {
                        self.focus = Pane::Queue;
                        let inner = layout::inner(bench.queue.unwrap_or_default(), bench.borders);
                        // The first line is the filter's.
                        if let Some(line) = at.y.checked_sub(inner.y + 1) {
                            let row = self.queue.top + usize::from(line) / self.row_height();
                            if row < self.queue.rows.len() {
                                self.put_cursor(row);
                            }
                        }
                    }
                    Some(Pane::Record) => {
                        let inner = layout::inner(bench.record.unwrap_or_default(), bench.borders);
                        let (Some(x), Some(y)) =
                            (at.x.checked_sub(inner.x), at.y.checked_sub(inner.y))
                        else {
                            return;
                        };
                        self.focus = Pane::Record;
                        let line = usize::from(y) + self.scroll;
                        let sheet = sheet(self, inner.width);
                        if let Some((_, _, spot)) = sheet
                            .spots
                            .iter()
                            .find(|(on, cells, _)| *on == line && cells.contains(&usize::from(x)))
                        {
                            self.spot = *spot;
                        }
                    }
                    None => {}
                }
            }
            Screen::Gallery => {
                let gallery = self.gallery();
                if let Some(slot) = gallery.slot_at(at) {
                    let row = self.gallery_top * gallery.columns + slot;
                    if row < self.queue.rows.len() {
                        self.put_cursor(row);
                    }
                }
            }
            Screen::Attempts | Screen::Progress | Screen::Statistics => {}
        }
    }
}
