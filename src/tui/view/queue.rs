//! The queue pane: one row a group, only those in view.

use super::{pane, picture, put};
use crate::record::{GroupState, GroupSummary};
use crate::tui::app::{App, Model};
use crate::tui::dialog::Dialog;
use crate::tui::layout::Pane;
use crate::tui::safe_text::{count, fit, pad, width};
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

/// Cells of the picture beside a row of two lines.
pub const THUMBNAIL: Size = Size::new(4, 2);

pub fn draw(app: &App, area: Rect, borders: bool, boxes: &[Rect], buf: &mut Buffer) {
    let queue = &app.queue;
    let title = format!(
        "Queue {}/{} by {}",
        count((queue.cursor + 1).min(queue.rows.len()) as u64),
        count(queue.rows.len() as u64),
        queue.sort.name()
    );
    let focused = app.focus == Pane::Queue;
    let inner = pane(app, area, borders, &title, focused, buf);
    if inner.height == 0 {
        return;
    }
    filter_line(app, Rect { height: 1, ..inner }, buf);
    let list = Rect {
        y: inner.y + 1,
        height: inner.height - 1,
        ..inner
    };
    if queue.rows.is_empty() {
        empty(app, list, buf);
        return;
    }
    let height = app.row_height() as u16;
    let rows = app.queue_rows();
    for (line, row) in (queue.top..queue.rows.len()).take(rows).enumerate() {
        let Some(summary) = app.row(row) else { break };
        let area = Rect {
            y: list.y + line as u16 * height,
            height: height.min(list.height),
            ..list
        };
        draw_row(app, summary, row == queue.cursor, area, buf);
        if height == 2 {
            thumbnail(app, summary, area, boxes, buf);
        }
    }
}

/// The filter as it stands or is being typed.
pub fn filter_line(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let x = put(buf, area.x, area.y, area.width, "/", theme.key());
    let left = area.right().saturating_sub(x);
    if let Some(Dialog::Filter(form)) = &app.dialog {
        let (text, _) = form.edit.window(usize::from(left.saturating_sub(1)));
        let text = pad(&text, usize::from(left));
        put(buf, x, area.y, left, &text, theme.cursor(true));
        return;
    }
    match (&app.queue.wrong, app.queue.filter.as_str()) {
        (Some(wrong), _) => put(buf, x, area.y, left, wrong, theme.bad()),
        (None, "") => put(buf, x, area.y, left, "everything", theme.dim()),
        (None, text) => put(buf, x, area.y, left, text, theme.accent()),
    };
}

pub fn empty(app: &App, area: Rect, buf: &mut Buffer) {
    let text = if app.groups.is_empty() && app.source_read {
        "The source holds no item."
    } else if app.groups.is_empty() {
        "Reading the source..."
    } else if app.queue.filter == crate::tui::filter::NEEDS_REVIEW
        && app.groups.count(GroupState::Waiting) + app.groups.count(GroupState::Running) > 0
        && matches!(app.model, Model::Ready(_) | Model::Loading)
    {
        "Nothing needs you yet: the model is at work. 3 shows it, \\ shows every item."
    } else if app.queue.filter == crate::tui::filter::NEEDS_REVIEW {
        "Nothing needs you now. \\ shows every item."
    } else {
        "Nothing passes the filter. \\ clears it."
    };
    for (row, line) in crate::tui::safe_text::wrap(text, usize::from(area.width))
        .iter()
        .enumerate()
        .take(usize::from(area.height))
    {
        put(
            buf,
            area.x,
            area.y + row as u16,
            area.width,
            line,
            app.theme.dim(),
        );
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

fn thumbnail(app: &App, summary: &GroupSummary, area: Rect, boxes: &[Rect], buf: &mut Buffer) {
    let key = app.thumb_key(summary.id, THUMBNAIL.width, THUMBNAIL.height);
    if let Some(Ok(shown)) = app.pictures.get(&key) {
        let room = Rect::from((area.as_position(), THUMBNAIL));
        picture::image(app, shown, room, boxes, buf);
    }
}

fn draw_row(app: &App, summary: &GroupSummary, here: bool, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let mut x = area.x;
    let focused = app.focus == Pane::Queue || app.dialog.is_some();
    let base = if here {
        buf.set_style(area, theme.cursor(focused));
        theme.cursor(focused)
    } else {
        theme.text()
    };
    let tint = |style: ratatui::style::Style| {
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
    if app.selected.contains(&summary.id) {
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
