//! Layout of the lists, the words and the examples for any size.

use ratatui::layout::{Rect, Size};

/// Smallest width with the lists beside the words instead of above them.
const WIDE: u16 = 60;
/// Smallest width with a column of examples.
const WITH_EXAMPLES: u16 = 100;
/// Size of an example in cells.
pub const TILE: Size = Size::new(12, 6);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordsLayout {
    /// The names of the lists: a column, or a line.
    pub lists: Rect,
    pub words: Rect,
    /// Icons with names; has no width where there is no room.
    pub examples: Rect,
    /// The names of the examples, where there is no room for their icons.
    pub names: Rect,
    /// The result of the latest audit; has no height where there is no room.
    pub audit: Rect,
}

pub fn layout(inner: Rect) -> WordsLayout {
    let lines = match inner.height {
        0..12 => 0,
        12..30 => 1,
        _ => 3,
    };
    let above = Rect {
        height: inner.height - lines,
        ..inner
    };
    WordsLayout {
        audit: Rect {
            y: above.bottom(),
            height: lines,
            ..inner
        },
        ..lists_and_words(above)
    }
}

fn lists_and_words(inner: Rect) -> WordsLayout {
    let none = Rect::new(inner.x, inner.bottom(), 0, 0);
    if inner.width < WIDE {
        let line = inner.height.min(1);
        return WordsLayout {
            lists: Rect {
                height: line,
                ..inner
            },
            words: Rect {
                y: inner.y + line,
                height: inner.height - line,
                ..inner
            },
            examples: none,
            names: none,
            audit: none,
        };
    }
    let lists = Rect { width: 18, ..inner };
    let right = if inner.width >= WITH_EXAMPLES { 34 } else { 0 };
    let words = Rect {
        x: inner.x + lists.width,
        width: inner.width - lists.width - right,
        ..inner
    };
    let examples = Rect {
        x: words.right() + u16::from(right > 0),
        width: right.saturating_sub(1),
        ..inner
    };
    if right > 0 || inner.height < 8 {
        return WordsLayout {
            lists,
            words,
            examples,
            names: none,
            audit: none,
        };
    }
    WordsLayout {
        lists,
        words: Rect {
            height: inner.height - 1,
            ..words
        },
        examples,
        names: Rect {
            y: inner.bottom() - 1,
            height: 1,
            ..words
        },
        audit: none,
    }
}
