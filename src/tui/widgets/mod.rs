//! Drawing helpers for screens and dialogs: frames, clipped text, wrapped lines.

mod diff;
pub mod layout;
mod pieces;
mod text_edit;
mod wide;

pub use diff::{DiffKind, differences};
pub use pieces::{Piece, Pieces, draw_pieces, press_at};
pub use text_edit::TextEdit;
pub use wide::normalize_wide;

use super::theme::Theme;
use crate::text::{fit, pad, width, wrap, wrap_offsets};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

/// Draws the frame of a dialog, or of the focused pane, and returns the room inside.
pub fn focused_pane(theme: &Theme, area: Rect, title: &str, buf: &mut Buffer) -> Rect {
    pane(theme, area, true, title, true, buf)
}

/// Draws the frame of a pane without the focus and returns the room inside.
pub fn unfocused_pane(theme: &Theme, area: Rect, title: &str, buf: &mut Buffer) -> Rect {
    pane(theme, area, true, title, false, buf)
}

/// Draws a pane's frame or title and returns the room inside.
pub fn pane(
    theme: &Theme,
    area: Rect,
    borders: bool,
    title: &str,
    focused: bool,
    buf: &mut Buffer,
) -> Rect {
    let style = theme.border(focused);
    // The focused pane is marked with a sign too, for terminals without color.
    let title = if focused {
        format!("> {title} ")
    } else {
        format!(" {title} ")
    };
    if borders {
        let title = fit(&title, usize::from(area.width.saturating_sub(2)));
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(style)
            .title(Span::styled(title, style))
            .render(area, buf);
    } else {
        put(buf, area.x, area.y, area.width, &title, style);
    }
    layout::inner(area, borders)
}

/// Clears an area for a dialog. A wide character that the left edge cuts in two is removed, because
/// its second half would cover the border.
pub fn clear(area: Rect, buf: &mut Buffer) {
    Clear.render(area, buf);
    let Some(left) = area.x.checked_sub(1) else {
        return;
    };
    for y in area.top()..area.bottom() {
        if let Some(cell) = buf.cell_mut((left, y))
            && width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
}

/// Draws a text, cut to `width` cells, and returns the column after it.
pub fn put(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if width == 0 || !buf.area.contains(Position::new(x, y)) {
        return x;
    }
    let text = fit(text, usize::from(width));
    buf.set_stringn(x, y, text, usize::from(width), style).0
}

pub fn put_line(buf: &mut Buffer, x: u16, y: u16, width: u16, line: &Line<'_>) {
    if width > 0 && buf.area.contains(Position::new(x, y)) {
        buf.set_line(x, y, line, width);
    }
}

/// Wraps styled texts that follow each other into lines of at most `cells`.
pub fn wrap_styled(parts: &[(&str, Style)], cells: usize) -> Vec<Vec<Span<'static>>> {
    let text: String = parts.iter().map(|(text, _)| *text).collect();
    let lines = wrap_offsets(&text, cells).into_iter();
    // The parts that end after the lines so far, and the offset of the first of them.
    let (mut left, mut begin) = (parts, 0);
    lines
        .map(|(start, line)| {
            let mut spans = Vec::new();
            while let Some(((part, style), others)) = left.split_first() {
                let end = begin + part.len();
                let (from, to) = (begin.max(start), end.min(start + line.len()));
                if from < to {
                    spans.push(Span::styled(text[from..to].to_owned(), *style));
                }
                if end > start + line.len() {
                    break;
                }
                (left, begin) = (others, end);
            }
            spans
        })
        .collect()
}

/// Draws as many lines as fit, starting at `scroll`.
pub fn lines(all: &[Line<'_>], scroll: usize, area: Rect, buf: &mut Buffer) {
    for (row, line) in all
        .iter()
        .skip(scroll)
        .take(usize::from(area.height))
        .enumerate()
    {
        put_line(buf, area.x, area.y + row as u16, area.width, line);
    }
}

/// Draws a wrapped text, as many lines as fit.
pub fn paragraph(text: &str, style: Style, area: Rect, buf: &mut Buffer) {
    let lines = wrap(text, usize::from(area.width));
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        put(buf, area.x, y, area.width, line, style);
    }
}

/// Draws a text and fills the rest of the line.
pub fn fill_line(text: &str, style: Style, area: Rect, buf: &mut Buffer) {
    let text = pad(text, usize::from(area.width));
    put(buf, area.x, area.y, area.width, &text, style);
}

/// Draws a text being typed in one line, scrolled sideways to its cursor.
pub fn edit_line(edit: &TextEdit, style: Style, area: Rect, buf: &mut Buffer) {
    let (text, _) = edit.window(usize::from(area.width.saturating_sub(1)));
    fill_line(&text, style, area, buf);
}

/// The cell of the cursor in [`edit_line`].
pub fn edit_cursor(edit: &TextEdit, area: Rect) -> Position {
    let (_, at) = edit.window(usize::from(area.width.saturating_sub(1)));
    Position::new(area.x + at as u16, area.y)
}

/// Scrolls a list so that the row of its cursor is in view.
pub fn keep_in_view(top: &mut usize, cursor: usize, rows: usize) {
    if cursor < *top {
        *top = cursor;
    } else if cursor >= *top + rows {
        *top = cursor + 1 - rows;
    }
}

/// Scrolls up where the view has grown, so that it has no empty rows while some are hidden above.
pub fn fill_view(top: &mut usize, rows: usize, len: usize) {
    *top = (*top).min(len.saturating_sub(rows));
}
