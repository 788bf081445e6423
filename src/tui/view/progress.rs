//! What the model is doing, live.

use super::header::{duration, model_words, stage_name};
use super::{lines, pane, put};
use crate::tui::app::{App, Model};
use crate::tui::safe_text::{clean, count, fit, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};

pub fn draw(app: &App, body: Rect, buf: &mut Buffer) {
    let inner = pane(app, body, true, "Progress", true, buf);
    let wide = inner.width >= 100;
    let left = Rect {
        width: if wide { inner.width / 2 } else { inner.width },
        ..inner
    };
    let facts = facts(app, usize::from(left.width));
    let used = (facts.len() as u16).min(left.height);
    lines(&facts, 0, left, buf);
    let rest = if wide {
        Rect {
            x: inner.x + left.width + 1,
            width: inner.width - left.width - 1,
            ..inner
        }
    } else {
        Rect {
            y: inner.y + used,
            height: inner.height - used,
            ..inner
        }
    };
    in_hand(app, rest, buf);
    if wide {
        let below = Rect {
            y: left.y + used,
            height: left.height - used,
            ..left
        };
        throughput(app, below, buf);
    }
}

fn facts(app: &App, width: usize) -> Vec<Line<'static>> {
    let theme = &app.theme;
    let p = &app.progress;
    let mut out = Vec::new();
    let mut fact = |name: &str, value: String| {
        out.push(Line::from(vec![
            Span::styled(format!("{name:<12}"), theme.dim()),
            Span::styled(fit(&value, width.saturating_sub(12)), theme.text()),
        ]));
    };
    match &app.model {
        Model::Ready(info) => {
            fact(
                "model",
                format!("{} on {}, {}", info.name, info.device, info.detail),
            );
        }
        Model::Loading => fact("model", "not loaded yet".to_owned()),
        Model::Off => fact("model", "none (--no-model): review only".to_owned()),
        Model::Failed(error) => {
            fact("model", format!("failed: {}", error.cause));
            if let Some(hint) = &error.hint {
                fact("", hint.clone());
            }
        }
    }
    fact("now", model_words(app));
    let stage = match p.stage_done {
        Some(done) => {
            let cells = width.saturating_sub(30).clamp(4, 40);
            let full = (done.clamp(0.0, 1.0) * cells as f32) as usize;
            format!(
                "{} [{}{}] {:.0}%",
                stage_name(p.stage),
                "=".repeat(full),
                " ".repeat(cells - full),
                done * 100.0
            )
        }
        None => stage_name(p.stage).to_owned(),
    };
    fact("stage", stage);
    let total = if p.reading {
        format!("{} so far, still reading", count(p.total))
    } else {
        count(p.total)
    };
    fact("icons", format!("{} of {total}", count(p.already + p.done)));
    fact(
        "this run",
        format!(
            "{} done, {} uncertain, {} failed",
            count(p.done),
            count(p.uncertain),
            count(p.failed)
        ),
    );
    fact(
        "queue",
        format!("{} waiting, {} in flight", count(p.queued), p.in_flight),
    );
    fact(
        "speed",
        format!(
            "{:.1} icons/min now, {:.1} on average, {:.0} tokens/s",
            p.icons_per_minute_now, p.icons_per_minute, p.tokens_per_second
        ),
    );
    fact("left", p.eta_seconds.map_or("-".to_owned(), duration));
    fact(
        "memory",
        format!("{:.1} GiB", p.resident_bytes as f64 / (1u64 << 30) as f64),
    );
    let seconds = p.stage_seconds;
    fact(
        "time spent",
        format!(
            "prepare {:.0} s, see {:.0} s, read {:.0} s, write {:.0} s",
            seconds[0], seconds[1], seconds[2], seconds[3]
        ),
    );
    out
}

fn throughput(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    put(
        buf,
        area.x,
        area.y + 1,
        area.width,
        "icons a minute",
        app.theme.dim(),
    );
    let samples: Vec<u64> = app
        .progress
        .throughput
        .iter()
        .rev()
        .take(usize::from(area.width))
        .rev()
        .map(|rate| (rate.max(0.0) * 10.0) as u64)
        .collect();
    let area = Rect {
        y: area.y + 2,
        height: (area.height - 2).min(8),
        ..area
    };
    Sparkline::default()
        .data(samples)
        .style(app.theme.accent())
        .render(area, buf);
}

fn in_hand(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &app.theme;
    let width = usize::from(area.width);
    let mut out = Vec::new();
    if let Some((group, text)) = &app.progress.in_hand {
        let name = app.groups.get(*group).map_or("", |summary| &summary.name);
        out.push(Line::styled(
            fit(&format!("In hand: {name}"), width),
            theme.title(),
        ));
        let room = usize::from(area.height) * 2 / 3;
        let text = wrap(&clean(text), width);
        let skip = text.len().saturating_sub(room.max(1));
        out.extend(text.into_iter().skip(skip).map(Line::from));
    }
    if !app.errors.is_empty() {
        out.push(Line::default());
        out.push(Line::styled("Last errors", theme.bad()));
        for error in app.errors.iter().rev() {
            out.push(Line::styled(
                fit(&format!("! {error}"), width),
                theme.text(),
            ));
        }
    }
    lines(&out, 0, area, buf);
}
