//! What the vision towers of all families have in common: their sizes, and how the patches of
//! several pictures are computed together.

use super::rope::{Place, merged_order};
use crate::error::Result;
use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::nn::linear::Placement;
use candle_core::Tensor;
use std::ops::Range;

/// The sizes of a vision tower, under the same names for all families.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    pub depth: usize,
    /// Numbers of a patch between blocks.
    pub width: usize,
    pub heads: usize,
    /// Width of the inner layer of a block's MLP.
    pub inner: usize,
    /// Width of the features given to the language model.
    pub features: usize,
    pub channels: Option<usize>,
    pub patch_size: usize,
    pub temporal_patch_size: usize,
    /// Rows and columns of patches that become one token.
    pub merge: usize,
    /// The base of the rotary frequencies.
    pub rope_theta: f64,
}

impl Sizes {
    /// Red, green and blue.
    pub const CHANNELS: usize = 3;

    /// Numbers in one flattened patch.
    pub fn patch_dim(&self) -> usize {
        Self::CHANNELS * self.temporal_patch_size * self.patch_size * self.patch_size
    }

    /// Patches that become one token.
    pub fn merge_unit(&self) -> usize {
        self.merge * self.merge
    }

    /// Numbers of the patches of one token.
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
                "a vision tower {width} wide cannot be split over {heads} heads"
            )));
        }
        match self.channels {
            Some(Self::CHANNELS) => Ok(self),
            Some(channels) => Err(invalid(format!(
                "the vision tower takes {channels} channels, not {}",
                Self::CHANNELS
            ))),
            None => Err(invalid("in_channels is missing")),
        }
    }
}

/// Pictures that are computed together.
pub struct Pictures {
    grids: Vec<Grid>,
    merge_unit: usize,
    /// `(patches, numbers of a patch)`.
    pub pixels: Tensor,
    /// Where in its frame each patch is.
    pub places: Vec<Place>,
}

impl Pictures {
    /// The patches of each picture after those of the one before. Patches of one token lie
    /// together; `order` gives the tokens of all pictures in another order.
    pub fn new(
        images: &[ImagePatches],
        sizes: &Sizes,
        placement: &Placement,
        order: Option<&[usize]>,
    ) -> candle_core::Result<Self> {
        let (merge, patch_dim) = (sizes.merge, sizes.patch_dim());
        let mut pixels = Vec::new();
        let mut places = Vec::new();
        for ImagePatches { pixels: its, grid } in images {
            let Grid { t, h, w } = *grid;
            let filled = its.len() == grid.patches() * patch_dim;
            if !h.is_multiple_of(merge) || !w.is_multiple_of(merge) || !filled {
                candle_core::bail!("patches do not fill their grid {grid:?}")
            }
            pixels.extend_from_slice(its);
            for _ in 0..t {
                places.extend(merged_order(h, w, merge));
            }
        }
        let unit = sizes.merge_unit();
        if let Some(order) = order {
            pixels = in_order(&pixels, unit * patch_dim, order);
            places = in_order(&places, unit, order);
        }
        let pixels = Tensor::from_vec(pixels, (places.len(), patch_dim), &placement.device)?;
        Ok(Self {
            grids: images.iter().map(|image| image.grid).collect(),
            merge_unit: unit,
            pixels: pixels.to_dtype(placement.activations())?,
            places,
        })
    }

    /// The rows of each frame. A frame attends to itself alone; a still picture is one frame.
    pub fn frames(&self) -> Vec<Range<usize>> {
        let grids = self.grids.iter();
        consecutive(grids.flat_map(|grid| std::iter::repeat_n(grid.h * grid.w, grid.t)))
    }

    /// The features of all tokens, in the order of the pictures, as those of each.
    pub fn split(&self, features: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let tokens = self.grids.iter().map(|g| g.patches() / self.merge_unit);
        consecutive(tokens)
            .into_iter()
            .map(|rows| features.narrow(0, rows.start, rows.len()))
            .collect()
    }
}

/// Ranges of these lengths, one after the other.
pub fn consecutive(lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut start = 0;
    let ranges = lengths.map(|length| {
        start += length;
        start - length..start
    });
    ranges.collect()
}

/// Pieces of `size`, of which place `i` gets number `order[i]`.
fn in_order<T: Copy>(all: &[T], size: usize, order: &[usize]) -> Vec<T> {
    let pieces = order.iter().map(|i| &all[i * size..(i + 1) * size]);
    pieces.flatten().copied().collect()
}
