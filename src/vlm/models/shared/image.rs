//! Image preprocessing, exactly as in the image processor of transformers, with the settings of
//! `preprocessor_config.json`.

use super::rope::merged_order;
use crate::error::{Error, ErrorKind, Result};
use crate::icon::{Picture, resize_bicubic};
use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::checkpoint::files::CheckpointFile;
use serde::Deserialize;

/// Settings for turning an image into patches.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConfig {
    pub min_pixels: u64,
    pub max_pixels: u64,
    pub patch_size: usize,
    pub temporal_patch_size: usize,
    pub merge_size: usize,
    pub rescale_factor: f32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl ImageConfig {
    /// Reads `preprocessor_config.json`, or `processor_config.json`, which has the same settings one
    /// level deeper.
    pub fn load(file: &CheckpointFile) -> Result<Self> {
        #[derive(Deserialize)]
        struct Processor {
            image_processor: Option<ImageFields>,
        }
        let fields = match file.json::<Processor>()?.image_processor {
            Some(inner) => inner,
            None => file.json()?,
        };
        fields.check().map_err(|error| error.context(file.shown()))
    }
}

/// The fields of the image processor's configuration.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ImageFields {
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    resample: Option<u32>,
    min_pixels: Option<u64>,
    max_pixels: Option<u64>,
    size: Option<SizeFields>,
    patch_size: usize,
    temporal_patch_size: usize,
    merge_size: usize,
    rescale_factor: Option<f32>,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

/// Pixel limits under their older and newer names.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct SizeFields {
    min_pixels: Option<u64>,
    max_pixels: Option<u64>,
    shortest_edge: Option<u64>,
    longest_edge: Option<u64>,
}

impl ImageFields {
    fn check(&self) -> Result<ImageConfig> {
        for (step, on) in [
            ("do_resize", self.do_resize),
            ("do_rescale", self.do_rescale),
            ("do_normalize", self.do_normalize),
        ] {
            if on == Some(false) {
                return Err(invalid(format!("{step} = false is not supported")));
            }
        }
        const BICUBIC: u32 = 3;
        if let Some(filter) = self.resample
            && filter != BICUBIC
        {
            return Err(invalid(format!(
                "resample {filter} is not supported, only bicubic (3)"
            )));
        }
        check_sizes(&[
            ("patch_size", self.patch_size),
            ("temporal_patch_size", self.temporal_patch_size),
            ("merge_size", self.merge_size),
        ])?;
        let size = self.size.as_ref();
        let least = self
            .min_pixels
            .or_else(|| size?.shortest_edge.or(size?.min_pixels));
        let most = self
            .max_pixels
            .or_else(|| size?.longest_edge.or(size?.max_pixels));
        let config = ImageConfig {
            min_pixels: least.ok_or_else(|| invalid("min_pixels is missing"))?,
            max_pixels: most.ok_or_else(|| invalid("max_pixels is missing"))?,
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge_size: self.merge_size,
            // Published files omit it; the default is for 8-bit values.
            rescale_factor: self.rescale_factor.unwrap_or(1.0 / 255.0),
            mean: self.image_mean,
            std: self.image_std,
        };
        if config.min_pixels == 0 || config.max_pixels < config.min_pixels {
            return Err(invalid(format!(
                "min_pixels {} and max_pixels {} are not a valid range",
                config.min_pixels, config.max_pixels
            )));
        }
        if config.std.iter().any(|value| !value.is_normal()) {
            return Err(invalid(
                "image_std contains zero or another invalid divisor",
            ));
        }
        Ok(config)
    }
}

const MAX_ASPECT_RATIO: u32 = 200;

/// Resizes an image and cuts it into patches of `channels * frames * patch * patch` values. The
/// patches of one token are adjacent.
pub fn patches(picture: &Picture, config: &ImageConfig) -> Result<ImagePatches> {
    let (width, height) = smart_resize(picture.width, picture.height, config)?;
    if picture.rgb.len() != picture.width as usize * picture.height as usize * 3 {
        return Err(Error::new(
            ErrorKind::Image,
            "the image data does not match its size",
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
            // A still image is repeated for every frame.
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

/// Computes the width and height to resize an image to: multiples of a merged patch, within the
/// pixel limits, with about the same aspect ratio.
pub fn smart_resize(width: u32, height: u32, config: &ImageConfig) -> Result<(u32, u32)> {
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 || f64::from(long) / f64::from(short) > f64::from(MAX_ASPECT_RATIO) {
        return Err(Error::new(
            ErrorKind::Image,
            format!(
                "an image of {width}x{height} is too narrow for the model (at most {MAX_ASPECT_RATIO} to 1)"
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
    fn sides_become_multiples_within_the_limits() {
        let size = |w, h| smart_resize(w, h, &published()).unwrap();
        assert_eq!(
            size(32, 31),
            (84, 56),
            "too few pixels: both sides are rounded up"
        );
        assert_eq!(size(64, 62), (56, 56));
        assert_eq!(size(100, 70), (112, 56), "70 / 28 rounds to the even 2");
        assert_eq!(size(1, 1), (56, 56));
        assert_eq!(size(200, 1), (812, 28));
        let (w, h) = size(20_000, 10_000);
        assert!(w * h <= 12_845_056 && w % 28 == 0 && h % 28 == 0);
    }

    #[test]
    fn extreme_aspect_ratios_are_refused() {
        let error = smart_resize(201, 1, &published()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Image);
        assert!(smart_resize(0, 5, &published()).is_err());
    }

    #[test]
    fn an_image_of_one_color_gives_equal_patches() {
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
