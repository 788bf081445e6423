//! Where the panes of the workbench are, for any size; drawing and input read the same rectangles.

use crate::tui::widgets::layout::{inner, split_right};
use ratatui::layout::{Position, Rect};

/// Under this there is one pane at a time.
const TWO_PANES: (u16, u16) = (64, 14);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    Queue,
    Record,
}

/// The workbench's panes, borders included; a pane that has no room has no rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Panes {
    pub queue: Option<Rect>,
    pub picture: Option<Rect>,
    pub record: Option<Rect>,
    pub borders: bool,
}

impl Panes {
    /// The column of the divider, which can be dragged.
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

pub fn panes(body: Rect, focus: Pane, queue_percent: u16) -> Panes {
    if !has_borders(body) {
        return match focus {
            Pane::Queue => Panes {
                queue: Some(body),
                ..Panes::default()
            },
            Pane::Record => {
                // A small picture beside the record where there is a little room.
                let side = if body.width >= 56 && body.height >= 8 {
                    18
                } else {
                    0
                };
                let (record, picture) = split_right(body, side);
                Panes {
                    record: Some(record),
                    picture: (side > 0).then_some(picture),
                    ..Panes::default()
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
        return Panes {
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
    Panes {
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
pub fn zoomed(body: Rect) -> Panes {
    Panes {
        picture: Some(body),
        borders: has_borders(body),
        ..Panes::default()
    }
}

/// What is left inside the border or under the title of one of these panes.
pub fn inner_of(panes: &Panes, area: Rect) -> Rect {
    inner(area, panes.borders)
}

fn has_borders(body: Rect) -> bool {
    body.width >= TWO_PANES.0 && body.height >= TWO_PANES.1
}

/// The picture itself and the text beside or under it.
pub fn picture_and_text(inner: Rect) -> (Rect, Rect) {
    if inner.width >= 44 {
        let text = 24.max(inner.width / 3).min(34);
        let (image, mut text) = split_right(inner, text);
        text.x += 1;
        text.width = text.width.saturating_sub(1);
        (image, text)
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
