//! The model's work: answers being written, finished icons, progress and speed.

use super::parts::{
    ProgressPanes, STEPS, add_section, bar, draw_icons, errors, fact, model_facts, panes,
};
use crate::engine::InFlight;
use crate::record::GroupId;
use crate::text::{count, fit, for_screen, gibibytes, megabytes, pad, width as width_of, wrap};
use crate::tui::screens::View;
use crate::tui::session::Session;
use crate::tui::widgets::{focused_pane, layout, lines, put, unfocused_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget as _};

/// Size in cells of the icon beside an answer being written.
pub const ICON: Size = Size::new(4, 2);
/// Most cells for the names of items being written.
const MAX_NAME: usize = 24;
/// Seconds between two samples of the throughput.
const SAMPLE_SECONDS: usize = 2;

pub fn draw(view: &View<'_>, panes: &ProgressPanes, buf: &mut Buffer) {
    let session = view.session;
    let theme = &session.theme;
    let words = session.words;
    let inner = focused_pane(theme, panes.run, words.progress_title(), buf);
    let facts = facts(session, usize::from(inner.width));
    lines(&facts, 0, inner, buf);
    if let Some(area) = panes.writing {
        let inner = unfocused_pane(theme, area, words.being_written(), buf);
        match session.pictures.draws_pixels() {
            true => written_with_icons(view, inner, buf),
            false => lines(&being_written(session, inner), 0, inner, buf),
        }
    }
    if let Some(area) = panes.finished {
        draw_icons(view, words.finished(), "", area, buf);
    }
    if let Some(area) = panes.errors {
        let inner = unfocused_pane(theme, area, words.last_errors(), buf);
        lines(&errors(session, inner), 0, inner, buf);
    }
    if let Some(area) = panes.rate {
        let inner = unfocused_pane(theme, area, words.icons_a_minute(), buf);
        throughput(session, inner, buf);
    }
    if let Some(area) = panes.steps {
        let inner = unfocused_pane(theme, area, words.time_a_step(), buf);
        lines(&steps(session, inner), 0, inner, buf);
    }
}

/// The progress in one column, for a screen without room for panes.
pub fn all_lines(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let words = session.words;
    let mut all = facts(session, usize::from(area.width));
    if let Some((caption, rates)) = rates(session, area.width) {
        all.push(Line::default());
        all.push(Line::styled(caption, session.theme.dim()));
        all.push(Line::styled(chart(rates), session.theme.accent()));
    }
    let sections = [
        (words.being_written(), being_written(session, area)),
        (words.last_errors(), errors(session, area)),
        (words.time_a_step(), steps(session, area)),
    ];
    for (title, lines) in sections {
        add_section(&mut all, title, lines, session);
    }
    all
}

/// A chart of one line.
fn chart(rates: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = rates.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let bar = |rate: &f64| BARS[((rate / highest).max(0.0) * 7.0).round().min(7.0) as usize];
    rates.iter().map(bar).collect()
}

fn facts(session: &Session, width: usize) -> Vec<Line<'static>> {
    let words = session.words;
    let p = &session.engine.progress;
    let mut out = model_facts(session, width);
    let mut fact = |name: &str, value: String| out.push(fact(session, name, &value, width));
    let cells = width.saturating_sub(40).clamp(4, 30);
    let mut stage = session.engine.stage(words).to_owned();
    if let Some(done) = p.stage_done {
        stage = format!("{} {}", pad(&stage, 12), bar(f64::from(done), cells));
    }
    fact(words.fact_stage(), stage);
    let (done, total) = (p.already + p.done, p.total);
    let icons = words.of_icons(count(done), count(total));
    fact(
        words.fact_icons(),
        if p.reading {
            words.so_far(icons)
        } else if total > 0 {
            let bar = bar(done as f64 / total as f64, cells);
            format!("{} {bar}", pad(&icons, width_of(&icons).max(12)))
        } else {
            icons
        },
    );
    fact(
        words.fact_time_left(),
        p.eta_seconds
            .map_or("-".to_owned(), |seconds| words.rough_duration(seconds)),
    );
    fact(
        words.fact_run(),
        words.this_run(count(p.done), count(p.uncertain), count(p.failed)),
    );
    let mean = rate(p.icons_per_minute);
    fact(
        words.fact_speed(),
        match session.engine.is_at_rest() {
            true => words.speed_at_work(mean),
            false => words.speed(
                rate(p.icons_per_minute_now),
                mean,
                format!("{:.0}", p.tokens_per_second),
            ),
        },
    );
    fact(
        words.fact_queue(),
        words.in_queue(count(p.queued), p.in_flight.len()),
    );
    if let Some(counts) = &p.remote {
        fact(
            words.fact_requests(),
            words.requests(
                count(counts.requests),
                count(counts.retries),
                megabytes(counts.bytes_sent),
                megabytes(counts.bytes_received),
            ),
        );
    }
    fact(
        words.fact_memory(),
        match p.resident_bytes {
            0 => "-".to_owned(),
            bytes => gibibytes(bytes),
        },
    );
    out
}

/// Formats icons per minute; large numbers need no tenths.
fn rate(icons: f64) -> String {
    match icons < 100.0 {
        true => format!("{icons:.1}"),
        false => format!("{icons:.0}"),
    }
}

/// The share of time that each step took, as bars.
fn steps(session: &Session, inner: Rect) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let words = session.words;
    let seconds = session.engine.progress.stage_seconds;
    let all: f64 = seconds.iter().sum();
    let cells = usize::from(inner.width).saturating_sub(26).clamp(4, 40);
    let line = |(name, seconds): (&str, f64)| {
        let share = if all > 0.0 { seconds / all } else { 0.0 };
        Line::from(vec![
            Span::styled(pad(name, 8), theme.dim()),
            Span::styled(bar(share, cells), theme.accent()),
            Span::styled(
                format!(" {}", words.step_seconds(format!("{seconds:.0}"))),
                theme.dim(),
            ),
        ])
    };
    let names: [&str; STEPS] = [
        words.step_prepare(),
        words.step_see(),
        words.step_read(),
        words.step_write(),
    ];
    names.into_iter().zip(seconds).map(line).collect()
}

/// The newest samples of the throughput, as many as fit, and a caption; `None` before the first.
fn rates(session: &Session, cells: u16) -> Option<(String, &[f64])> {
    let all = &session.engine.progress.throughput;
    let samples = &all[all.len().saturating_sub(usize::from(cells))..];
    let highest = samples.iter().copied().reduce(f64::max)?;
    let words = session.words;
    let time = words.rough_duration((samples.len() * SAMPLE_SECONDS) as f64);
    Some((words.rate_of(time, format!("{highest:.0}")), samples))
}

/// Draws the throughput as a chart with a caption.
fn throughput(session: &Session, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let Some((caption, samples)) = rates(session, area.width) else {
        return;
    };
    put(buf, area.x, area.y, area.width, &caption, theme.dim());
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    Sparkline::default()
        .data(samples.iter().map(|rate| (rate.max(0.0) * 10.0) as u64))
        .style(theme.accent())
        .render(below, buf);
}

/// The answers in flight: the first with the end of its text, the others in a line each.
fn being_written(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let (width, height) = (usize::from(area.width).max(4), usize::from(area.height));
    let Some((first, others)) = session.engine.progress.in_flight.split_first() else {
        return vec![Line::styled(session.words.nothing_in_hand(), theme.dim())];
    };
    // Half of the pane is for the others.
    let room = height.saturating_sub(others.len().min(height / 2)).max(2);
    let mut out = answer(session, first, width, room);
    let names = (width / 3).min(MAX_NAME);
    for writing in others.iter().take(height.saturating_sub(out.len())) {
        let name = pad(&fit(&session.name_of(writing.group), names), names);
        let text = for_screen(&writing.text);
        let end = wrap(&text, width.saturating_sub(names + 1).max(1)).pop();
        out.push(Line::from(vec![
            Span::styled(name, theme.text()),
            Span::styled(format!(" {}", end.unwrap_or_default()), theme.dim()),
        ]));
    }
    out
}

/// The name of an item, and the end of its answer so far.
fn answer(
    session: &Session,
    writing: &InFlight,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let tokens = match writing.tokens {
        0 => String::new(),
        tokens => format!("  {}", session.words.tokens_so_far(tokens)),
    };
    let name = session.name_of(writing.group);
    let name = fit(&name, width.saturating_sub(width_of(&tokens)));
    let mut out = vec![Line::from(vec![
        Span::styled(name, theme.title()),
        Span::styled(tokens, theme.dim()),
    ])];
    let text = wrap(&for_screen(&writing.text), width);
    let skip = text.len().saturating_sub(height.saturating_sub(1));
    out.extend(text.into_iter().skip(skip).map(Line::from));
    out
}

/// The records whose icons are shown beside the answers being written, or will be when others end.
pub fn written_icons(session: &Session) -> Vec<GroupId> {
    let area = panes(session.body()).writing;
    let Some(area) = area.filter(|_| session.pictures.draws_pixels()) else {
        return Vec::new();
    };
    let room = layout::inside_border(area).height / ICON.height;
    let in_flight = session.engine.progress.in_flight.iter();
    let shown = in_flight.take(usize::from(room));
    shown.map(|writing| writing.group).collect()
}

/// Draws the answers being written, each beside its icon. The first one has the most lines.
fn written_with_icons(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let session = view.session;
    let (theme, pictures) = (&session.theme, &session.pictures);
    let in_flight = &session.engine.progress.in_flight;
    if in_flight.is_empty() {
        return lines(&being_written(session, area), 0, area, buf);
    }
    let others = (in_flight.len() - 1).min(usize::from(area.height / 2 / ICON.height)) as u16;
    let mut room = Rect {
        height: area.height - others * ICON.height,
        ..area
    };
    for writing in in_flight.iter().take(usize::from(others) + 1) {
        let icon = Rect::from((room.as_position(), ICON)).intersection(area);
        if let Some(Ok(picture)) = pictures.get(&pictures.tile_key(writing.group, ICON)) {
            pictures.draw(picture, icon, view.boxes, theme, buf);
        }
        let x = (room.x + ICON.width + 1).min(room.right());
        let text = Rect {
            x,
            width: room.right() - x,
            ..room
        };
        let (width, height) = (usize::from(text.width), usize::from(text.height));
        lines(&answer(session, writing, width, height), 0, text, buf);
        room = Rect {
            y: room.bottom(),
            height: ICON.height,
            ..room
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{Progress, RemoteCounts, Stage};
    use crate::tui::testing::Bench;

    #[test]
    fn an_idle_model_has_only_an_average_speed() {
        let mut bench = Bench::evening(200, 40);
        let mut screen_at = |stage| {
            bench.event(crate::engine::Event::Labeled {
                group: crate::record::GroupId(2),
                image_path: String::new(),
                name: String::new(),
                reasons: Vec::new(),
                derived_from: None,
                offered: false,
            });
            bench.progress(Progress {
                stage,
                icons_per_minute_now: 57.1,
                icons_per_minute: 48.0,
                ..Progress::default()
            });
            bench.keys("F4").screen()
        };
        let working = screen_at(Stage::Decode);
        assert!(
            working.contains("57.1 icons/min, 48.0 on average"),
            "{working}"
        );
        let idle = screen_at(Stage::Idle);
        assert!(idle.contains("48.0 icons/min on average"), "{idle}");
        assert!(!idle.contains("57.1"), "{idle}");
    }

    #[test]
    fn the_traffic_with_servers_is_shown() {
        let mut bench = Bench::evening(200, 40);
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
        let requests = "requests    1 234, 12 of them retries, 15.6 MB sent, 2.3 MB received";
        assert!(screen.contains(requests), "{screen}");
        bench.progress(Progress::default());
        assert!(!bench.screen().contains("requests"));
    }
}
