//! Layout of the workbench for any size. Drawing and input read the same rectangles.

use crate::tui::widgets::layout::{has_borders, inner, split_bottom, split_right};
use ratatui::layout::{Position, Rect};

/// Width in cells of a small picture beside the record.
const SIDE_PICTURE: u16 = 18;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    Queue,
    Record,
}

/// The panes, including their borders; `None` where there is no room.
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

/// Lays out the panes. Without pictures, the record gets their room.
pub fn panes(body: Rect, focus: Pane, queue_percent: u16, pictures: bool) -> Panes {
    if !has_borders(body) {
        return match focus {
            Pane::Queue => Panes {
                queue: Some(body),
                ..Panes::default()
            },
            Pane::Record => {
                // A small picture beside the record, if there is a little room.
                let side = if pictures && body.width >= 56 && body.height >= 8 {
                    SIDE_PICTURE
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
    let (queue, rest) = split_right(body, body.width - queue_width);
    // On a very wide or a low screen the picture is beside the record, so that both get the full
    // height.
    let side = match (rest.width, rest.height) {
        (150.., _) => (rest.width / 3).min(70),
        (48.., 0..=15) => SIDE_PICTURE,
        _ => 0,
    };
    if pictures && side > 0 {
        let (record, picture) = split_right(rest, side);
        return Panes {
            queue: Some(queue),
            picture: Some(picture),
            record: Some(record),
            borders: true,
        };
    }
    let picture_height = match rest.height {
        _ if !pictures => 0,
        0..=15 => 0,
        16..=23 => 8,
        // An icon of 32 pixels fits at its own size, two pixels a row.
        height => (height / 2).min(24),
    };
    let (picture, record) = split_bottom(rest, rest.height - picture_height);
    Panes {
        queue: Some(queue),
        picture: (picture_height > 0).then_some(picture),
        record: Some(record),
        borders: true,
    }
}

/// Gives the picture the full screen.
pub fn zoomed(body: Rect) -> Panes {
    Panes {
        picture: Some(body),
        borders: has_borders(body),
        ..Panes::default()
    }
}

/// The room inside the border or under the title of one of the panes.
pub fn inner_of(panes: &Panes, area: Rect) -> Rect {
    inner(area, panes.borders)
}
