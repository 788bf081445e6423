//! A grid of icons for work on many at once.

use super::{pane, put};
use crate::tui::app::App;
use crate::tui::layout;
use crate::tui::safe_text::{count, fit, width};
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::widgets::Widget;
use ratatui_image::Image;

pub fn draw(app: &App, body: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    if app.queue.rows.is_empty() {
        let inner = pane(app, body, false, "Gallery", true, buf);
        put(
            buf,
            inner.x,
            inner.y,
            inner.width,
            "Nothing passes the filter.",
            theme.dim(),
        );
        return;
    }
    let (columns, lines, cell_width, cell_height) = layout::grid(body, app.pixels);
    let first = app.gallery_top * columns;
    for slot in 0..columns * lines {
        let row = first + slot;
        let Some(summary) = app.row(row) else { break };
        let area = Rect {
            x: body.x + (slot % columns) as u16 * cell_width,
            y: body.y + (slot / columns) as u16 * cell_height,
            width: cell_width,
            height: cell_height,
        };
        let here = row == app.queue.cursor;
        let picked = app.selected.contains(&summary.id);
        let image = Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(1),
            ..area
        };
        let key = app.thumb_key(summary.id, image.width, image.height);
        match app.pictures.get(&key) {
            Some(Ok(shown)) => {
                let size = shown.protocol.size();
                let place = layout::centred(image, size.width, size.height);
                Image::new(&shown.protocol).render(place, buf);
            }
            Some(Err(_)) => {
                put(
                    buf,
                    image.x,
                    image.y,
                    image.width,
                    "no picture",
                    theme.bad(),
                );
            }
            None => {
                put(buf, image.x, image.y, image.width, "...", theme.dim());
            }
        }
        // Selection and cursor are signs as well as colours.
        let marks = format!(
            "{}{}{} ",
            if here { ">" } else { " " },
            if picked { "#" } else { "" },
            sign(summary.state)
        );
        let mut style = if here {
            theme.cursor(true)
        } else {
            theme.text()
        };
        if picked {
            style = style.add_modifier(Modifier::BOLD);
        }
        let name_cells = usize::from(area.width).saturating_sub(width(&marks) + 1);
        let text = format!("{marks}{}", fit(&summary.name, name_cells));
        put(
            buf,
            area.x,
            area.bottom() - 1,
            area.width.saturating_sub(1),
            &text,
            style,
        );
    }
    if !app.selected.is_empty() {
        let text = format!(" {} selected ", count(app.selected.len() as u64));
        let cells = width(&text) as u16;
        put(
            buf,
            body.right().saturating_sub(cells),
            body.bottom() - 1,
            cells,
            &text,
            theme.accent().add_modifier(Modifier::REVERSED),
        );
    }
}
