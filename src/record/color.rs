//! What an icon's opaque pixels look like, in plain numbers that the rules and the screen share.

use serde::{Deserialize, Serialize};

/// The colours of the opaque pixels, gathered into bins of a perceptual space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColorHistogram {
    /// How many pixels were counted; transparent ones are left out.
    pub opaque: u32,
    /// OKLab centre (`[l, a, b]`, `l` in 0-1) and share of the opaque pixels (0-1), most first.
    pub bins: Vec<([f32; 3], f32)>,
}
