//! The patch embedding, the first layer of every vision tower.

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
    /// Values per patch.
    numbers: usize,
    placement: Placement,
}

impl PatchEmbedding {
    /// `sizes` are the hidden size and the side of a patch.
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
            // Never quantized: it sees the raw pixels and is a small part of the tower.
            kernel: Linear::dense(kernel.reshape((hidden, numbers))?, bias, placement)?,
            numbers,
            placement: placement.clone(),
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(name: &str, sizes: (usize, usize), bias: bool, list: &mut TensorList) {
        list.patches(&format!("{name}.patch_embedding"), &shape(sizes), bias);
    }

    /// Embeds concatenated patches to `(patches, hidden)`.
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
