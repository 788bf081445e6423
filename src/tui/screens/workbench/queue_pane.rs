//! The queue pane: one row a group, only those in view.

use super::layout::{Panes, inner_of};
use crate::record::GroupSummary;
use crate::text::{count, fit, pad, width};
use crate::tui::screens::View;
use crate::tui::screens::queue_parts::{
    empty_queue, filter_line, is_reviewed, what_is_left,
};
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::{fill_view, keep_in_view, pane, put};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Style;
use std::ops::Range;

/// Cells of the icon beside a row of two lines.
pub const THUMBNAIL: Size = Size::new(4, 2);

#[derive(Default)]
pub struct QueuePane {
    /// The first row on screen.
    top: usize,
}

/// Where the rows are, for any size.
pub struct Rows {
    pub filter: Rect,
    list: Rect,
    /// Lines of a row: two where the terminal can show an icon beside it.
    pub height: usize,
    /// Rows that are seen at once.
    pub count: usize,
}

/// The rows of a queue pane; `None` where it has no room.
pub fn rows(panes: &Panes, fine: bool) -> Option<Rows> {
    let area = panes.queue?;
    let inner = inner_of(panes, area);
    let tall = area.height >= 24 && area.width >= 30;
    let height = if fine && tall { 2 } else { 1 };
    let lines = inner.height.saturating_sub(1);
    Some(Rows {
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
    pub fn row_at(&self, y: u16, rows: &Rows) -> Option<usize> {
        let line = y.checked_sub(rows.list.y)?;
        Some(self.top + usize::from(line) / rows.height)
    }

    pub fn visible(&self, rows: &Rows) -> Range<usize> {
        self.top..self.top + rows.count
    }

    /// Scrolls to the cursor, and fills a view that has grown.
    pub fn prepare(&mut self, count: usize, session: &Session) {
        keep_in_view(&mut self.top, session.queue.cursor(), count);
        fill_view(&mut self.top, count, session.queue.len());
    }

    pub fn draw(&self, view: &View<'_>, panes: &Panes, focused: bool, buf: &mut Buffer) {
        let session = view.session;
        let queue = &session.queue;
        let (Some(area), Some(rows)) = (panes.queue, rows(panes, session.pictures.are_fine()))
        else {
            return;
        };
        let title = format!(
            "Queue {}/{} by {}",
            count((queue.cursor() + 1).min(queue.len()) as u64),
            count(queue.len() as u64),
            queue.sort().name()
        );
        let inner = pane(&session.theme, area, panes.borders, &title, focused, buf);
        if inner.height == 0 {
            return;
        }
        filter_line(view, rows.filter, buf);
        if queue.is_empty() {
            empty_queue(session, rows.list, buf);
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
            what_is_left(session, under, buf);
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
            let here = row == queue.cursor();
            let marked = focused || view.dialog.is_some();
            draw_row(session, summary, here, marked, area, buf);
            if height == 2 {
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
    here: bool,
    focused: bool,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let mut x = area.x;
    let base = if here {
        buf.set_style(area, theme.cursor(focused));
        theme.cursor(focused)
    } else {
        theme.text()
    };
    let tint = |style: Style| {
        // Colors of their own would make the marked row hard to read.
        if here { base } else { style }
    };
    if area.height >= 2 {
        x += THUMBNAIL.width + 1;
    }
    put(
        buf,
        x,
        area.y,
        2,
        sign(summary.state),
        tint(theme.state(summary.state)),
    );
    if session.selection.contains(summary.id) {
        put(buf, x + 1, area.y, 1, "#", tint(theme.accent()));
    }
    x += 2;
    let left = usize::from(area.right().saturating_sub(x));
    let uncertainty = if summary.uncertainty > 0.0 {
        format!(
            "{:>3}",
            (summary.uncertainty.clamp(0.0, 1.0) * 100.0).round()
        )
    } else {
        "   ".to_owned()
    };
    // Name, then reasons where there is room on the line, then uncertainty.
    let one_line = area.height < 2;
    let reason_cells = match left.saturating_sub(4) / 2 {
        // The longest code has 20 letters, most have fewer; a name needs as much.
        half @ 16.. if one_line => half.min(30),
        _ => 0,
    };
    let name_cells = left.saturating_sub(reason_cells + 4);
    put(
        buf,
        x,
        area.y,
        name_cells as u16,
        &pad(&summary.name, name_cells),
        base,
    );
    if reason_cells > 0 {
        let text = about(summary, reason_cells - 1);
        put(
            buf,
            x + name_cells as u16 + 1,
            area.y,
            reason_cells as u16,
            &text,
            tint(theme.dim()),
        );
    }
    if left >= 12 {
        put(
            buf,
            area.right().saturating_sub(uncertainty.len() as u16),
            area.y,
            3,
            &uncertainty,
            tint(theme.warn()),
        );
    }
    if !one_line {
        let text = about(summary, left);
        debug_assert!(width(&text) <= left.max(12));
        put(buf, x, area.y + 1, left as u16, &text, tint(theme.dim()));
    }
}

/// What there is to know of a record besides its name: an offer, the reasons, else the state.
fn about(summary: &GroupSummary, cells: usize) -> String {
    const OFFER: &str = "new answer";
    let begin = if summary.offered { OFFER } else { "" };
    let left = cells.saturating_sub(begin.len() + 1);
    let rest = match reasons(summary, if summary.offered { left } else { cells }) {
        reasons if reasons.is_empty() => summary.state.name().to_owned(),
        reasons => reasons,
    };
    match summary.offered {
        true => fit(&format!("{begin} {rest}"), cells),
        false => rest,
    }
}

/// Signs of the reasons, as many as fit.
fn reasons(summary: &GroupSummary, cells: usize) -> String {
    let mut out = String::new();
    for (index, reason) in summary.reasons.iter().enumerate() {
        let code = reason.code();
        let rest = summary.reasons.len() - index - 1;
        let more = if rest > 0 {
            format!(" +{rest}")
        } else {
            String::new()
        };
        let space = usize::from(index > 0);
        if out.len() + space + code.len() + more.len() > cells {
            let more = format!(" +{}", rest + 1);
            if out.is_empty() {
                out = fit(code, cells);
            } else if out.len() + more.len() <= cells {
                out.push_str(&more);
            }
            break;
        }
        if index > 0 {
            out.push(' ');
        }
        out.push_str(code);
    }
    out
}
