//! What the model is doing, live.

use super::{ActionOutcome, Screen, View};
use crate::text::{count, fit, for_screen, gibibytes, megabytes, rough_duration, wrap};
use crate::tui::engine_status::ModelState;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::session::Session;
use crate::tui::widgets::{lines, pane, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget as _};

/// Between two samples of the throughput.
const SAMPLE_SECONDS: usize = 2;

#[derive(Default)]
pub struct ProgressScreen;

impl Screen for ProgressScreen {
    fn context(&self) -> KeyContext {
        KeyContext::Progress
    }

    fn act(&mut self, action: Action, _: &mut Session) -> Option<ActionOutcome> {
        (action == Action::Progress).then(|| ActionOutcome::show(KeyContext::Progress))
    }

    fn draw(&self, view: &View<'_>, body: Rect, buf: &mut Buffer) {
        let session = view.session;
        let inner = pane(&session.theme, body, true, "Progress", true, buf);
        let wide = inner.width >= 100;
        let left = Rect {
            width: if wide { inner.width / 2 } else { inner.width },
            ..inner
        };
        let facts = facts(session, usize::from(left.width));
        let used = (facts.len() as u16).min(left.height);
        lines(&facts, 0, left, buf);
        let below = Rect {
            y: left.y + used,
            height: left.height - used,
            ..left
        };
        if wide {
            throughput(session, below, 8, buf);
            let right = Rect {
                x: inner.x + left.width + 1,
                width: inner.width - left.width - 1,
                ..inner
            };
            latest(session, right, buf);
        } else {
            let drawn = throughput(session, below, 2, buf);
            let rest = Rect {
                y: below.y + drawn,
                height: below.height - drawn,
                ..below
            };
            latest(session, rest, buf);
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[Action::Pause, Action::Workbench, Action::Quit]
    }
}

/// `[====    ] 40%`
fn bar(done: f64, cells: usize) -> String {
    let done = done.clamp(0.0, 1.0);
    let full = (done * cells as f64) as usize;
    format!(
        "[{}{}] {:.0}%",
        "=".repeat(full),
        " ".repeat(cells - full),
        done * 100.0
    )
}

fn facts(session: &Session, width: usize) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let p = &session.engine.progress;
    let mut out = Vec::new();
    let mut fact = |name: &str, value: String| {
        out.push(Line::from(vec![
            Span::styled(format!("{name:<12}"), theme.dim()),
            Span::styled(fit(&value, width.saturating_sub(12)), theme.text()),
        ]));
    };
    let cells = width.saturating_sub(40).clamp(4, 30);
    match &session.engine.model {
        ModelState::Ready(info) => {
            fact(
                "model",
                format!("{} on {}, {}", info.name, info.device, info.detail),
            );
        }
        ModelState::Loading => fact("model", "not loaded yet".to_owned()),
        ModelState::Off => fact("model", "none (--no-model): review only".to_owned()),
        ModelState::Failed(error) => {
            fact("model", format!("failed: {}", error.cause));
            if let Some(hint) = &error.hint {
                fact("", hint.clone());
            }
        }
    }
    let mut stage = session.engine.stage().to_owned();
    if let Some(done) = p.stage_done {
        stage = format!("{stage:<12} {}", bar(f64::from(done), cells));
    }
    fact("stage", stage);
    let (done, total) = (p.already + p.done, p.total);
    let icons = format!("{} of {}", count(done), count(total));
    fact(
        "icons",
        if p.reading {
            format!("{icons} so far, still reading")
        } else if total > 0 {
            format!("{icons:<12} {}", bar(done as f64 / total as f64, cells))
        } else {
            icons
        },
    );
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
            "{:.1} icons/min, {:.1} on average, {:.0} tokens/s",
            p.icons_per_minute_now, p.icons_per_minute, p.tokens_per_second
        ),
    );
    if let Some(counts) = &p.remote {
        fact(
            "requests",
            format!(
                "{}, {} of them again, {} sent, {} received",
                count(counts.requests),
                count(counts.retries),
                megabytes(counts.bytes_sent),
                megabytes(counts.bytes_received)
            ),
        );
    }
    fact(
        "time left",
        p.eta_seconds.map_or("-".to_owned(), rough_duration),
    );
    fact(
        "memory",
        match p.resident_bytes {
            0 => "-".to_owned(),
            bytes => gibibytes(bytes),
        },
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

/// The sparkline with what it shows; gives the lines that it took.
fn throughput(session: &Session, area: Rect, most: u16, buf: &mut Buffer) -> u16 {
    let rates = &session.engine.progress.throughput;
    if area.height < 3 || rates.is_empty() {
        return 0;
    }
    let samples = &rates[rates.len().saturating_sub(usize::from(area.width))..];
    let highest = samples.iter().copied().fold(0.0, f64::max);
    let text = format!(
        "icons a minute, the last {}, at most {highest:.0}",
        rough_duration((samples.len() * SAMPLE_SECONDS) as f64)
    );
    put(
        buf,
        area.x,
        area.y + 1,
        area.width,
        &text,
        session.theme.dim(),
    );
    let line = Rect {
        y: area.y + 2,
        height: (area.height - 2).min(most),
        ..area
    };
    Sparkline::default()
        .data(samples.iter().map(|rate| (rate.max(0.0) * 10.0) as u64))
        .style(session.theme.accent())
        .render(line, buf);
    2 + line.height
}

/// The text being generated, and the last errors.
fn latest(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &session.theme;
    let width = usize::from(area.width);
    let mut out = Vec::new();
    if let Some((group, text)) = &session.engine.progress.in_hand {
        let name = session
            .records
            .get(*group)
            .map_or("", |summary| &summary.name);
        out.push(Line::styled(
            fit(&format!("In hand: {name}"), width),
            theme.title(),
        ));
        let room = usize::from(area.height) * 2 / 3;
        let text = wrap(&for_screen(text), width);
        let skip = text.len().saturating_sub(room.max(1));
        out.extend(text.into_iter().skip(skip).map(Line::from));
    }
    let errors = session.notices.errors();
    if !errors.is_empty() {
        out.push(Line::default());
        out.push(Line::styled("Last errors", theme.bad()));
        for error in errors.iter().rev() {
            out.push(Line::styled(
                fit(&format!("! {error}"), width),
                theme.text(),
            ));
        }
    }
    lines(&out, 0, area, buf);
}

#[cfg(test)]
mod tests {
    use crate::engine::{Progress, RemoteCounts};
    use crate::tui::testing::Bench;

    #[test]
    fn what_goes_to_servers_is_live() {
        let mut bench = Bench::evening(140, 40);
        bench.progress(Progress {
            remote: Some(RemoteCounts {
                requests: 1234,
                retries: 12,
                bytes_sent: 15_600_000,
                bytes_received: 2_340_000,
                ..RemoteCounts::default()
            }),
            ..Progress::default()
        });
        let screen = bench.keys("F4").screen();
        let words = "requests    1 234, 12 of them again, 15.6 MB sent, 2.3 MB received";
        assert!(screen.contains(words), "{screen}");
        bench.progress(Progress::default());
        assert!(!bench.screen().contains("requests"));
    }
}
