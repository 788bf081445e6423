//! Layout of the icon and the texts for any screen size.

use crate::tui::widgets::layout::{Frame, frame, has_borders, inner, split_bottom, split_right};
use ratatui::layout::Rect;

/// Least width for two texts side by side.
const SIDE_BY_SIDE: u16 = 96;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgingLayout {
    pub frame: Frame,
    /// Whether panes have a border or only a title.
    pub borders: bool,
    /// The pane of the icon; empty where none is shown.
    pub picture: Rect,
    /// The panes of the texts. Both are empty while the icon fills the screen; the second is empty
    /// if there is only one text.
    pub texts: [Rect; 2],
}

/// Contents of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    pub two_texts: bool,
    pub pictures: bool,
    /// The icon fills the screen.
    pub zoomed: bool,
}

pub fn layout(area: Rect, contents: Contents) -> JudgingLayout {
    let frame = frame(area);
    let body = frame.body;
    let borders = has_borders(body);
    let none = Rect::new(body.x, body.y, 0, 0);
    if contents.zoomed && contents.pictures {
        return JudgingLayout {
            frame,
            borders,
            picture: body,
            texts: [none; 2],
        };
    }
    let (picture, text) = match contents.pictures {
        true => split(body),
        false => (none, body),
    };
    let texts = match (contents.two_texts, text.width >= SIDE_BY_SIDE) {
        (false, _) => [text, none],
        (true, true) => split_right(text, text.width.div_ceil(2)).into(),
        (true, false) => split_bottom(text, text.height.div_ceil(2)).into(),
    };
    JudgingLayout {
        frame,
        borders,
        picture,
        texts,
    }
}

/// Splits the body: the icon beside the text, or above it on a tall screen. Cells are twice as high
/// as wide.
fn split(body: Rect) -> (Rect, Rect) {
    if body.height > body.width / 2 {
        return split_bottom(body, body.height - body.height * 2 / 5);
    }
    let width = match body.width {
        0..64 => body.width * 2 / 5,
        width => (width * 2 / 5).min(body.height * 2 + 4).min(72),
    };
    split_right(body, body.width - width)
}

impl JudgingLayout {
    /// The area inside the picture pane.
    pub fn icon(&self) -> Rect {
        inner(self.picture, self.borders)
    }

    /// The area inside a text pane.
    pub fn text(&self, pane: usize) -> Rect {
        inner(self.texts[pane], self.borders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_share_the_body_at_any_size() {
        for (width, height) in [(40, 10), (80, 24), (120, 40), (200, 60), (60, 50)] {
            for two_texts in [false, true] {
                for pictures in [false, true] {
                    let contents = Contents {
                        two_texts,
                        pictures,
                        zoomed: false,
                    };
                    let placed = layout(Rect::new(0, 0, width, height), contents);
                    let [first, second] = placed.texts;
                    let panes = [placed.picture, first, second];
                    let cells: u32 = panes.iter().map(|pane| pane.area()).sum();
                    assert_eq!(
                        cells,
                        placed.frame.body.area(),
                        "{width}x{height} {contents:?}"
                    );
                    assert_eq!(placed.picture.area() > 0, pictures);
                    assert!(!first.intersects(second) && !first.intersects(placed.picture));
                    assert!(placed.text(0).width >= 20 && placed.text(0).height >= 3);
                }
            }
        }
    }

    #[test]
    fn a_zoomed_icon_fills_the_body() {
        let contents = Contents {
            two_texts: true,
            pictures: true,
            zoomed: true,
        };
        let placed = layout(Rect::new(0, 0, 40, 10), contents);
        assert_eq!(placed.picture, placed.frame.body);
        assert_eq!(placed.icon().as_size(), (40, 7).into());
    }
}
