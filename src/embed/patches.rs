//! The first step of every vision tower: the numbers of a patch to a row.

use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{Result, Tensor};

/// Red, green and blue.
pub const CHANNELS: usize = 3;

/// A convolution whose stride is its size, which is a matrix product over flattened patches.
#[derive(Debug)]
pub struct PatchEmbedding {
    kernel: Linear,
    /// Numbers of a patch.
    numbers: usize,
    placement: Placement,
}

impl PatchEmbedding {
    /// `sizes` are the width of a row and the side of a patch.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        sizes: (usize, usize),
        bias: bool,
    ) -> Result<Self> {
        let name = format!("{name}.patch_embedding");
        let (hidden, side) = sizes;
        let numbers = CHANNELS * side * side;
        let kernel = weights.stored(&format!("{name}.weight"), &shape(sizes))?;
        let bias = match bias {
            true => Some(placement.tensor(weights, &format!("{name}.bias"), &[hidden])?),
            false => None,
        };
        Ok(Self {
            // It sees the pixels themselves and is a small part of the tower: kept exact.
            kernel: Linear::dense(kernel.reshape((hidden, numbers))?, bias, placement)?,
            numbers,
            placement: placement.clone(),
        })
    }

    /// Adds every tensor that [`Self::load`] reads.
    pub fn tensors(name: &str, sizes: (usize, usize), bias: bool, list: &mut TensorList) {
        list.patches(&format!("{name}.patch_embedding"), &shape(sizes), bias);
    }

    /// The numbers of patches, one after the other, to `(patches, hidden)`.
    pub fn forward(&self, patches: Vec<f32>) -> Result<Tensor> {
        let shape = (patches.len() / self.numbers, self.numbers);
        let pixels = Tensor::from_vec(patches, shape, &self.placement.device)?;
        self.kernel
            .forward(&pixels.to_dtype(self.placement.activations())?)
    }
}

fn shape((hidden, side): (usize, usize)) -> [usize; 4] {
    [hidden, CHANNELS, side, side]
}
