//! The vision tower: the row of the class token, which attends to all patches, represents the image.

use super::config::VisionConfig;
use crate::embed::architecture::{self, LoadProgress};
use crate::embed::encoder::{Encoder, LayerNorm};
use crate::embed::patches::PatchEmbedding;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{DType, Result, Tensor};
use std::iter::repeat_n;

const EMBEDDINGS: &str = "vision_model.embeddings";
const CLASS: &str = "vision_model.embeddings.class_embedding";
const POSITIONS: &str = "vision_model.embeddings.position_embedding.weight";
/// Spelled like this in every checkpoint.
const BEFORE: &str = "vision_model.pre_layrnorm";
const ENCODER: &str = "vision_model.encoder";
const AFTER: &str = "vision_model.post_layernorm";
const PROJECTION: &str = "visual_projection";

#[derive(Debug)]
pub struct Tower {
    patches: PatchEmbedding,
    /// `(1, 1, hidden)`.
    class: Tensor,
    /// Positions of the class token and the patches, `(1 + patches, hidden)`.
    positions: Tensor,
    before: LayerNorm,
    encoder: Encoder,
    after: LayerNorm,
    projection: Linear,
}

impl Tower {
    /// Loads the tower, whose vectors have `width` elements.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &VisionConfig,
        width: usize,
        loaded: LoadProgress,
    ) -> Result<Self> {
        let (hidden, encoder) = (config.hidden_size, config.encoder());
        let sizes = (hidden, config.patch_size);
        let norm = |name| LayerNorm::load(weights, placement, name, hidden, encoder.eps);
        let positions = [1 + config.patches(), hidden];
        let class = placement.tensor(weights, CLASS, &[hidden])?;
        Ok(Self {
            patches: PatchEmbedding::load(weights, placement, EMBEDDINGS, sizes, false)?,
            class: class.reshape((1, 1, hidden))?,
            positions: placement.tensor(weights, POSITIONS, &positions)?,
            before: norm(BEFORE)?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            after: norm(AFTER)?,
            projection: Linear::load(weights, placement, PROJECTION, (width, hidden), false)?,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(config: &VisionConfig, width: usize, list: &mut TensorList) {
        let hidden = config.hidden_size;
        PatchEmbedding::tensors(EMBEDDINGS, (hidden, config.patch_size), false, list);
        list.add(Role::Plain, CLASS, &[hidden]);
        list.add(Role::Plain, POSITIONS, &[1 + config.patches(), hidden]);
        list.norm(BEFORE, hidden, true);
        Encoder::tensors(ENCODER, &config.encoder(), list);
        list.norm(AFTER, hidden, true);
        list.linear(PROJECTION, (width, hidden), false);
    }
}

impl architecture::VisionTower for Tower {
    fn forward(&self, patches: Vec<f32>, pictures: usize) -> Result<Tensor> {
        let (each, hidden) = self.positions.dims2()?;
        let x = self.patches.forward(patches)?;
        let x = x.reshape((pictures, each - 1, hidden))?;
        let class = self.class.broadcast_as((pictures, 1, hidden))?;
        let x = Tensor::cat(&[class, x], 1)?
            .broadcast_add(&self.positions)?
            .reshape((pictures * each, hidden))?;
        let x = self.before.forward(&x)?;
        let x = self.encoder.forward(x, repeat_n(each, pictures))?;
        let x = x.reshape((pictures, each, hidden))?;
        let class = x.narrow(1, 0, 1)?.reshape((pictures, hidden))?;
        let x = self.projection.forward(&self.after.forward(&class)?)?;
        x.to_dtype(DType::F32)
    }
}
