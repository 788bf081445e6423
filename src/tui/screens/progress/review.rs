//! The progress of the review, shown if there is no model or it has no work: what is left, what was
//! decided, how and how fast.

use super::parts::{ProgressPanes, add_section, bar, draw_icons, errors, fact, model_facts};
use crate::record::GroupState;
use crate::text::{count, fit, pad, width as width_of};
use crate::tui::screens::View;
use crate::tui::screens::queue_parts::next_keys;
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::{focused_pane, lines, put, unfocused_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget as _};

/// Cells for the name of a row.
const NAME: usize = 20;
/// Greatest height of the chart in lines.
const MAX_CHART_HEIGHT: u16 = 12;

pub fn draw(view: &View<'_>, panes: &ProgressPanes, buf: &mut Buffer) {
    let session = view.session;
    let theme = &session.theme;
    let words = session.words;
    let inner = focused_pane(theme, panes.run, words.progress_title(), buf);
    lines(&facts(session, usize::from(inner.width)), 0, inner, buf);
    if let Some(area) = panes.writing {
        let inner = unfocused_pane(theme, area, words.states_and_reasons(), buf);
        lines(&states_and_reasons(session, inner), 0, inner, buf);
    }
    if let Some(area) = panes.finished {
        let (title, none) = match session.decided().next() {
            Some(_) => (words.decided_last(), ""),
            None => (words.next_to_review(), words.nothing_left()),
        };
        draw_icons(view, title, none, area, buf);
    }
    if let Some(area) = panes.errors {
        let inner = unfocused_pane(theme, area, words.last_errors(), buf);
        lines(&errors(session, inner), 0, inner, buf);
    }
    if let Some(area) = panes.rate {
        match session.decisions_per_minute()[..] {
            [] => {
                let inner = unfocused_pane(theme, area, words.list_uncertainty(), buf);
                lines(&uncertainties(session, inner), 0, inner, buf);
            }
            ref minutes => {
                let inner = unfocused_pane(theme, area, words.decisions_a_minute(), buf);
                decisions(minutes, session, inner, buf);
            }
        }
    }
    if let Some(area) = panes.steps {
        let inner = unfocused_pane(theme, area, words.how_decided(), buf);
        lines(&efforts(session, inner), 0, inner, buf);
    }
}

/// The review in one column, for a screen without room for panes.
pub fn all_lines(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let words = session.words;
    let mut all = facts(session, usize::from(area.width));
    let sections = [
        (
            words.states_and_reasons(),
            states_and_reasons(session, area),
        ),
        (words.how_decided(), efforts(session, area)),
        (words.last_errors(), errors(session, area)),
    ];
    for (title, lines) in sections {
        add_section(&mut all, title, lines, session);
    }
    all
}

fn facts(session: &Session, width: usize) -> Vec<Line<'static>> {
    let words = session.words;
    let groups = session.records.groups();
    let tally = session.tally();
    let decided = tally.decided();
    let (done, all) = (groups.in_labels(), groups.len() as u64);
    let mut out = model_facts(session, width);
    let mut fact = |name: &str, value: &str| out.push(fact(session, name, value, width));
    let in_labels = words.of_in_labels(count(done), count(all));
    let cells = width.saturating_sub(width_of(&in_labels) + 22);
    let cells = cells.clamp(4, 30);
    let share = match all {
        0 => String::new(),
        all => bar(done as f64 / all as f64, cells),
    };
    let in_labels = pad(&in_labels, width_of(&in_labels).max(12));
    fact(words.fact_lines(), &format!("{in_labels} {share}"));
    fact(words.fact_open(), &count(groups.open()));
    fact(words.fact_decided(), &count(decided as u64));
    let pace = session.pace.per_hour(decided);
    let pace = pace.map_or("-".to_owned(), |pace| words.an_hour(format!("{pace:.0}")));
    fact(words.fact_speed(), &pace);
    let left = session.pace.seconds_left(decided, groups.open());
    let left = left.map_or("-".to_owned(), |seconds| words.rough_duration(seconds));
    fact(words.fact_time_left(), &left);
    let next = next_keys(session).into_iter().map(|parts| {
        let parts = parts.into_iter();
        Line::from_iter(parts.map(|(text, style)| Span::styled(text, style)))
    });
    out.extend(next);
    out
}

/// How many records are in each state, then how many have each reason.
fn states_and_reasons(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let words = session.words;
    let groups = session.records.groups();
    let all = groups.len() as u64;
    let states = GroupState::ALL.iter();
    let states = states.filter_map(|state| {
        let records = groups.count(*state);
        let name = format!("{} {}", sign(*state), words.state(*state));
        (records > 0).then(|| row(session, &name, theme.state(*state), records, all, area))
    });
    let mut out: Vec<Line<'static>> = states.collect();
    let counts = session.records.counts().reasons.iter();
    let reasons = counts.map(|(reason, records)| {
        let name = words.reason_code(*reason);
        row(session, &name, theme.warn(), *records, all, area)
    });
    out.push(Line::default());
    out.extend(reasons);
    out
}

/// `color_mismatch      ███░░░░░ 12 % 89`
fn row(
    session: &Session,
    name: &str,
    style: Style,
    records: u64,
    all: u64,
    area: Rect,
) -> Line<'static> {
    let theme = &session.theme;
    let name_cells = NAME.min(usize::from(area.width) / 2);
    let cells = usize::from(area.width).saturating_sub(name_cells + 16);
    let cells = cells.clamp(4, 40);
    let share = match all {
        0 => 0.0,
        all => records as f64 / all as f64,
    };
    Line::from(vec![
        Span::styled(pad(&fit(name, name_cells - 1), name_cells), style),
        Span::styled(pad(&bar(share, cells), cells + 6), theme.accent()),
        Span::styled(format!(" {}", count(records)), theme.text()),
    ])
}

/// How many records have an uncertainty in each tenth, highest first.
fn uncertainties(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let tenths = session.records.counts().uncertainty;
    let all = tenths.iter().sum();
    let tenths = tenths.into_iter().enumerate().rev();
    let line = |(tenth, records): (usize, u64)| {
        let name = session.words.tenth(tenth);
        row(session, &name, session.theme.dim(), records, all, area)
    };
    tenths.map(line).collect()
}

/// Draws the decisions in each minute of the session as bars.
fn decisions(all: &[u64], session: &Session, area: Rect, buf: &mut Buffer) {
    let (theme, words) = (&session.theme, session.words);
    let minutes = &all[all.len().saturating_sub(usize::from(area.width))..];
    let highest = minutes.iter().copied().max().unwrap_or_default();
    let time = words.rough_duration(minutes.len() as f64 * 60.0);
    let text = words.decisions_of(time, count(highest));
    put(buf, area.x, area.y, area.width, &text, theme.dim());
    // A short session has wide bars.
    let wide = (usize::from(area.width) / minutes.len()).clamp(1, 4);
    let bars = minutes.iter().flat_map(|n| std::iter::repeat_n(*n, wide));
    let room = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1).min(MAX_CHART_HEIGHT),
        ..area
    };
    Sparkline::default()
        .data(bars)
        .style(theme.accent())
        .render(room, buf);
}

/// How many decided records were unchanged, fixed or edited.
fn efforts(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let words = session.words;
    let tally = session.tally();
    let all = tally.decided() as u64;
    let efforts = [
        (words.effort_none(), tally.unchanged),
        (words.effort_fixed(), tally.fixed),
        (words.effort_edited(), tally.edited),
    ];
    let line =
        |(name, records): (&str, usize)| row(session, name, theme.dim(), records as u64, all, area);
    efforts.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::{Progress, Stage};
    use crate::tui::testing::Bench;

    #[test]
    fn without_a_model_the_screen_shows_the_review() {
        let mut bench = Bench::evening_without_model(120, 40);
        let before = bench.keys("F4").screen();
        insta::assert_snapshot!("progress_before_review", before);
        bench.keys("F2 a a F4");
        insta::assert_snapshot!("progress_review", bench.screen());
        let mut small = Bench::evening_without_model(80, 24);
        insta::assert_snapshot!("progress_review_80x24", small.keys("F4").screen());
    }

    #[test]
    fn the_last_line_names_the_keys_that_show_the_rest() {
        let mut bench = Bench::evening_without_model(80, 14);
        let screen = bench.keys("F4").screen();
        assert!(screen.contains(" more lines: Down End"), "{screen}");
    }

    #[test]
    fn a_small_screen_scrolls_to_everything() {
        let mut bench = Bench::evening_without_model(40, 10);
        let mut seen = bench.keys("F4").screen();
        let first = seen.clone();
        for _ in 0..8 {
            seen.push_str(&bench.keys("pagedown").screen());
        }
        for part in [
            "committed",
            "mixed_script",
            "How they were decided",
            "Last errors",
        ] {
            assert!(seen.contains(part), "{part}: {seen}");
        }
        for _ in 0..40 {
            bench.keys("k");
        }
        assert_eq!(bench.screen(), first);
    }

    #[test]
    fn a_title_is_never_the_last_line_above_the_rest() {
        let titles = ["States and reasons", "How they were decided", "Last errors"];
        for height in 10..24 {
            let mut bench = Bench::evening_without_model(60, height);
            bench.keys("F4");
            for _ in 0..20 {
                let lines = bench.pane("Progress").unwrap().into_values();
                let lines: Vec<String> = lines.map(|line| line.replace('│', "")).collect();
                let lines = lines.iter().map(|line| line.trim());
                let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
                let more = lines.iter().position(|line| line.starts_with("and "));
                if let Some(more) = more {
                    assert!(!titles.contains(&lines[more - 1]), "{lines:?}");
                }
                bench.keys("j");
            }
            let end = bench.keys("g g G").screen();
            assert!(end.contains("│none") && !end.contains("│and "), "{end}");
        }
    }

    #[test]
    fn while_the_model_is_idle_the_screen_shows_the_review() {
        let mut bench = Bench::evening(120, 40);
        let mut screen_at = |stage| {
            bench.progress(Progress {
                stage,
                ..Progress::default()
            });
            bench.keys("F4").screen()
        };
        assert!(screen_at(Stage::Decode).contains("In progress"));
        let idle = screen_at(Stage::Idle);
        assert!(!idle.contains("In progress"), "{idle}");
        assert!(idle.contains("States and reasons"), "{idle}");
        assert!(screen_at(Stage::Decode).contains("In progress"));
    }
}
