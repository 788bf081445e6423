//! The picture pane: the icon, sharp, its size and its colors with their names.

use super::{pane, put};
use crate::record::{nearest_color, to_oklab};
use crate::tui::app::App;
use crate::tui::layout;
use crate::tui::picture::{Look, Shown};
use crate::tui::safe_text::{fit, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;
use ratatui_image::Image;

/// An icon in the middle of its room. The terminal draws its pixels in one stroke over all of its
/// cells, whenever the first of them changes: one that a box lies over in part would be drawn over
/// the box, or keep a piece of it. It is left out until the box is gone.
pub fn image(app: &App, shown: &Shown, room: Rect, boxes: &[Rect], buf: &mut Buffer) {
    let size = shown.protocol.size();
    let place = layout::centered(room, size.width, size.height);
    if !(app.pixels && boxes.iter().any(|area| area.intersects(place))) {
        Image::new(&shown.protocol).render(place, buf);
    }
    if !app.pixels {
        for at in place.intersection(buf.area).positions() {
            let cell = &mut buf[at];
            cell.fg = app.theme.pixel(cell.fg);
            cell.bg = app.theme.pixel(cell.bg);
        }
    }
}

pub fn draw(app: &App, area: Rect, borders: bool, boxes: &[Rect], buf: &mut Buffer) {
    let (room, words) = layout::picture(layout::inner(area, borders));
    let detail = app.detail();
    let shown = detail.and_then(|detail| app.pictures.get(&app.picture_key(detail, room)));
    let mut title = "Picture".to_owned();
    if let Some(Ok(shown)) = shown {
        title.push_str(&format!(" {}", shown.scale));
    }
    if app.model_view {
        title.push_str(" as the model saw it");
    }
    if let Some(detail) = detail.filter(|_| app.zoom) {
        title.push_str(&format!(": {}", detail.item.item_name));
    }
    let title = fit(&title, usize::from(area.width.saturating_sub(4)));
    pane(app, area, borders, &title, app.zoom, buf);
    let Some(detail) = detail else { return };
    let theme = &app.theme;
    if detail.item.file.is_none() {
        put(
            buf,
            room.x,
            room.y,
            room.width,
            "no picture file",
            theme.dim(),
        );
        return;
    }
    match shown {
        Some(Ok(shown)) => {
            image(app, shown, room, boxes, buf);
            describe(app, shown, app.look(detail), words, buf);
        }
        Some(Err(why)) => {
            for (row, line) in wrap(&format!("no picture: {why}"), usize::from(room.width))
                .iter()
                .enumerate()
                .take(usize::from(room.height))
            {
                put(
                    buf,
                    room.x,
                    room.y + row as u16,
                    room.width,
                    line,
                    theme.bad(),
                );
            }
        }
        None => {
            put(buf, room.x, room.y, room.width, "...", theme.dim());
        }
    }
}

fn describe(app: &App, shown: &Shown, look: Look, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let (width, height) = shown.pixels;
    let ground = match look {
        Look::Plain(ground) | Look::Tile(ground) => ground.name().to_owned(),
        Look::Model { upscale, .. } => format!("upscale {upscale}"),
    };
    let mut row = 0;
    let mut line = |text: &str, style: Style, swatch: Option<[u8; 3]>| {
        if row < area.height {
            let y = area.y + row;
            let mut x = area.x;
            if let Some(color) = swatch.and_then(|rgb| theme.rgb(rgb)) {
                x = put(buf, x, y, area.width, "   ", Style::new().bg(color)) + 1;
            }
            put(buf, x, y, area.right().saturating_sub(x), text, style);
        }
        row += 1;
    };
    line(&format!("{width}x{height} px"), theme.dim(), None);
    line(&ground, theme.dim(), None);
    for swatch in &shown.swatches {
        let word = nearest_color(&app.settings.vocabulary, to_oklab(swatch.rgb));
        let name = word.map_or("unnamed", |word| word.word.as_str());
        let korean = word.and_then(|word| word.ko.first());
        let korean = korean.map_or("", String::as_str);
        line(
            &format!("{:>3.0}% {name} {korean}", swatch.share * 100.0),
            theme.text(),
            Some(swatch.rgb),
        );
    }
}
