//! Bar charts of everything countable; opening a bar filters the queue by it.

use super::{ActionOutcome, Screen, View};
use crate::record::Field;
use crate::record::filter::quoted;
use crate::text::{count, pad, width};
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::records::ValueCounts;
use crate::tui::session::Session;
use crate::tui::widgets::{pane, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A chart's title, a few bars and a gap.
const LEAST_LINES: u16 = 6;

#[derive(Default)]
pub struct Statistics {
    /// The chart under the cursor, and its bar.
    chart: usize,
    bar: usize,
}

impl Statistics {
    fn step(&mut self, x: isize, y: isize, session: &Session) {
        let charts = charts(session.records.counts());
        let last = charts.len().saturating_sub(1);
        self.chart = self.chart.saturating_add_signed(x).min(last);
        let bars = charts.get(self.chart).map_or(0, |chart| chart.bars.len());
        let last = bars.saturating_sub(1);
        self.bar = self.bar.saturating_add_signed(y).min(last);
    }

    /// Shows the records of the bar under the cursor in the queue.
    fn open(&self, session: &mut Session) -> ActionOutcome {
        let charts = charts(session.records.counts());
        let chart = charts.into_iter().nth(self.chart);
        let bar = chart.and_then(|chart| chart.bars.into_iter().nth(self.bar));
        if let Some(bar) = bar {
            session.set_filter(bar.filter);
        }
        ActionOutcome::show(KeyContext::Queue)
    }
}

impl Screen for Statistics {
    fn context(&self) -> KeyContext {
        KeyContext::Statistics
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        match action {
            Action::Up => self.step(0, -1, session),
            Action::Down => self.step(0, 1, session),
            Action::Left => self.step(-1, 0, session),
            Action::Right => self.step(1, 0, session),
            Action::PageUp => self.step(0, -5, session),
            Action::PageDown => self.step(0, 5, session),
            Action::Statistics => return Some(ActionOutcome::show(KeyContext::Statistics)),
            Action::Open => return Some(self.open(session)),
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    fn draw(&self, view: &View<'_>, body: Rect, buf: &mut Buffer) {
        let theme = &view.session.theme;
        let inner = pane(theme, body, true, "Statistics", true, buf);
        let charts = charts(view.session.records.counts());
        if charts.is_empty() {
            put(
                buf,
                inner.x,
                inner.y,
                inner.width,
                "Nothing to count yet.",
                theme.dim(),
            );
            return;
        }
        let columns = (usize::from(inner.width) / 34).clamp(1, charts.len());
        // The page of charts that holds the one under the cursor.
        let (at, bar_at) = (self.chart, self.bar);
        let fitting = usize::from(inner.height / LEAST_LINES).max(1);
        let lines = charts.len().div_ceil(columns).min(fitting);
        let page = columns * lines;
        let first = at / page * page;
        let column_width = inner.width / columns as u16;
        let height = inner.height / lines as u16;
        for (slot, (index, chart)) in charts.iter().enumerate().skip(first).take(page).enumerate() {
            let area = Rect {
                x: inner.x + (slot % columns) as u16 * column_width,
                y: inner.y + (slot / columns) as u16 * height,
                width: column_width.saturating_sub(3),
                height,
            };
            let here = index == at;
            let style = if here { theme.title() } else { theme.dim() };
            let title = format!(
                "{} {} ({})",
                if here { ">" } else { " " },
                chart.title,
                count(chart.bars.len() as u64)
            );
            put(buf, area.x, area.y, area.width, &title, style);
            let rows = usize::from(area.height.saturating_sub(2)).max(1);
            let cursor = if here {
                bar_at.min(chart.bars.len() - 1)
            } else {
                0
            };
            let top = (cursor + 1).saturating_sub(rows);
            let most = chart
                .bars
                .iter()
                .map(|bar| bar.count)
                .max()
                .unwrap_or(1)
                .max(1);
            let seen = chart.bars.iter().skip(top).take(rows);
            let longest = seen.map(|bar| width(&bar.name)).max();
            let name_cells = longest.unwrap_or(0).min(usize::from(area.width) * 3 / 5);
            for (line, (row, bar)) in chart
                .bars
                .iter()
                .enumerate()
                .skip(top)
                .take(rows)
                .enumerate()
            {
                let y = area.y + 1 + line as u16;
                if y >= area.bottom() {
                    break;
                }
                let number = count(bar.count);
                let room = usize::from(area.width).saturating_sub(name_cells + number.len() + 2);
                let full = (bar.count as usize * room)
                    .div_ceil(most as usize)
                    .min(room);
                let style = if here && row == cursor {
                    theme.cursor(true)
                } else {
                    theme.text()
                };
                let x = put(
                    buf,
                    area.x,
                    y,
                    area.width,
                    &pad(&bar.name, name_cells),
                    style,
                );
                let x = put(
                    buf,
                    x + 1,
                    y,
                    room as u16,
                    &"█".repeat(full),
                    theme.accent(),
                );
                put(
                    buf,
                    x + 1,
                    y,
                    area.right().saturating_sub(x + 1),
                    &number,
                    theme.dim(),
                );
            }
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[Action::Open, Action::Workbench, Action::Quit]
    }

    fn wants_counts(&self) -> bool {
        true
    }
}

/// A value with its number of records.
struct Bar {
    name: String,
    count: u64,
    /// The filter that shows exactly these records.
    filter: String,
}

/// The bars of one field.
struct Chart {
    title: &'static str,
    bars: Vec<Bar>,
}

fn charts(counts: &ValueCounts) -> Vec<Chart> {
    let named = |title, key: &str, list: &[(String, u64)]| Chart {
        title,
        bars: list
            .iter()
            .map(|(name, count)| Bar {
                name: name.clone(),
                count: *count,
                filter: format!("{key}:={}", quoted(name)),
            })
            .collect(),
    };
    let mut charts = vec![
        Chart {
            title: "Reasons",
            bars: counts
                .reasons
                .iter()
                .map(|(reason, count)| Bar {
                    name: reason.code().to_owned(),
                    count: *count,
                    filter: format!("reason:{}", reason.code()),
                })
                .collect(),
        },
        Chart {
            title: "States",
            bars: counts
                .states
                .iter()
                .map(|(state, count)| Bar {
                    name: state.name().to_owned(),
                    count: *count,
                    filter: format!("state:{}", state.name()),
                })
                .collect(),
        },
        Chart {
            title: "Uncertainty",
            bars: counts
                .uncertainty
                .iter()
                .enumerate()
                .rev()
                .map(|(tenth, count)| Bar {
                    name: format!("{}-{} %", tenth * 10, tenth * 10 + 10),
                    count: *count,
                    filter: if tenth == 9 {
                        "uncertainty:0.9".to_owned()
                    } else {
                        format!("uncertainty:0.{tenth} -uncertainty:0.{}", tenth + 1)
                    },
                })
                .collect(),
        },
    ];
    charts.extend(
        Field::shared().map(|(field, filter)| named(filter.title, filter.key, counts.of(field))),
    );
    charts.retain(|chart| chart.bars.iter().any(|bar| bar.count > 0));
    charts
}
