//! Image processing: decodes files into the pixels and color statistics that the model, the rules
//! and the screen use.

mod decode;
mod family;
mod measure;
mod palette;
mod picture;
mod recolor;
mod resize;
mod webp;

pub use crate::source::MAX_FILE_BYTES;
pub use decode::{MAX_PIXELS, MAX_SIDE, decode, extension, to_png};
pub use family::{Drawing, Edges};
pub use measure::{Measured, measure};
pub use palette::{Palette, Swatch, palette};
pub use picture::{picture, scale_nearest};
pub use recolor::recolor;
pub use resize::{Filter, Window, resize, resize_bicubic, resize_window};

use crate::record::Background;
use crate::text::hex;
use sha2::{Digest, Sha256};

/// How the model sees icons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IconOptions {
    pub upscale: u32,
    pub background: Background,
    pub with_image: bool,
}

/// A decoded image: 8 bits per channel, row by row, alpha not premultiplied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icon {
    pub width: u32,
    pub height: u32,
    /// `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}

/// RGB pixels, 8 bits per channel, row by row. The input of the model's own resize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// SHA-256 of a file's bytes in lower-case hex. Images with the same hash are one group.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
