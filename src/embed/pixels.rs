//! Image preprocessing, as in the image processors of transformers.

use super::patches::CHANNELS;
use crate::error::Result;
use crate::icon::{Filter, Picture, Window, resize_window};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use serde::Deserialize;
use std::fmt::{self, Display, Formatter};

/// Limit for `image_size` and for `shortest_edge`.
const MAX_SIDE: usize = 1024;

/// A tower's input size and the defaults of its preprocessing.
#[derive(Debug, Clone, Copy)]
pub struct PixelSpec {
    pub side: usize,
    pub patch: usize,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// Whether an image keeps its aspect ratio and is center-cropped to a square.
    pub is_cropped: bool,
}

/// Number of patches of a square image.
pub fn patches(side: usize, patch: usize) -> usize {
    (side / patch).pow(2)
}

/// Checks `vision_config`.
pub fn check(channels: usize, side: usize, patch: usize) -> Result<()> {
    check_sizes(&[
        ("vision_config.image_size", side),
        ("vision_config.patch_size", patch),
    ])?;
    if channels != CHANNELS {
        return Err(invalid(format!("vision_config.num_channels is {channels}")));
    }
    if side < patch || side > MAX_SIDE {
        return Err(invalid(format!(
            "vision_config.image_size is {side}, with patches of {patch}"
        )));
    }
    Ok(())
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Processor {
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    do_center_crop: Option<bool>,
    size: Option<Size>,
    crop_size: Option<Size>,
    resample: Option<u32>,
    rescale_factor: Option<f64>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "a size is a number, a shortest_edge, or height and width"
)]
enum Size {
    /// Both sides, or the shorter one if the aspect ratio is kept.
    Number(usize),
    Shortest {
        shortest_edge: usize,
    },
    Sides {
        height: usize,
        width: usize,
    },
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Shortest { shortest_edge } => write!(f, "a shortest_edge of {shortest_edge}"),
            Self::Sides { height, width } => write!(f, "{width}x{height}"),
        }
    }
}

/// The size after resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resized {
    Square,
    /// Length of the shorter side; the aspect ratio is kept.
    Shortest(u32),
}

/// Preprocesses images for a vision tower.
#[derive(Debug, Clone)]
pub struct Pixels {
    filter: Filter,
    resized: Resized,
    side: u32,
    patch: usize,
    /// The normalized value of each of the 256 levels of a channel.
    levels: [[f32; 256]; 3],
}

impl Pixels {
    /// Reads `preprocessor_config.json`.
    ///
    /// # Errors
    /// If the file requires unsupported preprocessing or another size than the tower's.
    pub fn open(files: &CheckpointFiles, spec: &PixelSpec) -> Result<Self> {
        /// `processor_config.json` has the same settings one level deeper.
        #[derive(Deserialize)]
        struct Outer {
            image_processor: Option<Processor>,
        }
        let file = &files.preprocessor_config;
        let processor = match file.json::<Outer>()?.image_processor {
            Some(inner) => inner,
            None => file.json()?,
        };
        Self::new(&processor, spec).map_err(|error| error.context(file.shown()))
    }

    fn new(processor: &Processor, spec: &PixelSpec) -> Result<Self> {
        let side = spec.side;
        if processor.do_resize == Some(false) {
            return Err(invalid("do_resize = false is not supported"));
        }
        let resized = match processor.size {
            Some(Size::Sides { height, width }) if (height, width) == (side, side) => {
                Resized::Square
            }
            Some(Size::Number(number)) if !spec.is_cropped && number == side => Resized::Square,
            None if !spec.is_cropped => Resized::Square,
            Some(
                Size::Shortest {
                    shortest_edge: edge,
                }
                | Size::Number(edge),
            ) if spec.is_cropped && (side..=MAX_SIDE).contains(&edge) => {
                Resized::Shortest(edge as u32)
            }
            None => Resized::Shortest(side as u32),
            Some(other) => {
                return Err(invalid(format!(
                    "images are resized to {other}, but config.json has an image_size of {side}"
                )));
            }
        };
        let is_cropped = processor.do_center_crop.unwrap_or(spec.is_cropped);
        let crop = match processor.crop_size {
            Some(Size::Number(number)) => (number, number),
            Some(Size::Sides { height, width }) => (height, width),
            _ => (side, side),
        };
        if is_cropped && crop != (side, side) {
            return Err(invalid(format!(
                "images are cropped to {}x{}, but config.json has an image_size of {side}",
                crop.1, crop.0
            )));
        }
        if !is_cropped && resized != Resized::Square {
            return Err(invalid(
                "images keep their aspect ratio without a crop to a square, which is not supported",
            ));
        }
        let filter = match processor.resample {
            Some(2) => Filter::Bilinear,
            Some(3) | None => Filter::Bicubic,
            Some(other) => {
                return Err(invalid(format!(
                    "resample is {other}; only 2 (bilinear) and 3 (bicubic) are supported"
                )));
            }
        };
        let factor = match processor.do_rescale {
            Some(false) => 1.0,
            _ => processor.rescale_factor.unwrap_or(1.0 / 255.0),
        };
        let is_normalized = processor.do_normalize != Some(false);
        let mean = processor.image_mean.unwrap_or(spec.mean);
        let std = processor.image_std.unwrap_or(spec.std);
        if std.contains(&0.0) {
            return Err(invalid("image_std is 0"));
        }
        let level = |channel: usize, level: usize| {
            let value = (level as f64 * factor) as f32;
            match is_normalized {
                true => (value - mean[channel]) / std[channel],
                false => value,
            }
        };
        Ok(Self {
            filter,
            resized,
            side: side as u32,
            patch: spec.patch,
            levels: [0, 1, 2].map(|channel| std::array::from_fn(|at| level(channel, at))),
        })
    }

    /// Number of patches per image.
    pub fn patches(&self) -> usize {
        patches(self.side as usize, self.patch)
    }

    /// Number of values in the patches of an image.
    pub fn numbers(&self) -> usize {
        self.patches() * CHANNELS * self.patch * self.patch
    }

    /// Writes the patches of an image, [`Self::numbers`] values: row by row, each patch channel by
    /// channel.
    pub fn prepare(&self, picture: &Picture, out: &mut [f32]) {
        let resized = self.resize(picture);
        let row = self.side as usize * 3;
        let side = self.side as usize / self.patch;
        let mut lines = out.chunks_exact_mut(self.patch);
        for top in (0..side).map(|at| at * self.patch) {
            for left in (0..side).map(|at| at * self.patch) {
                for (channel, levels) in self.levels.iter().enumerate() {
                    for (y, line) in (top..top + self.patch).zip(lines.by_ref()) {
                        let pixels = resized.rgb[y * row + left * 3..].chunks_exact(3);
                        for (out, pixel) in line.iter_mut().zip(pixels) {
                            *out = levels[usize::from(pixel[channel])];
                        }
                    }
                }
            }
        }
    }

    /// Resizes and crops an image to the tower's input size.
    fn resize(&self, picture: &Picture) -> Picture {
        let side = self.side;
        let (width, height) = match self.resized {
            Resized::Square => (side, side),
            Resized::Shortest(edge) => {
                let (long, short) = (
                    picture.width.max(picture.height),
                    picture.width.min(picture.height).max(1),
                );
                let other = (u64::from(edge) * u64::from(long) / u64::from(short)) as u32;
                match picture.width <= picture.height {
                    true => (edge, other),
                    false => (other, edge),
                }
            }
        };
        let window = Window {
            left: (width - side) / 2,
            top: (height - side) / 2,
            width: side,
            height: side,
        };
        resize_window(picture, (width, height), window, self.filter)
    }
}
