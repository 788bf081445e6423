//! Renders an icon for the model, and enlarges it by whole factors for the screen.

use super::{Icon, MAX_PIXELS, Picture, resize_bicubic};
use crate::record::Background;

/// Composites an icon over a background (or drops its alpha) and enlarges the result with Pillow's
/// bicubic filter. The factor is lowered if the picture would exceed [`MAX_PIXELS`]; the model's own
/// resize would shrink such a picture anyway.
pub fn picture(icon: &Icon, upscale: u32, background: Background) -> Picture {
    let flat = flatten(icon, background);
    let area = u64::from(icon.width) * u64::from(icon.height);
    let factor = (1..=upscale.max(1))
        .rev()
        .find(|&factor| area * u64::from(factor).pow(2) <= MAX_PIXELS)
        .unwrap_or(1);
    resize_bicubic(&flat, icon.width * factor, icon.height * factor)
}

/// Enlarges by a whole factor without smoothing, so that pixel art stays sharp.
pub fn scale_nearest(icon: &Icon, factor: u32) -> Icon {
    let factor = factor.max(1) as usize;
    let row_bytes = icon.width as usize * 4;
    let mut rgba = Vec::with_capacity(icon.rgba.len() * factor * factor);
    for row in icon.rgba.chunks_exact(row_bytes.max(1)) {
        let start = rgba.len();
        for pixel in row.chunks_exact(4) {
            for _ in 0..factor {
                rgba.extend_from_slice(pixel);
            }
        }
        let end = rgba.len();
        for _ in 1..factor {
            rgba.extend_from_within(start..end);
        }
    }
    Icon {
        width: icon.width * factor as u32,
        height: icon.height * factor as u32,
        rgba,
    }
}

fn flatten(icon: &Icon, background: Background) -> Picture {
    let behind = match background {
        Background::White => Some(255),
        Background::Black => Some(0),
        Background::None => None,
    };
    let mut rgb = Vec::with_capacity(icon.rgba.len() / 4 * 3);
    for &[r, g, b, a] in icon.rgba.as_chunks::<4>().0 {
        rgb.extend([r, g, b].map(|value| match behind {
            None => value,
            Some(behind) => mix(value, behind, a),
        }));
    }
    Picture {
        width: icon.width,
        height: icon.height,
        rgb,
    }
}

/// Blends `value` over `behind`, rounded to the nearest integer.
fn mix(value: u8, behind: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = u32::from(value) * alpha + u32::from(behind) * (255 - alpha);
    ((sum + 127) / 255) as u8
}
