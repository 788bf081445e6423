//! Boxes over the panes: palette, confirmation, choice, retry, find and replace.

use super::{clear, editor, help, pane, put, translate};
use crate::record::Background;
use crate::tui::app::App;
use crate::tui::bulk::Choose;
use crate::tui::dialog::{Confirm, Dialog, RETRY_ROWS, ReplaceForm, RetryForm, palette};
use crate::tui::layout::{centered, inner};
use crate::tui::safe_text::{count, fit, pad, plural, width, wrap};
use crate::tui::text_edit::TextEdit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

/// Cells before the value of a form's row.
const LABEL: u16 = 12;

/// What the dialog lies over.
pub fn areas(app: &App, body: Rect) -> Vec<Rect> {
    match &app.dialog {
        None => Vec::new(),
        Some(Dialog::Input(input)) => editor::input_areas(app, input),
        Some(Dialog::Filter(form)) => {
            let offers = editor::offers_area(app, &app.filter_offers(&form.edit));
            offers.into_iter().collect()
        }
        Some(Dialog::Help { .. }) => vec![help::area(app)],
        Some(Dialog::Palette { .. }) => vec![palette_area(body)],
        Some(Dialog::Confirm(confirm)) => vec![Question::confirm(confirm, body).area],
        Some(Dialog::Refusal(why)) => vec![Question::refusal(why, body).area],
        Some(Dialog::Choose(_)) => vec![choose_area(body)],
        Some(Dialog::Retry(_)) => vec![retry_area(body)],
        Some(Dialog::Replace(_)) => vec![replace_area(body)],
        Some(Dialog::Translate(form)) => vec![translate::area(form, body)],
    }
}

pub fn draw(app: &App, body: Rect, buf: &mut Buffer) {
    match &app.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => help::draw(app, *scroll, buf),
        Some(Dialog::Palette { edit, at }) => draw_palette(app, edit, *at, body, buf),
        Some(Dialog::Filter(form)) => {
            editor::offers(app, &app.filter_offers(&form.edit), form.chosen, buf);
        }
        Some(Dialog::Confirm(confirm)) => Question::confirm(confirm, body).draw(app, buf),
        Some(Dialog::Input(input)) => editor::input(app, input, buf),
        Some(Dialog::Choose(choose)) => draw_choose(app, choose, body, buf),
        Some(Dialog::Retry(form)) => draw_retry(app, form, body, buf),
        Some(Dialog::Replace(form)) => draw_replace(app, form, body, buf),
        Some(Dialog::Translate(form)) => translate::draw(app, form, body, buf),
        Some(Dialog::Refusal(why)) => Question::refusal(why, body).draw(app, buf),
    }
}

pub fn palette_area(body: Rect) -> Rect {
    centered(body, 76, 20)
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
        let mark = if index == at { ">" } else { " " };
        let head = format!("{mark} {} {}", pad(info.name, 16), pad(&keys, 14));
        // A few letters of a sentence say nothing.
        let text = match usize::from(inner.width).saturating_sub(width(&head) + 1) {
            cells @ 20.. => format!("{head} {}", fit(info.description, cells)),
            _ => head,
        };
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

/// A box with something to read and the keys that answer it.
struct Question {
    title: &'static str,
    lines: Vec<String>,
    /// How many of the lines are the question itself.
    asked: usize,
    answers: &'static [(&'static str, &'static str)],
    area: Rect,
}

impl Question {
    fn confirm(confirm: &Confirm, body: Rect) -> Self {
        let answers = &[("y", "yes"), ("n", "no")];
        Self::new("Sure?", &confirm.question, &confirm.detail, answers, body)
    }

    fn refusal(why: &str, body: Rect) -> Self {
        Self::new("Not now", why, "", &[("Enter", "go on")], body)
    }

    fn new(
        title: &'static str,
        question: &str,
        detail: &str,
        answers: &'static [(&'static str, &'static str)],
        body: Rect,
    ) -> Self {
        let width = 60.min(body.width);
        let cells = usize::from(width.saturating_sub(4));
        let mut lines = wrap(question, cells);
        let asked = lines.len();
        if !detail.is_empty() {
            lines.extend(wrap(detail, cells));
        }
        // The border, an empty line and the answers.
        let area = centered(body, width, lines.len() as u16 + 4);
        Self {
            title,
            lines,
            asked,
            answers,
            area,
        }
    }

    fn draw(&self, app: &App, buf: &mut Buffer) {
        clear(self.area, buf);
        let inner = pane(app, self.area, true, self.title, true, buf);
        let last = inner.bottom().saturating_sub(1);
        let x = inner.x + 1;
        for (row, (y, line)) in (inner.y..last).zip(&self.lines).enumerate() {
            let style = if row < self.asked {
                app.theme.warn()
            } else {
                app.theme.text()
            };
            put(buf, x, y, inner.width.saturating_sub(2), line, style);
        }
        let answers = self.answers.iter().flat_map(|(key, word)| {
            [
                Span::styled(*key, app.theme.key()),
                Span::raw(format!(" {word}    ")),
            ]
        });
        super::put_line(
            buf,
            x,
            last,
            inner.width.saturating_sub(1),
            &answers.collect(),
        );
    }
}

fn choose_area(body: Rect) -> Rect {
    centered(body, 50, Choose::fields().len() as u16 + 2)
}

fn draw_choose(app: &App, choose: &Choose, body: Rect, buf: &mut Buffer) {
    let area = choose_area(body);
    clear(area, buf);
    let title = format!("What to do to {}?", plural(choose.groups.len(), "record"));
    let inner = pane(app, area, true, &title, true, buf);
    let fields = Choose::fields().into_iter().enumerate();
    for (row, field) in fields.take(usize::from(inner.height)) {
        let here = row == choose.at;
        let text = format!("{} {}", if here { ">" } else { " " }, choose.deed(field));
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
    centered(body, 64, RETRY_ROWS as u16 + 2)
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
                    Background::None => "none (stored colors)",
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
            text_row(app, &form.hint, hint_area(inner), buf);
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

/// Where the hint is typed: its text under the other values.
fn hint_area(inner: Rect) -> Rect {
    let before = LABEL + 2;
    Rect {
        x: inner.x + before,
        y: inner.y + RETRY_ROWS as u16 - 1,
        width: inner.width.saturating_sub(before),
        height: 1,
    }
}

pub fn retry_cursor(form: &RetryForm, body: Rect) -> Option<Position> {
    let inner = inner(retry_area(body), true);
    let area = hint_area(inner);
    if form.row != RETRY_ROWS - 1 || area.y >= inner.bottom() {
        return None;
    }
    let (_, at) = form.hint.window(usize::from(area.width.saturating_sub(1)));
    Some(Position::new(area.x + at as u16, area.y))
}

fn replace_area(body: Rect) -> Rect {
    centered(body, 90, body.height.saturating_sub(2).max(8))
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
        if area.width >= 60 {
            "Find and replace in labels, tags and queries"
        } else {
            "Find and replace"
        },
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
        // Both texts are shown, so what will change is told in words, not by color.
        let new = found.text.replace(find, form.with.text());
        let half = usize::from(area.width.saturating_sub(26)) / 2;
        let line = format!(
            "{} {} {} -> {}",
            pad(name, 14),
            pad(found.field.name(), 7),
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
