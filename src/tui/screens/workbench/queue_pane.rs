//! The queue pane: one row per group, drawn only while in view.

use super::layout::{Panes, inner_of};
use crate::record::GroupSummary;
use crate::text::{count, fit, pad, width};
use crate::tui::screens::View;
use crate::tui::screens::queue_parts::{draw_end_of_queue, empty_queue, filter_line, is_reviewed};
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::{fill_view, keep_in_view, pane, put};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Style;
use std::borrow::Cow;
use std::ops::Range;

/// Size in cells of the icon beside a row of three lines.
pub const THUMBNAIL: Size = Size::new(6, 3);

#[derive(Default)]
pub struct QueuePane {
    /// The first row on screen.
    top: usize,
}

/// Layout of the rows for any size.
pub struct QueueRows {
    pub filter: Rect,
    list: Rect,
    /// Lines per row: the name; where there is room, the label; where the terminal can show an
    /// icon, the reasons.
    pub height: usize,
    /// How many rows are visible.
    pub count: usize,
}

/// Lays out the rows of the queue pane; `None` if the pane is not shown.
pub fn rows(panes: &Panes, fine: bool) -> Option<QueueRows> {
    let area = panes.queue?;
    let inner = inner_of(panes, area);
    let height = match (area.width, area.height) {
        (30.., 24..) if fine => usize::from(THUMBNAIL.height),
        (30.., 20..) => 2,
        _ => 1,
    };
    let lines = inner.height.saturating_sub(1);
    Some(QueueRows {
        filter: Rect { height: 1, ..inner },
        list: Rect {
            y: inner.y + 1,
            height: lines,
            ..inner
        },
        height,
        count: (usize::from(lines) / height).max(1),
    })
}

impl QueuePane {
    /// The row of the queue at a line of the screen.
    pub fn row_at(&self, y: u16, rows: &QueueRows) -> Option<usize> {
        let line = y.checked_sub(rows.list.y)?;
        Some(self.top + usize::from(line) / rows.height)
    }

    pub fn visible(&self, rows: &QueueRows) -> Range<usize> {
        self.top..self.top + rows.count
    }

    /// The position of the current record's name.
    pub fn cursor(&self, rows: &QueueRows, session: &Session) -> Option<Position> {
        let line = session.queue.cursor().checked_sub(self.top)?;
        let x = match rows.height == usize::from(THUMBNAIL.height) {
            true => rows.list.x + THUMBNAIL.width + 1,
            false => rows.list.x,
        };
        let at = Position::new(x, rows.list.y + (line * rows.height) as u16);
        (!session.queue.is_empty() && rows.list.contains(at)).then_some(at)
    }

    /// Scrolls the cursor into view, and fills a view that has grown.
    pub fn prepare(&mut self, count: usize, session: &Session) {
        keep_in_view(&mut self.top, session.queue.cursor(), count);
        fill_view(&mut self.top, count, session.queue.len());
    }

    pub fn draw(&self, view: &View<'_>, panes: &Panes, focused: bool, buf: &mut Buffer) {
        let session = view.session;
        let queue = &session.queue;
        let (Some(area), Some(rows)) = (panes.queue, rows(panes, session.pictures.draws_pixels()))
        else {
            return;
        };
        let words = session.words;
        let mut title = words.queue_title(
            count((queue.cursor() + 1).min(queue.len()) as u64),
            count(queue.len() as u64),
            words.order(queue.search_text(), queue.sort()),
        );
        if queue.is_folded() {
            title.push_str(words.families_folded());
        }
        let inner = pane(&session.theme, area, panes.borders, &title, focused, buf);
        if inner.height == 0 {
            return;
        }
        filter_line(view, rows.filter, buf);
        if queue.is_empty() {
            empty_queue(view, rows.list, buf);
            return;
        }
        let height = rows.height as u16;
        let used = (queue.len() - self.top.min(queue.len())) as u16 * height + 1;
        if is_reviewed(session) && used + 4 <= rows.list.height {
            let under = Rect {
                y: rows.list.y + used,
                height: rows.list.height - used,
                ..rows.list
            };
            draw_end_of_queue(session, under, buf);
        }
        for (line, row) in (self.top..queue.len()).take(rows.count).enumerate() {
            let Some(summary) = session.row(row) else {
                break;
            };
            let area = Rect {
                y: rows.list.y + line as u16 * height,
                height: height.min(rows.list.height),
                ..rows.list
            };
            let under_cursor = row == queue.cursor();
            let marked = focused || view.dialog.is_some();
            draw_row(session, summary, under_cursor, marked, area, buf);
            if height == THUMBNAIL.height {
                thumbnail(view, summary, area, buf);
            }
        }
    }
}

fn thumbnail(view: &View<'_>, summary: &GroupSummary, area: Rect, buf: &mut Buffer) {
    let pictures = &view.session.pictures;
    if let Some(Ok(picture)) = pictures.get(&pictures.tile_key(summary.id, THUMBNAIL)) {
        let room = Rect::from((area.as_position(), THUMBNAIL));
        pictures.draw(picture, room, view.boxes, &view.session.theme, buf);
    }
}

fn draw_row(
    session: &Session,
    summary: &GroupSummary,
    under_cursor: bool,
    focused: bool,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let base = if under_cursor {
        buf.set_style(area, theme.cursor_in(focused));
        theme.cursor_in(focused)
    } else {
        theme.text()
    };
    let tint = |style: Style| {
        // Other colors would make the row under the cursor hard to read.
        if under_cursor { base } else { style }
    };
    let mut x = area.x;
    if area.height >= THUMBNAIL.height {
        x += THUMBNAIL.width + 1;
    }
    let state = tint(theme.state(summary.state));
    put(buf, x, area.y, 2, sign(summary.state), state);
    if session.selection.contains(summary.id) {
        put(buf, x + 1, area.y, 1, "#", tint(theme.accent()));
    }
    x += 2;
    let left = area.right().saturating_sub(x);
    let uncertainty = uncertainty(summary);
    let beside = match left {
        0..12 => 0,
        _ => width(&uncertainty) as u16,
    };
    let at = area.right().saturating_sub(beside);
    put(buf, at, area.y, beside, &uncertainty, tint(theme.warn()));
    let cells = left.saturating_sub(beside + 1);
    let family = match session.records.groups().family_size(summary) {
        size @ 2.. if left >= 16 => format!(" ×{size}"),
        _ => String::new(),
    };
    // The name, then the reasons if they have no line of their own and fit here.
    let about_cells = match cells / 2 {
        _ if area.height >= 3 => 0,
        // The longest reason has 20 letters, and a name needs about as much.
        half @ 16.. => half.min(30),
        // They get what the name leaves, at least half.
        half @ 10.. => {
            let all = about(session, summary, usize::from(cells), area.height < 2);
            let name_cells = (width(summary.title()) + width(&family)) as u16;
            let free = cells.saturating_sub(name_cells);
            (width(&all) as u16 + 1).min(free.max(half))
        }
        _ => 0,
    };
    let name_cells = usize::from(cells - about_cells).saturating_sub(width(&family));
    put(
        buf,
        x,
        area.y,
        cells,
        &pad(summary.title(), name_cells),
        base,
    );
    let beside_name = x + name_cells as u16;
    let family_cells = width(&family) as u16;
    put(
        buf,
        beside_name,
        area.y,
        family_cells,
        &family,
        tint(theme.accent()),
    );
    if about_cells > 0 {
        let text = about(
            session,
            summary,
            usize::from(about_cells) - 1,
            area.height < 2,
        );
        let x = x + cells - about_cells + 1;
        put(buf, x, area.y, about_cells, &text, tint(theme.dim()));
    }
    if area.height >= 2 {
        let label = label_or_failure(session, summary);
        put(buf, x, area.y + 1, left, &label, tint(theme.text()));
    }
    if area.height >= 3 {
        let text = about(session, summary, usize::from(left), false);
        put(buf, x, area.y + 2, left, &text, tint(theme.dim()));
    }
}

/// The label of a record, or why there is none.
fn label_or_failure<'a>(session: &Session, summary: &'a GroupSummary) -> Cow<'a, str> {
    let label = summary.labels.label_ko();
    let detail = session.records.detail(summary.id);
    let failure = detail.and_then(|detail| detail.failure.as_ref());
    match failure {
        Some(failure) if label.is_empty() => session.words.failure(failure).into(),
        _ => label.into(),
    }
}

/// The uncertainty as a bar and a number; empty if it is zero.
fn uncertainty(summary: &GroupSummary) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let share = summary.uncertainty.clamp(0.0, 1.0);
    if share == 0.0 {
        return String::new();
    }
    let bar = BARS[((share * 8.0) as usize).min(7)];
    format!("{bar}{:>3}", (share * 100.0).round())
}

/// The remark about a record: a new or pending answer, then its reasons, else its state. If the
/// label has no line of its own, it replaces the state, which the sign before the name shows too.
fn about(session: &Session, summary: &GroupSummary, cells: usize, for_label: bool) -> String {
    let words = session.words;
    let mut parts: Vec<String> = Vec::new();
    match session.retries.answered(summary.id) {
        Some(answer) => parts.push(words.answered(answer.before, answer.after)),
        None if summary.offered => parts.push(words.new_answer().to_owned()),
        None if session.retries.is_waiting(summary.id) => {
            parts.push(words.retrying().to_owned());
        }
        None => {}
    }
    let label = summary.labels.label_ko();
    match summary.reasons.is_empty() {
        true if for_label && !label.is_empty() => parts.push(label.to_owned()),
        true if parts.is_empty() => parts.push(words.state(summary.state).to_owned()),
        true => {}
        false => parts.extend(
            session
                .records
                .sorted_by_weight(summary)
                .into_iter()
                .map(|reason| words.reason(reason)),
        ),
    }
    joined(&parts, cells)
}

/// Joins as many parts as fit, and adds how many more there are.
fn joined(parts: &[String], cells: usize) -> String {
    for count in (1..=parts.len()).rev() {
        let mut text = parts[..count].join(", ");
        if count < parts.len() {
            text.push_str(&format!(" +{}", parts.len() - count));
        }
        if width(&text) <= cells || count == 1 {
            return fit(&text, cells);
        }
    }
    String::new()
}
