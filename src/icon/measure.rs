//! What the program computes of every icon once.

use super::Icon;
use super::family::Drawing;
use super::palette::palette;
use crate::record::ColorHistogram;

/// What one look at an icon's pixels finds: its colors, and its drawing without them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    pub colors: ColorHistogram,
    /// `None` where the outline tells nothing of the drawing.
    pub drawing: Option<Drawing>,
}

pub fn measure(icon: &Icon) -> Measured {
    Measured {
        colors: palette(icon).histogram,
        drawing: Drawing::of(icon),
    }
}
