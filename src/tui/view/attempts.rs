//! Attempts side by side, what differs from the draft marked.

use super::{pane, put, put_line, record::field_name};
use crate::record::{Attempt, Background, Draft, Field, Labels};
use crate::tui::app::App;
use crate::tui::safe_text::{pad, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

const NAME: u16 = 9;
const LEAST: u16 = 24;

fn text(labels: &Labels, field: Field) -> String {
    let list = labels.values(field);
    let separator = if field == Field::QueryVariantsKo {
        " / "
    } else {
        ", "
    };
    list.join(separator)
}

fn asked(attempt: &Attempt) -> String {
    let settings = &attempt.settings;
    let mut words = vec![format!("x{}", settings.upscale)];
    words.push(
        match settings.background {
            Background::White => "white",
            Background::Black => "black",
            Background::None => "no ground",
        }
        .to_owned(),
    );
    if settings.strict {
        words.push("strict".to_owned());
    }
    if !settings.with_image {
        words.push("no picture".to_owned());
    }
    if let Some(hint) = &settings.hint {
        words.push(format!("\"{hint}\""));
    }
    words.join(", ")
}

/// One attempt, or the draft, ready to be drawn.
struct Column {
    x: u16,
    here: bool,
    /// Lines by field.
    texts: Vec<Vec<String>>,
    differs: Vec<bool>,
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let Some(detail) = app.detail() else { return };
    let count = detail.attempts.len();
    let title = format!(
        "Attempts on {}: {} of {count}",
        detail.item.item_name,
        (app.attempt + 1).min(count)
    );
    let inner = pane(app, area, true, &title, true, buf);
    // The draft stands on the left, the attempts beside it, the one in hand always in view.
    let columns = ((inner.width.saturating_sub(NAME)) / LEAST).clamp(1, 1 + count as u16);
    let shown = usize::from(columns.saturating_sub(1)).max(1);
    let with_draft = columns > 1;
    let first = (app.attempt + 1).saturating_sub(shown);
    let width = (inner.width.saturating_sub(NAME)) / columns;
    let theme = &app.theme;
    let mut x = inner.x + NAME;
    let mut heights = [1u16; 9];
    let mut cells: Vec<Column> = Vec::new();
    let mut column = |head: [String; 2],
                      labels: Option<&Labels>,
                      mark: Option<&Draft>,
                      here: bool,
                      buf: &mut Buffer| {
        let style = if here { theme.title() } else { theme.dim() };
        put(buf, x, inner.y, width - 1, &head[0], style);
        if inner.height > 1 {
            put(buf, x, inner.y + 1, width - 1, &head[1], theme.dim());
        }
        let mut texts = Vec::new();
        let mut differs = Vec::new();
        for (row, field) in Field::ALL.iter().enumerate() {
            let value = labels
                .map(|labels| text(labels, *field))
                .unwrap_or_default();
            let other = mark.map(|draft| text(&draft.labels, *field));
            let lines = wrap(&value, usize::from(width.saturating_sub(3)));
            heights[row] = heights[row].max(lines.len() as u16);
            texts.push(lines);
            differs.push(labels.is_some() && other.is_some_and(|other| other != value));
        }
        cells.push(Column {
            x,
            here,
            texts,
            differs,
        });
        x += width;
    };
    if with_draft {
        let labels = detail.draft.as_ref().map(|draft| &draft.labels);
        column(
            ["draft".to_owned(), String::new()],
            labels,
            None,
            false,
            buf,
        );
    }
    for (index, attempt) in detail.attempts.iter().enumerate().skip(first).take(shown) {
        let here = index == app.attempt;
        let head = format!("{}attempt {}", if here { "> " } else { "" }, index + 1);
        let under = match &attempt.failure {
            Some(failure) => format!("{}: {}", failure.code.code(), failure.detail),
            None => asked(attempt),
        };
        column(
            [head, under],
            attempt.labels.as_ref(),
            detail.draft.as_ref(),
            here,
            buf,
        );
    }
    // Rows scroll so that the field in hand is in view.
    let room = inner.height.saturating_sub(2);
    let before: u16 = heights[..=app.attempt_field].iter().sum();
    let skip = before.saturating_sub(room);
    let mut line = 0u16;
    for (row, field) in Field::ALL.iter().enumerate() {
        for step in 0..heights[row] {
            let at = line + step;
            if at < skip || at - skip >= room {
                continue;
            }
            let y = inner.y + 2 + at - skip;
            let chosen = row == app.attempt_field;
            if step == 0 {
                let mark = if chosen { ">" } else { " " };
                let style = if chosen { theme.title() } else { theme.dim() };
                put(
                    buf,
                    inner.x,
                    y,
                    NAME - 1,
                    &format!("{mark}{}", field_name(*field)),
                    style,
                );
            }
            for Column {
                x,
                here,
                texts,
                differs,
            } in &cells
            {
                let Some(text) = texts[row].get(usize::from(step)) else {
                    continue;
                };
                let sign = if differs[row] && step == 0 {
                    "* "
                } else {
                    "  "
                };
                let style = if chosen && *here {
                    theme.cursor(true)
                } else if differs[row] {
                    theme.warn()
                } else {
                    theme.text()
                };
                let cells = usize::from(width.saturating_sub(3));
                put_line(
                    buf,
                    *x,
                    y,
                    width,
                    &Line::from(vec![
                        Span::styled(sign, theme.warn()),
                        Span::styled(pad(text, cells), style),
                    ]),
                );
            }
        }
        line += heights[row];
    }
}
