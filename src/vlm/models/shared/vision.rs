//! Sizes and image batches of the vision towers of all families.

use super::rope::{PatchPosition, merged_order};
use crate::error::Result;
use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::nn::linear::Placement;
use candle_core::Tensor;
use std::ops::Range;

/// The sizes of a vision tower, with the same names for all families.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    pub depth: usize,
    /// Hidden size of the blocks.
    pub width: usize,
    pub heads: usize,
    /// Width of the MLP's intermediate layer.
    pub inner: usize,
    /// Width of the features for the language model.
    pub features: usize,
    pub channels: Option<usize>,
    pub patch_size: usize,
    pub temporal_patch_size: usize,
    /// A token is `merge * merge` patches.
    pub merge: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
}

impl Sizes {
    /// Red, green and blue.
    pub const CHANNELS: usize = 3;

    /// Length of a flattened patch.
    pub fn patch_dim(&self) -> usize {
        Self::CHANNELS * self.temporal_patch_size * self.patch_size * self.patch_size
    }

    /// Number of patches per token.
    pub fn merge_unit(&self) -> usize {
        self.merge * self.merge
    }

    /// Total width of the patches of one token.
    pub fn merged(&self) -> usize {
        self.width * self.merge_unit()
    }

    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }

    pub fn checked(self) -> Result<Self> {
        check_sizes(&[
            ("vision depth", self.depth),
            ("vision width", self.width),
            ("vision num_heads", self.heads),
            ("width of the vision MLP", self.inner),
            ("width of the vision features", self.features),
            ("patch_size", self.patch_size),
            ("spatial_merge_size", self.merge),
            ("temporal_patch_size", self.temporal_patch_size),
        ])?;
        let (width, heads) = (self.width, self.heads);
        if !width.is_multiple_of(heads) || !self.head_dim().is_multiple_of(4) {
            return Err(invalid(format!(
                "the vision width {width} cannot be split into {heads} heads"
            )));
        }
        match self.channels {
            Some(Self::CHANNELS) => Ok(self),
            Some(channels) => Err(invalid(format!(
                "the vision tower expects {channels} channels, not {}",
                Self::CHANNELS
            ))),
            None => Err(invalid("in_channels is missing")),
        }
    }
}

/// Images that are computed together.
pub struct ImageBatch {
    grids: Vec<Grid>,
    merge_unit: usize,
    /// `(patches, values per patch)`.
    pub pixels: Tensor,
    /// The position of each patch in its frame.
    pub positions: Vec<PatchPosition>,
}

impl ImageBatch {
    /// Concatenates the patches of all images. Patches of one token are adjacent; `order` reorders
    /// the tokens of all images.
    pub fn new(
        images: &[ImagePatches],
        sizes: &Sizes,
        placement: &Placement,
        order: Option<&[usize]>,
    ) -> candle_core::Result<Self> {
        let (merge, patch_dim) = (sizes.merge, sizes.patch_dim());
        let mut pixels = Vec::new();
        let mut positions = Vec::new();
        for image in images {
            let grid = image.grid;
            let Grid { t, h, w } = grid;
            let filled = image.pixels.len() == grid.patches() * patch_dim;
            if !h.is_multiple_of(merge) || !w.is_multiple_of(merge) || !filled {
                candle_core::bail!("patches do not fill their grid {grid:?}")
            }
            pixels.extend_from_slice(&image.pixels);
            for _ in 0..t {
                positions.extend(merged_order(h, w, merge));
            }
        }
        let unit = sizes.merge_unit();
        if let Some(order) = order {
            pixels = reorder(&pixels, unit * patch_dim, order);
            positions = reorder(&positions, unit, order);
        }
        let pixels = Tensor::from_vec(pixels, (positions.len(), patch_dim), &placement.device)?;
        Ok(Self {
            grids: images.iter().map(|image| image.grid).collect(),
            merge_unit: unit,
            pixels: pixels.to_dtype(placement.activations())?,
            positions,
        })
    }

    /// The rows of each frame. Frames attend only to themselves; a still image is one frame.
    pub fn frames(&self) -> Vec<Range<usize>> {
        let grids = self.grids.iter();
        consecutive(grids.flat_map(|grid| std::iter::repeat_n(grid.h * grid.w, grid.t)))
    }

    /// Splits the features of all tokens, in image order, by image.
    pub fn split(&self, features: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let tokens = self.grids.iter().map(|g| g.patches() / self.merge_unit);
        consecutive(tokens)
            .into_iter()
            .map(|rows| features.narrow(0, rows.start, rows.len()))
            .collect()
    }
}

/// Consecutive ranges of these lengths.
pub fn consecutive(lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut start = 0;
    let ranges = lengths.map(|length| {
        start += length;
        start - length..start
    });
    ranges.collect()
}

/// Reorders pieces of `size` elements: piece `i` of the result is piece `order[i]` of `all`.
fn reorder<T: Copy>(all: &[T], size: usize, order: &[usize]) -> Vec<T> {
    let pieces = order.iter().map(|i| &all[i * size..(i + 1) * size]);
    pieces.flatten().copied().collect()
}
