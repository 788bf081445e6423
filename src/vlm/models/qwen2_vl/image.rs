//! Preprocessing of pictures, number for number as in the reference's image processor.

use super::config::ImageConfig;
use super::rope::merged_order;
use crate::error::{Error, ErrorKind, Result};
use crate::icon::{Picture, resize_bicubic};
use crate::vlm::architecture::{Grid, ImagePatches};

const LARGEST_RATIO: u32 = 200;

/// Resizes a picture and cuts it into patches of `channels * frames * patch * patch` numbers. The
/// patches of one token lie together.
pub fn patches(picture: &Picture, config: &ImageConfig) -> Result<ImagePatches> {
    let (width, height) = smart_resize(picture.width, picture.height, config)?;
    if picture.rgb.len() != picture.width as usize * picture.height as usize * 3 {
        return Err(Error::new(
            ErrorKind::Image,
            "the image does not fill its size",
        ));
    }
    let rgb = resize_bicubic(picture, width, height).rgb;
    let (patch, merge) = (config.patch_size, config.merge_size);
    let (width, height) = (width as usize, height as usize);
    let grid = Grid {
        t: 1,
        h: height / patch,
        w: width / patch,
    };
    let mut pixels = Vec::with_capacity(width * height * 3 * config.temporal_patch_size);
    for (row, column) in merged_order(grid.h, grid.w, merge) {
        for channel in 0..3 {
            let (mean, std) = (config.mean[channel], config.std[channel]);
            // A still picture is every frame of its patch.
            for _ in 0..config.temporal_patch_size {
                for y in row * patch..(row + 1) * patch {
                    let line = &rgb[y * width * 3..(y + 1) * width * 3];
                    let part = &line[column * patch * 3..(column + 1) * patch * 3];
                    let values = part.iter().skip(channel).step_by(3);
                    pixels.extend(
                        values
                            .map(|value| (f32::from(*value) * config.rescale_factor - mean) / std),
                    );
                }
            }
        }
    }
    Ok(ImagePatches { pixels, grid })
}

/// The width and height that a picture is resized to: multiples of a merged patch, a number of
/// pixels within the bounds, and about the same shape.
pub fn smart_resize(width: u32, height: u32, config: &ImageConfig) -> Result<(u32, u32)> {
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 || f64::from(long) / f64::from(short) > f64::from(LARGEST_RATIO) {
        return Err(Error::new(
            ErrorKind::Image,
            format!(
                "an image of {width}x{height} is too narrow for the model (at most {LARGEST_RATIO} to 1)"
            ),
        ));
    }
    let factor = (config.patch_size * config.merge_size) as f64;
    let (w, h) = (f64::from(width), f64::from(height));
    let (least, most) = (config.min_pixels as f64, config.max_pixels as f64);
    let mut wide = (w / factor).round_ties_even() * factor;
    let mut high = (h / factor).round_ties_even() * factor;
    if wide * high > most {
        let beta = (w * h / most).sqrt();
        wide = ((w / beta / factor).floor() * factor).max(factor);
        high = ((h / beta / factor).floor() * factor).max(factor);
    } else if wide * high < least {
        let beta = (least / (w * h)).sqrt();
        wide = (w * beta / factor).ceil() * factor;
        high = (h * beta / factor).ceil() * factor;
    }
    Ok((wide as u32, high as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> ImageConfig {
        ImageConfig {
            min_pixels: 3136,
            max_pixels: 12_845_056,
            patch_size: 14,
            temporal_patch_size: 2,
            merge_size: 2,
            rescale_factor: 1.0 / 255.0,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }

    #[test]
    fn sides_become_multiples_within_the_bounds() {
        let size = |w, h| smart_resize(w, h, &published()).unwrap();
        assert_eq!(
            size(32, 31),
            (84, 56),
            "too few pixels: both sides are rounded up"
        );
        assert_eq!(size(64, 62), (56, 56));
        assert_eq!(size(100, 70), (112, 56), "70 / 28 is rounded to the even 2");
        assert_eq!(size(1, 1), (56, 56));
        assert_eq!(size(200, 1), (812, 28));
        let (w, h) = size(20_000, 10_000);
        assert!(w * h <= 12_845_056 && w % 28 == 0 && h % 28 == 0);
    }

    #[test]
    fn a_sliver_is_refused() {
        let error = smart_resize(201, 1, &published()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Image);
        assert!(smart_resize(0, 5, &published()).is_err());
    }

    #[test]
    fn a_picture_of_one_color_gives_equal_patches() {
        let picture = Picture {
            width: 30,
            height: 20,
            rgb: [255, 0, 0].repeat(600),
        };
        let patches = patches(&picture, &published()).unwrap();
        assert_eq!(patches.pixels.len(), patches.grid.patches() * 1176);
        for patch in patches.pixels.chunks(1176) {
            assert!(patch[..392].iter().all(|value| *value == 1.0));
            assert!(patch[392..].iter().all(|value| *value == -1.0));
        }
    }
}
