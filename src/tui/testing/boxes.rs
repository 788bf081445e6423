//! Finds a box on the screen by its title.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeMap;

/// The lines, by row, of the box whose title begins with `title`; `None` if there is none.
pub fn boxed(buffer: &Buffer, title: &str) -> Option<BTreeMap<u16, String>> {
    let area = buffer.area;
    let row = |room: Rect| -> String {
        let mut skip = 0;
        let mut line = String::new();
        for at in room.positions() {
            if skip == 0 {
                line.push_str(buffer[at].symbol());
                skip = crate::text::width(buffer[at].symbol());
            }
            skip = skip.saturating_sub(1);
        }
        line
    };
    let begins = |at: &Position| {
        let line = row(Rect::new(at.x, at.y, area.width - at.x, 1));
        let rest = line.strip_prefix('╭').unwrap_or_default();
        rest.trim_start_matches(['>', ' ']).starts_with(title)
    };
    let corner = area.positions().find(begins)?;
    let ends = |x: &u16| buffer[(*x, corner.y)].symbol() == "╮";
    let right = (corner.x..area.right()).find(ends)?;
    let ends = |y: &u16| buffer[(corner.x, *y)].symbol() == "╰";
    let bottom = (corner.y..area.bottom()).find(ends)?;
    let width = right + 1 - corner.x;
    let lines = (corner.y..=bottom).map(|y| (y, row(Rect::new(corner.x, y, width, 1))));
    Some(lines.collect())
}
