//! Graphics capabilities of the terminal, and encoding of images for it.

use image::{DynamicImage, RgbaImage};
use ratatui::layout::Size;
use ratatui_image::picker::{Picker, ProtocolType};
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::{FontSize, Resize};
use std::sync::atomic::{AtomicU32, Ordering};

/// Graphics capabilities of the terminal.
#[derive(Debug, Clone)]
pub struct Graphics {
    pub picker: Picker,
    /// Whether the terminal accepts zlib-compressed images over the kitty protocol.
    pub accepts_zlib: bool,
}

impl Graphics {
    #[cfg(test)]
    pub fn new(picker: Picker) -> Self {
        Self {
            picker,
            accepts_zlib: false,
        }
    }

    /// Whether the terminal draws real pixels instead of half blocks.
    pub fn draws_pixels(&self) -> bool {
        self.picker.protocol_type() != ProtocolType::Halfblocks
    }

    /// Size of a cell in pixels. A cell of half blocks has two pixels, one above the other.
    pub fn cell(&self) -> FontSize {
        match self.draws_pixels() {
            true => self.picker.font_size(),
            false => FontSize::new(1, 2),
        }
    }

    /// Encodes an image that fills whole cells.
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

/// A new image id. Each run starts at a different id, so that it does not overwrite images that an
/// earlier run left on screen.
fn next_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    without_zeros(count.wrapping_add(std::process::id() << 12))
}

/// Maps each number to a unique id without zero bytes, because some terminals drop a leading zero
/// byte.
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
    fn image_ids_are_unique_and_have_no_zero_byte() {
        let first = 4711 << 12;
        let ids: BTreeSet<u32> = (first..first + 70_000).map(without_zeros).collect();
        assert_eq!(ids.len(), 70_000);
        assert!(ids.iter().all(|id| !id.to_le_bytes().contains(&0)));
        assert_ne!(next_id(), next_id());
    }
}
