//! Measurements that are computed once for every icon.

use super::Icon;
use super::family::Drawing;
use super::palette::palette;
use crate::record::ColorHistogram;

/// Colors of an icon, and its drawing without them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    pub colors: ColorHistogram,
    /// `None` if the outline does not identify the drawing.
    pub drawing: Option<Drawing>,
}

pub fn measure(icon: &Icon) -> Measured {
    Measured {
        colors: palette(icon).histogram,
        drawing: Drawing::of(icon),
    }
}
