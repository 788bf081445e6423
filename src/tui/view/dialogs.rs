//! Boxes over the panes: palette, confirmation, choice, retry, find and replace.

use super::{clear, editor, help, pane, put};
use crate::record::Background;
use crate::tui::app::App;
use crate::tui::dialog::{Choose, Confirm, Dialog, RETRY_ROWS, ReplaceForm, RetryForm, palette};
use crate::tui::layout::{centred, inner};
use crate::tui::safe_text::{count, fit, pad, plural, wrap};
use crate::tui::text_edit::TextEdit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

/// Cells before the value of a form's row.
const LABEL: u16 = 12;

pub fn draw(app: &App, body: Rect, buf: &mut Buffer) {
    match &app.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => {
            help::draw(app, *scroll, centred(body, 100, body.height), buf);
        }
        Some(Dialog::Palette { edit, at }) => draw_palette(app, edit, *at, body, buf),
        Some(Dialog::Filter(form)) => {
            editor::offers(app, &app.filter_offers(&form.edit), form.chosen, buf);
        }
        Some(Dialog::Confirm(confirm)) => draw_confirm(app, confirm, body, buf),
        Some(Dialog::Input(input)) => editor::input(app, input, buf),
        Some(Dialog::Choose(choose)) => draw_choose(app, choose, body, buf),
        Some(Dialog::Retry(form)) => draw_retry(app, form, body, buf),
        Some(Dialog::Replace(form)) => draw_replace(app, form, body, buf),
    }
}

pub fn palette_area(body: Rect) -> Rect {
    centred(body, 76, 20)
}

fn text_row(app: &App, edit: &TextEdit, area: Rect, buf: &mut Buffer) {
    let (text, _) = edit.window(usize::from(area.width.saturating_sub(1)));
    put(
        buf,
        area.x,
        area.y,
        area.width,
        &pad(&text, usize::from(area.width)),
        app.theme.chip(),
    );
}

fn draw_palette(app: &App, edit: &TextEdit, at: usize, body: Rect, buf: &mut Buffer) {
    let area = palette_area(body);
    clear(area, buf);
    let inner = pane(app, area, true, "Do what?", true, buf);
    text_row(app, edit, Rect { height: 1, ..inner }, buf);
    let rows = usize::from(inner.height.saturating_sub(1));
    let found = palette(edit.text());
    let top = (at + 1).saturating_sub(rows.max(1));
    for (line, (index, info)) in found.iter().enumerate().skip(top).take(rows).enumerate() {
        let keys = app.keymap.keys_of(app.context(), info.action).join(" ");
        let keys = fit(&keys, 14);
        let cells = usize::from(inner.width).saturating_sub(34);
        let mark = if index == at { ">" } else { " " };
        let text = format!(
            "{mark} {} {} {keys}",
            pad(info.name, 16),
            pad(info.description, cells),
        );
        let style = if index == at {
            app.theme.cursor(true)
        } else {
            app.theme.text()
        };
        let y = inner.y + 1 + line as u16;
        put(
            buf,
            inner.x,
            y,
            inner.width,
            &pad(&text, usize::from(inner.width)),
            style,
        );
    }
}

fn draw_confirm(app: &App, confirm: &Confirm, body: Rect, buf: &mut Buffer) {
    let width = 60.min(body.width);
    let cells = usize::from(width.saturating_sub(4));
    let question = wrap(&confirm.question, cells);
    let detail = wrap(&confirm.detail, cells);
    let height = (question.len() + detail.len() + 4) as u16;
    let area = centred(body, width, height);
    clear(area, buf);
    let inner = pane(app, area, true, "Sure?", true, buf);
    let mut y = inner.y;
    let rows = question
        .iter()
        .map(|line| (line, app.theme.warn()))
        .chain(detail.iter().map(|line| (line, app.theme.text())));
    for (line, style) in rows {
        if y < inner.bottom() {
            put(
                buf,
                inner.x + 1,
                y,
                inner.width.saturating_sub(2),
                line,
                style,
            );
        }
        y += 1;
    }
    let y = (y + 1).min(inner.bottom().saturating_sub(1));
    super::put_line(
        buf,
        inner.x + 1,
        y,
        inner.width.saturating_sub(1),
        &Line::from(vec![
            Span::styled("y", app.theme.key()),
            Span::raw(" yes    "),
            Span::styled("n", app.theme.key()),
            Span::raw(" no"),
        ]),
    );
}

fn draw_choose(app: &App, choose: &Choose, body: Rect, buf: &mut Buffer) {
    let area = centred(body, 50, choose.fields.len() as u16 + 2);
    clear(area, buf);
    let inner = pane(app, area, true, &choose.title, true, buf);
    for (row, field) in choose
        .fields
        .iter()
        .enumerate()
        .take(usize::from(inner.height))
    {
        let here = row == choose.at;
        let text = format!("{} {}", if here { ">" } else { " " }, field.key());
        let style = if here {
            app.theme.cursor(true)
        } else {
            app.theme.text()
        };
        let y = inner.y + row as u16;
        put(
            buf,
            inner.x,
            y,
            inner.width,
            &pad(&text, usize::from(inner.width)),
            style,
        );
    }
}

fn retry_area(body: Rect) -> Rect {
    centred(body, 64, RETRY_ROWS as u16 + 2)
}

fn draw_retry(app: &App, form: &RetryForm, body: Rect, buf: &mut Buffer) {
    let area = retry_area(body);
    clear(area, buf);
    let title = format!("Ask again about {}", plural(form.groups.len(), "record"));
    let inner = pane(app, area, true, &title, true, buf);
    let as_run = || "as the run".to_owned();
    let rows: [(&str, String); RETRY_ROWS] = [
        (
            "prompt",
            if form.strict {
                "stricter".to_owned()
            } else {
                "normal".to_owned()
            },
        ),
        (
            "scale",
            match form.upscale {
                0 => as_run(),
                n => format!("{n}x"),
            },
        ),
        (
            "background",
            form.background.map_or_else(as_run, |background| {
                match background {
                    Background::White => "white",
                    Background::Black => "black",
                    Background::None => "none (stored colours)",
                }
                .to_owned()
            }),
        ),
        (
            "picture",
            form.with_image.map_or_else(as_run, |with| {
                if with { "with" } else { "without" }.to_owned()
            }),
        ),
        ("hint", String::new()),
    ];
    for (row, (name, value)) in rows.iter().enumerate().take(usize::from(inner.height)) {
        let y = inner.y + row as u16;
        let here = row == form.row;
        let mark = if here { "> " } else { "  " };
        put(
            buf,
            inner.x,
            y,
            LABEL,
            &format!("{mark}{name}"),
            app.theme.dim(),
        );
        let value_area = Rect {
            x: inner.x + LABEL,
            y,
            width: inner.width.saturating_sub(LABEL),
            height: 1,
        };
        if row == RETRY_ROWS - 1 {
            text_row(app, &form.hint, value_area, buf);
        } else {
            let style = if here {
                app.theme.cursor(true)
            } else {
                app.theme.text()
            };
            let text = if here {
                format!("< {value} >")
            } else {
                format!("  {value}")
            };
            put(buf, value_area.x, y, value_area.width, &text, style);
        }
    }
}

pub fn retry_cursor(form: &RetryForm, body: Rect) -> Option<Position> {
    let area = inner(retry_area(body), true);
    let row = RETRY_ROWS - 1;
    if form.row != row || usize::from(area.height) <= row {
        return None;
    }
    let (_, at) = form
        .hint
        .window(usize::from(area.width.saturating_sub(LABEL + 1)));
    Some(Position::new(
        area.x + LABEL + at as u16,
        area.y + row as u16,
    ))
}

fn replace_area(body: Rect) -> Rect {
    centred(body, 90, body.height.saturating_sub(2).max(8))
}

pub fn replace_cursor(form: &ReplaceForm, body: Rect) -> Position {
    let area = inner(replace_area(body), true);
    let edit = if form.second { &form.with } else { &form.find };
    let (_, at) = edit.window(usize::from(area.width.saturating_sub(LABEL + 1)));
    Position::new(area.x + LABEL + at as u16, area.y + u16::from(form.second))
}

fn draw_replace(app: &App, form: &ReplaceForm, body: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let area = replace_area(body);
    clear(area, buf);
    let area = pane(
        app,
        area,
        true,
        "Find and replace in labels, tags and queries",
        true,
        buf,
    );
    for (row, (name, edit)) in [("find", &form.find), ("replace by", &form.with)]
        .into_iter()
        .enumerate()
    {
        let y = area.y + row as u16;
        if y >= area.bottom() {
            return;
        }
        let here = form.second == (row == 1);
        let mark = if here { ">" } else { " " };
        put(buf, area.x, y, LABEL, &format!("{mark}{name}"), theme.dim());
        let value = Rect {
            x: area.x + LABEL,
            y,
            width: area.width.saturating_sub(LABEL),
            height: 1,
        };
        text_row(app, edit, value, buf);
    }
    let y = area.y + 2;
    if y >= area.bottom() {
        return;
    }
    let Some(matches) = form.matches() else {
        let text = if form.find.text().is_empty() {
            ""
        } else {
            "looking..."
        };
        put(buf, area.x, y, area.width, text, theme.dim());
        return;
    };
    let text = format!(
        "{} in {}",
        plural(matches.len(), "place"),
        plural(form.groups().len(), "record")
    );
    put(buf, area.x, y, area.width, &text, theme.accent());
    let rows = usize::from(area.height.saturating_sub(3));
    let more = matches.len().saturating_sub(form.top + rows);
    for (row, found) in matches.iter().skip(form.top).take(rows).enumerate() {
        let y = area.y + 3 + row as u16;
        if row + 1 == rows && more > 0 {
            let text = format!("and {} more", count(more as u64 + 1));
            put(buf, area.x, y, area.width, &text, theme.dim());
            break;
        }
        let name = app
            .groups
            .get(found.group)
            .map_or("", |summary| summary.name.as_str());
        let find = form.find.text();
        // Both texts are shown, so what will change is told in words, not by colour.
        let new = found.text.replace(find, form.with.text());
        let half = usize::from(area.width.saturating_sub(26)) / 2;
        let line = format!(
            "{} {} {} -> {}",
            pad(name, 14),
            pad(super::record::field_name(found.field), 7),
            pad(&around(&found.text, find, half), half),
            around(&new, form.with.text(), half)
        );
        put(buf, area.x, y, area.width, &line, theme.text());
    }
}

/// A text cut to `cells` so that `word` is seen.
fn around(text: &str, word: &str, cells: usize) -> String {
    if crate::tui::safe_text::width(text) <= cells || word.is_empty() {
        return fit(text, cells);
    }
    let at = text.find(word).unwrap_or(0);
    let back: usize = text[..at]
        .chars()
        .rev()
        .take(cells / 5)
        .map(char::len_utf8)
        .sum();
    let start = at - back;
    if start == 0 {
        return fit(text, cells);
    }
    fit(&format!("…{}", &text[start..]), cells)
}
