//! How a terminal shows pictures, and an icon made ready for it.

use image::{DynamicImage, RgbaImage};
use ratatui::layout::Size;
use ratatui_image::picker::{Picker, ProtocolType};
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::{FontSize, Resize};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a terminal can show.
#[derive(Debug, Clone)]
pub struct Graphics {
    pub picker: Picker,
    /// Whether the terminal accepts zlib-compressed images over the kitty protocol.
    pub accepts_zlib: bool,
}

impl Graphics {
    pub fn new(picker: Picker) -> Self {
        Self {
            picker,
            accepts_zlib: false,
        }
    }

    /// Whether it shows pixels smaller than half a cell.
    pub fn draws_pixels(&self) -> bool {
        self.picker.protocol_type() != ProtocolType::Halfblocks
    }

    /// Pixels of a cell; half blocks have two, one above the other.
    pub fn cell(&self) -> FontSize {
        match self.draws_pixels() {
            true => self.picker.font_size(),
            false => FontSize::new(1, 2),
        }
    }

    /// An image of whole cells as the terminal takes it, and the cells.
    pub fn encode(&self, image: RgbaImage) -> Result<Protocol, String> {
        let cell = self.cell();
        let size = Size::new(
            (image.width() / u32::from(cell.width)) as u16,
            (image.height() / u32::from(cell.height)) as u16,
        );
        let image = if self.draws_pixels() {
            image
        } else {
            // Half blocks are sampled down from the picker's nominal cell.
            let font = self.picker.font_size();
            image::imageops::resize(
                &image,
                u32::from(size.width) * u32::from(font.width),
                u32::from(size.height) * u32::from(font.height),
                image::imageops::FilterType::Nearest,
            )
        };
        let image = DynamicImage::ImageRgba8(image);
        if self.accepts_zlib && self.picker.protocol_type() == ProtocolType::Kitty {
            let in_tmux = self.picker.tmux_detected();
            let kitty = Kitty::new(image, size, next_id(), in_tmux, true);
            return kitty
                .map(Protocol::Kitty)
                .map_err(|error| error.to_string());
        }
        self.picker
            .new_protocol(image, size, Resize::Fit(None))
            .map_err(|error| error.to_string())
    }
}

/// A number for a picture that the terminal keeps. They begin apart in each run: what an earlier one
/// has left in the terminal is not overwritten while it is on screen.
fn next_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    without_zeros(count.wrapping_add(std::process::id() << 12))
}

/// Another number for each, of four bytes none of which is zero: some terminals leave out a leading
/// one.
fn without_zeros(number: u32) -> u32 {
    let mut rest = number;
    let bytes = [(); 4].map(|()| {
        let byte = 1 + (rest % 255) as u8;
        rest /= 255;
        byte
    });
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_pictures_share_a_number() {
        let first = 4711 << 12;
        let ids: BTreeSet<u32> = (first..first + 70_000).map(without_zeros).collect();
        assert_eq!(ids.len(), 70_000);
        assert!(ids.iter().all(|id| !id.to_le_bytes().contains(&0)));
        assert_ne!(next_id(), next_id());
    }
}
