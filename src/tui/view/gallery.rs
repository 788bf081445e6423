//! A grid of icons for work on many at once; the record under the cursor stands below it.

use super::{picture, put, put_line, queue};
use crate::record::{Field, GroupSummary};
use crate::tui::app::App;
use crate::tui::safe_text::{count, fit, pad, width};
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

pub fn draw(app: &App, boxes: &[Rect], buf: &mut Buffer) {
    let gallery = app.gallery();
    title(app, gallery.title, buf);
    queue::filter_line(app, gallery.filter, buf);
    if app.queue.rows.is_empty() {
        queue::empty(app, gallery.tiles, buf);
        return;
    }
    let first = app.gallery_top * gallery.columns;
    for slot in 0..gallery.columns * gallery.lines {
        let Some(summary) = app.row(first + slot) else {
            break;
        };
        let here = first + slot == app.queue.cursor;
        tile(app, summary, here, gallery.tile_at(slot), boxes, buf);
    }
    if let Some(summary) = app.row(app.queue.cursor) {
        record(app, summary, gallery.record, buf);
    }
}

fn title(app: &App, area: Rect, buf: &mut Buffer) {
    let rows = &app.queue.rows;
    let selected = app.selected.len();
    let text = if selected == 0 {
        let place = (app.queue.cursor + 1).min(rows.len());
        format!(
            "{}/{} by {}",
            count(place as u64),
            count(rows.len() as u64),
            app.queue.sort.name()
        )
    } else {
        // What a filter hides is worked on all the same: it has to be told.
        let hidden = match app.hidden {
            0 => String::new(),
            n => format!(", {} hidden", count(n as u64)),
        };
        format!("# {} selected{hidden}", count(selected as u64))
    };
    let style = if selected == 0 {
        app.theme.title()
    } else {
        app.theme.accent().add_modifier(Modifier::REVERSED)
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

fn tile(
    app: &App,
    summary: &GroupSummary,
    here: bool,
    area: Rect,
    boxes: &[Rect],
    buf: &mut Buffer,
) {
    let theme = &app.theme;
    let picked = app.selected.contains(&summary.id);
    let size = app.gallery().picture();
    let image = Rect {
        x: area.x + 1,
        width: size.width,
        height: size.height,
        ..area
    };
    let key = app.thumb_key(summary.id, image.width, image.height);
    match app.pictures.get(&key) {
        Some(Ok(shown)) => picture::image(app, shown, image, boxes, buf),
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
    // Selection and cursor are signs as well as colors, beside the picture too.
    let bar = match (here, picked) {
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
    let style = match (here, picked) {
        (true, _) => theme.cursor(true),
        (false, true) => theme.accent().add_modifier(Modifier::REVERSED),
        _ => theme.text(),
    };
    let cells = usize::from(area.width.saturating_sub(1));
    let name = fit(&summary.name, cells.saturating_sub(width(&marks) + 1));
    let y = area.bottom() - 1;
    put(
        buf,
        area.x,
        y,
        area.width,
        &pad(&format!("{marks} {name}"), cells),
        style,
    );
    if !here && !picked {
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

/// What has been said of the icon under the cursor.
fn record(app: &App, summary: &GroupSummary, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let theme = &app.theme;
    let cells = area.width.saturating_sub(1);
    let mut head = vec![
        Span::styled(fit(&summary.name, usize::from(cells / 2)), theme.title()),
        Span::raw("  "),
        Span::styled(
            format!("{} {}", sign(summary.state), summary.state.name()),
            theme.state(summary.state),
        ),
    ];
    for reason in &summary.reasons {
        head.push(Span::styled(format!("  {}", reason.code()), theme.warn()));
    }
    put_line(buf, area.x + 1, area.y, cells, &Line::from(head));
    put(
        buf,
        area.x + 1,
        area.y + 1,
        cells,
        summary.labels.label_ko(),
        theme.text(),
    );
    let shown = [Field::TagsKo, Field::Colors, Field::ItemTypeGuess];
    let words = shown
        .into_iter()
        .flat_map(|field| summary.labels.values(field));
    let words: Vec<&str> = words.map(String::as_str).collect();
    put(
        buf,
        area.x + 1,
        area.y + 2,
        cells,
        &words.join(", "),
        theme.dim(),
    );
}
