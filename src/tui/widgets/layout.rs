//! Rectangles that every screen shares, for any size.

use ratatui::layout::Rect;

/// The smallest supported screen.
pub const MIN_SIZE: (u16, u16) = (40, 10);

/// The header line, the hint line, and what is between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame {
    pub header: Rect,
    pub body: Rect,
    pub hints: Rect,
}

pub fn frame(area: Rect) -> Frame {
    let header = Rect { height: 1, ..area };
    let hints = Rect {
        y: area.bottom().saturating_sub(1),
        height: 1,
        ..area
    };
    Frame {
        header,
        body: Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(2),
            ..area
        },
        hints,
    }
}

/// Splits off the rightmost columns.
pub fn split_right(area: Rect, right: u16) -> (Rect, Rect) {
    let left = area.width.saturating_sub(right);
    (
        Rect {
            width: left,
            ..area
        },
        Rect {
            x: area.x + left,
            width: area.width - left,
            ..area
        },
    )
}

/// Splits off the bottom rows.
pub fn split_bottom(area: Rect, bottom: u16) -> (Rect, Rect) {
    let top = area.height.saturating_sub(bottom);
    (
        Rect {
            height: top,
            ..area
        },
        Rect {
            y: area.y + top,
            height: area.height - top,
            ..area
        },
    )
}

/// On a smaller screen only one pane is shown at a time, without a border.
const TWO_PANES: (u16, u16) = (64, 14);

/// Whether there is room for panes side by side.
pub fn has_borders(body: Rect) -> bool {
    body.width >= TWO_PANES.0 && body.height >= TWO_PANES.1
}

/// The room inside a pane's border, or under its title if it has no border.
pub fn inner(area: Rect, borders: bool) -> Rect {
    match borders {
        true => inside_border(area),
        false => Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        },
    }
}

/// The room inside a border.
pub fn inside_border(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// A rectangle in the middle of the area, cut to it.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}
