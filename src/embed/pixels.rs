//! Pictures to patches, as SigLIP's image processor of transformers prepares them.

use super::config::VisionConfig;
use crate::error::Result;
use crate::icon::{Filter, Picture, resize};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::invalid;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Processor {
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    do_center_crop: Option<bool>,
    size: Option<Size>,
    resample: Option<u32>,
    rescale_factor: f64,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

impl Default for Processor {
    fn default() -> Self {
        Self {
            do_resize: None,
            do_rescale: None,
            do_normalize: None,
            do_center_crop: None,
            size: None,
            resample: None,
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.5; 3],
            image_std: [0.5; 3],
        }
    }
}

/// Both sides; another way to name a size is none of SigLIP's.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Size {
    height: u32,
    width: u32,
}

/// What becomes of a picture before the vision tower.
#[derive(Debug, Clone)]
pub struct Pixels {
    filter: Filter,
    side: u32,
    patch: usize,
    /// The number that each of the 256 levels of a channel becomes.
    levels: [[f32; 256]; 3],
}

impl Pixels {
    /// Reads `preprocessor_config.json`.
    ///
    /// # Errors
    /// A file that asks for what is not done here, or for another size than the tower's.
    pub fn open(files: &CheckpointFiles, config: &VisionConfig) -> Result<Self> {
        /// `processor_config.json` holds the same one level down.
        #[derive(Deserialize)]
        struct Outer {
            image_processor: Option<Processor>,
        }
        let file = &files.preprocessor_config;
        let processor = match file.json::<Outer>()?.image_processor {
            Some(inner) => inner,
            None => file.json()?,
        };
        Self::new(&processor, config).map_err(|error| error.context(file.shown()))
    }

    fn new(processor: &Processor, config: &VisionConfig) -> Result<Self> {
        let side = config.image_size as u32;
        if processor.do_resize == Some(false) || processor.do_center_crop == Some(true) {
            return Err(invalid(
                "only images that are resized to the tower's size are supported: do_resize, and \
                 no do_center_crop",
            ));
        }
        if let Some(Size { height, width }) = processor.size
            && (height, width) != (side, side)
        {
            return Err(invalid(format!(
                "images are resized to {width}x{height}, and config.json has an image_size of {side}"
            )));
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
            _ => processor.rescale_factor,
        };
        let is_normalized = processor.do_normalize != Some(false);
        let level = |channel: usize, level: usize| {
            let value = (level as f64 * factor) as f32;
            match is_normalized {
                true => (value - processor.image_mean[channel]) / processor.image_std[channel],
                false => value,
            }
        };
        if processor.image_std.contains(&0.0) {
            return Err(invalid("image_std is 0"));
        }
        Ok(Self {
            filter,
            side,
            patch: config.patch_size,
            levels: [0, 1, 2].map(|channel| std::array::from_fn(|at| level(channel, at))),
        })
    }

    /// How many patches a picture has.
    pub fn patches(&self) -> usize {
        (self.side as usize / self.patch).pow(2)
    }

    /// Appends the patches of a picture to `out`: row by row, a patch channel by channel.
    pub fn append(&self, picture: &Picture, out: &mut Vec<f32>) {
        let resized = resize(picture, self.side, self.side, self.filter);
        let row = self.side as usize * 3;
        let side = self.side as usize / self.patch;
        for top in (0..side).map(|at| at * self.patch) {
            for left in (0..side).map(|at| at * self.patch) {
                for (channel, levels) in self.levels.iter().enumerate() {
                    for y in top..top + self.patch {
                        let pixels = &resized.rgb[y * row + left * 3..][..self.patch * 3];
                        let pixels = pixels.chunks_exact(3);
                        out.extend(pixels.map(|pixel| levels[usize::from(pixel[channel])]));
                    }
                }
            }
        }
    }
}
