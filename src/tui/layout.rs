//! Where everything stands, for any size; drawing and the mouse read the same rectangles.

use ratatui::layout::{Position, Rect, Size};

pub const LEAST: (u16, u16) = (40, 10);
/// Under this there is one pane at a time.
const TWO_PANES: (u16, u16) = (64, 14);

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    Queue,
    Record,
}

/// The workbench's panes, borders included; a pane that has no room has no rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bench {
    pub queue: Option<Rect>,
    pub picture: Option<Rect>,
    pub record: Option<Rect>,
    pub borders: bool,
}

impl Bench {
    /// The column that can be dragged.
    pub fn divider(&self) -> Option<u16> {
        Some(self.record.and(self.queue)?.right())
    }

    pub fn pane_at(&self, at: Position) -> Option<Pane> {
        if self.queue.is_some_and(|area| area.contains(at)) {
            Some(Pane::Queue)
        } else if self.record.is_some_and(|area| area.contains(at)) {
            Some(Pane::Record)
        } else {
            None
        }
    }
}

pub fn bench(body: Rect, focus: Pane, queue_percent: u16) -> Bench {
    if !has_borders(body) {
        return match focus {
            Pane::Queue => Bench {
                queue: Some(body),
                ..Bench::default()
            },
            Pane::Record => {
                // A small picture beside the record where there is a little room.
                let side = if body.width >= 56 && body.height >= 8 {
                    18
                } else {
                    0
                };
                let (record, picture) = split_right(body, side);
                Bench {
                    record: Some(record),
                    picture: (side > 0).then_some(picture),
                    ..Bench::default()
                }
            }
        };
    }
    let wanted = u32::from(body.width) * u32::from(queue_percent) / 100;
    let queue_width = (wanted as u16).clamp(20, body.width - 36);
    let queue = Rect {
        width: queue_width,
        ..body
    };
    let rest = Rect {
        x: body.x + queue_width,
        width: body.width - queue_width,
        ..body
    };
    let picture_height = match rest.height {
        0..=15 => 0,
        16..=23 => 8,
        // An icon of 32 pixels fits at its own size, two pixels a row.
        height => (height / 2).min(24),
    };
    // Very wide: the picture beside the record, so that both have height.
    if rest.width >= 150 {
        let (record, picture) = split_right(rest, (rest.width / 3).min(70));
        return Bench {
            queue: Some(queue),
            picture: Some(picture),
            record: Some(record),
            borders: true,
        };
    }
    let picture = Rect {
        height: picture_height,
        ..rest
    };
    Bench {
        queue: Some(queue),
        picture: (picture_height > 0).then_some(picture),
        record: Some(Rect {
            y: rest.y + picture_height,
            height: rest.height - picture_height,
            ..rest
        }),
        borders: true,
    }
}

/// The picture alone.
pub fn zoomed(body: Rect) -> Bench {
    Bench {
        picture: Some(body),
        borders: has_borders(body),
        ..Bench::default()
    }
}

fn has_borders(body: Rect) -> bool {
    body.width >= TWO_PANES.0 && body.height >= TWO_PANES.1
}

fn split_right(area: Rect, right: u16) -> (Rect, Rect) {
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

/// What is left inside a pane's border, or under its title where it has none.
pub fn inner(area: Rect, borders: bool) -> Rect {
    if borders {
        Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    } else {
        Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        }
    }
}

/// A box in the middle, cut to the screen.
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

/// The picture itself and the words beside or under it.
pub fn picture(inner: Rect) -> (Rect, Rect) {
    if inner.width >= 44 {
        let words = 24.max(inner.width / 3).min(34);
        let (image, mut words) = split_right(inner, words);
        words.x += 1;
        words.width = words.width.saturating_sub(1);
        (image, words)
    } else {
        let under = match inner.height {
            0..=7 => 0,
            8..=13 => 3,
            _ => 8,
        };
        (
            Rect {
                height: inner.height - under,
                ..inner
            },
            Rect {
                y: inner.bottom() - under,
                height: under,
                ..inner
            },
        )
    }
}

/// The gallery: a line above with the filter, the tiles, and the record under the cursor below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gallery {
    pub title: Rect,
    pub filter: Rect,
    pub tiles: Rect,
    /// Of no height where there is no room.
    pub record: Rect,
    pub columns: usize,
    pub lines: usize,
    /// Cells of a tile: the picture and a line for its name.
    pub tile: Size,
}

impl Gallery {
    /// The tile on this slot of the screen.
    pub fn tile_at(&self, slot: usize) -> Rect {
        let (column, line) = (slot % self.columns, slot / self.columns);
        Rect {
            x: self.tiles.x + column as u16 * self.tile.width,
            y: self.tiles.y + line as u16 * self.tile.height,
            width: self.tile.width,
            height: self.tile.height,
        }
    }

    /// What of a tile the picture has.
    pub fn picture(&self) -> Size {
        Size::new(
            self.tile.width.saturating_sub(2),
            self.tile.height.saturating_sub(1),
        )
    }

    pub fn slot_at(&self, at: Position) -> Option<usize> {
        let column = usize::from(at.x.checked_sub(self.tiles.x)? / self.tile.width);
        let line = usize::from(at.y.checked_sub(self.tiles.y)? / self.tile.height);
        (column < self.columns && line < self.lines).then_some(line * self.columns + column)
    }
}

pub fn gallery(body: Rect, fine: bool) -> Gallery {
    let title_width = (body.width / 2).min(36);
    let title = Rect {
        width: title_width,
        height: 1,
        ..body
    };
    let filter = Rect {
        x: body.x + title_width,
        width: body.width - title_width,
        height: 1,
        ..body
    };
    let record_height = if body.height >= 18 { 3 } else { 0 };
    let tiles = Rect {
        y: body.y + 1,
        height: body.height.saturating_sub(1 + record_height),
        ..body
    };
    let record = Rect {
        y: tiles.bottom(),
        height: record_height,
        ..body
    };
    // An icon of 32 pixels at its own size; half blocks are coarser and need more cells.
    let (width, height) = if fine { (16, 6) } else { (20, 9) };
    let (width, height) = if tiles.width >= 60 && tiles.height >= height {
        (width, height)
    } else {
        (13, 5)
    };
    Gallery {
        title,
        filter,
        tiles,
        record,
        columns: usize::from((tiles.width / width).max(1)),
        lines: usize::from((tiles.height / height).max(1)),
        tile: Size::new(width, height.min(tiles.height)),
    }
}
