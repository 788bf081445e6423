//! Texts being typed: the box for those without a place of their own, completions, the cursor.

use super::{clear, pane, put, record};
use crate::tui::app::{App, Screen};
use crate::tui::completion::Offer;
use crate::tui::dialog::{Dialog, Input};
use crate::tui::layout::{self, centered};
use crate::tui::safe_text::{pad, width};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Cells of a line of the text being typed, for moving up and down in it.
pub fn text_width(app: &App) -> usize {
    let bench = app.bench();
    match bench.record {
        Some(area) => usize::from(layout::inner(area, bench.borders).width)
            .saturating_sub(11)
            .max(2),
        None => usize::from(app.size.width.saturating_sub(8)).max(2),
    }
}

/// Whether the record pane shows the text where it belongs.
fn in_place(app: &App, input: &Input) -> bool {
    input.place().is_some()
        && app.screen == Screen::Work
        && app.bench().record.is_some()
        && app.detail().is_some_and(|detail| detail.draft.is_some())
}

/// What a text being typed and its completions lie over.
pub fn input_areas(app: &App, input: &Input) -> Vec<Rect> {
    let text = (!in_place(app, input)).then(|| box_area(app));
    let offers = offers_area(app, &app.completions(input));
    text.into_iter().chain(offers).collect()
}

fn box_area(app: &App) -> Rect {
    let body = layout::frame(app.area()).body;
    centered(body, 64, 3)
}

/// Where the terminal's cursor stands.
pub fn cursor(app: &App) -> Option<Position> {
    let body = layout::frame(app.area()).body;
    match app.dialog.as_ref()? {
        Dialog::Input(input) if in_place(app, input) => {
            let bench = app.bench();
            let area = layout::inner(bench.record?, bench.borders);
            let (line, column) = record::sheet(app, area.width).cursor?;
            let line = line.checked_sub(app.scroll)?;
            (line < usize::from(area.height)).then(|| {
                Position::new(
                    (area.x + column as u16).min(area.right().saturating_sub(1)),
                    area.y + line as u16,
                )
            })
        }
        Dialog::Input(input) => {
            let area = layout::inner(box_area(app), true);
            let (_, at) = input.edit.window(usize::from(area.width.saturating_sub(1)));
            Some(Position::new(area.x + at as u16, area.y))
        }
        Dialog::Filter(form) => {
            let area = filter_area(app);
            let (_, at) = form.edit.window(usize::from(area.width.saturating_sub(2)));
            Some(Position::new(area.x + 1 + at as u16, area.y))
        }
        Dialog::Palette { edit, .. } => {
            let area = layout::inner(super::dialogs::palette_area(body), true);
            let (_, at) = edit.window(usize::from(area.width.saturating_sub(1)));
            Some(Position::new(area.x + at as u16, area.y))
        }
        Dialog::Retry(form) => super::dialogs::retry_cursor(form, body),
        Dialog::Replace(form) => Some(super::dialogs::replace_cursor(form, body)),
        Dialog::Help { .. }
        | Dialog::Confirm(_)
        | Dialog::Choose(_)
        | Dialog::Translate(_)
        | Dialog::Refusal(_) => None,
    }
}

/// A one-line box with a text in it.
pub fn text_box(app: &App, title: &str, edit: &crate::tui::text_edit::TextEdit, buf: &mut Buffer) {
    let area = box_area(app);
    clear(area, buf);
    let inner = pane(app, area, true, title, true, buf);
    let (text, _) = edit.window(usize::from(inner.width.saturating_sub(1)));
    put(
        buf,
        inner.x,
        inner.y,
        inner.width,
        &pad(&text, usize::from(inner.width)),
        app.theme.text(),
    );
}

pub fn input(app: &App, input: &Input, buf: &mut Buffer) {
    if !in_place(app, input) {
        text_box(app, &input.title(), &input.edit, buf);
    }
    completions(app, input, buf);
}

fn completions(app: &App, input: &Input, buf: &mut Buffer) {
    offers(app, &app.completions(input), input.chosen, buf);
}

/// Where the filter stands: over the queue, or over the gallery.
pub fn filter_area(app: &App) -> Rect {
    let bench = app.bench();
    match (app.screen, bench.queue) {
        (Screen::Work, Some(area)) => Rect {
            height: 1,
            ..layout::inner(area, bench.borders)
        },
        _ => layout::gallery(layout::frame(app.area()).body, app.pixels).filter,
    }
}

/// Cells of the longest of these texts.
fn longest(offered: &[Offer], text: fn(&Offer) -> &str) -> usize {
    let widths = offered.iter().map(|offer| width(text(offer)));
    widths.max().unwrap_or(0)
}

/// Beside the text being typed; nowhere where there is no offer.
pub fn offers_area(app: &App, offered: &[Offer]) -> Option<Rect> {
    let at = cursor(app).filter(|_| !offered.is_empty())?;
    let body = layout::frame(app.area()).body;
    let notes = longest(offered, |offer| &offer.note);
    let cells = (longest(offered, |offer| &offer.value) + notes + 4).clamp(24, 56);
    let width = (cells as u16).min(body.width);
    // Under the text where there is room, else above it.
    let below = body.bottom().saturating_sub(at.y + 1);
    let height = (offered.len() as u16).min(body.height.saturating_sub(1));
    let y = if below >= height {
        at.y + 1
    } else {
        at.y.saturating_sub(height).max(body.y)
    };
    Some(Rect {
        x: at.x.min(body.right().saturating_sub(width)),
        y,
        width,
        height,
    })
}

pub fn offers(app: &App, offered: &[Offer], chosen: Option<usize>, buf: &mut Buffer) {
    let Some(area) = offers_area(app, offered) else {
        return;
    };
    let theme = &app.theme;
    clear(area, buf);
    let notes = longest(offered, |offer| &offer.note);
    let value_cells = usize::from(area.width).saturating_sub(notes + 4).max(8);
    for (row, offer) in offered.iter().enumerate().take(usize::from(area.height)) {
        let here = chosen == Some(row);
        let style = if here {
            theme.cursor(true)
        } else {
            theme.chip()
        };
        let mark = if here { ">" } else { " " };
        let line = format!("{mark} {} {}", pad(&offer.value, value_cells), offer.note);
        let y = area.y + row as u16;
        put(
            buf,
            area.x,
            y,
            area.width,
            &pad(&line, usize::from(area.width)),
            style,
        );
    }
}
