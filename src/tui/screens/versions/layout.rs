//! Layout of the versions screen for any size.

use crate::tui::widgets::layout::{has_borders, split_bottom, split_right};
use ratatui::layout::Rect;

/// The parts of the screen, including their borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub timeline: Rect,
    pub compare: Rect,
    pub picture: Option<Rect>,
    pub borders: bool,
}

/// Lays out the parts. Without pictures, the other two share the room.
pub fn parts(body: Rect, pictures: bool) -> Parts {
    if !has_borders(body) {
        // Room for a title, the version under the cursor and one more.
        let height = (body.height / 3).clamp(1, 3).min(body.height);
        let side = if pictures && body.width >= 56 && body.height >= 8 {
            18
        } else {
            0
        };
        let (rest, picture) = split_right(body, side);
        let (timeline, compare) = split_bottom(rest, rest.height - height);
        return Parts {
            timeline,
            compare,
            picture: (side > 0).then_some(picture),
            borders: false,
        };
    }
    let width = (body.width / 4).clamp(28, 38);
    let (left, rest) = split_right(body, body.width - width);
    if !pictures {
        return Parts {
            timeline: left,
            compare: rest,
            picture: None,
            borders: true,
        };
    }
    if body.width >= 110 {
        let (compare, picture) = split_right(rest, (body.width / 4).min(64));
        return Parts {
            timeline: left,
            compare,
            picture: Some(picture),
            borders: true,
        };
    }
    let height = (body.height / 2).min(16);
    Parts {
        timeline: Rect {
            height: body.height - height,
            ..left
        },
        compare: rest,
        picture: Some(Rect {
            y: body.bottom() - height,
            height,
            ..left
        }),
        borders: true,
    }
}
