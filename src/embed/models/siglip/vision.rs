//! The vision tower: an image's patches, pooled by a learned query that attends to them.

use super::config::VisionConfig;
use crate::embed::architecture::{self, LoadProgress};
use crate::embed::encoder::{Encoder, LayerNorm, Mlp};
use crate::embed::patches::PatchEmbedding;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{D, DType, Result, Tensor};
use std::iter::repeat_n;

const EMBEDDINGS: &str = "vision_model.embeddings";
const POSITIONS: &str = "vision_model.embeddings.position_embedding.weight";
const ENCODER: &str = "vision_model.encoder";
const NORM: &str = "vision_model.post_layernorm";
const HEAD: &str = "vision_model.head";

#[derive(Debug)]
pub struct Tower {
    patches: PatchEmbedding,
    /// `(patches, hidden)`.
    positions: Tensor,
    encoder: Encoder,
    norm: LayerNorm,
    head: PoolingHead,
}

impl Tower {
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &VisionConfig,
        loaded: LoadProgress,
    ) -> Result<Self> {
        let (hidden, encoder) = (config.hidden_size, config.encoder());
        let patches = PatchEmbedding::load(
            weights,
            placement,
            EMBEDDINGS,
            (hidden, config.patch_size),
            true,
        )?;
        Ok(Self {
            patches,
            positions: placement.tensor(weights, POSITIONS, &[config.patches(), hidden])?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, NORM, hidden, encoder.eps)?,
            head: PoolingHead::load(weights, placement, config)?,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(config: &VisionConfig, list: &mut TensorList) {
        let hidden = config.hidden_size;
        PatchEmbedding::tensors(EMBEDDINGS, (hidden, config.patch_size), true, list);
        list.add(Role::Plain, POSITIONS, &[config.patches(), hidden]);
        Encoder::tensors(ENCODER, &config.encoder(), list);
        list.norm(NORM, hidden, true);
        PoolingHead::tensors(config, list);
    }
}

impl architecture::VisionTower for Tower {
    fn forward(&self, patches: Vec<f32>, pictures: usize) -> Result<Tensor> {
        let (each, hidden) = self.positions.dims2()?;
        let x = self.patches.forward(patches)?;
        let x = x
            .reshape((pictures, each, hidden))?
            .broadcast_add(&self.positions)?
            .reshape((pictures * each, hidden))?;
        let x = self.encoder.forward(x, repeat_n(each, pictures))?;
        let x = self.norm.forward(&x)?;
        self.head.forward(&x, pictures)?.to_dtype(DType::F32)
    }
}

/// Pools all patches into one row by attention of a learned query.
#[derive(Debug)]
struct PoolingHead {
    /// The learned query, scaled: `(1, heads, 1, head_dim)`.
    query: Tensor,
    /// Queries, keys and values in one layer.
    qkv: Linear,
    out: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl PoolingHead {
    fn load(weights: &Weights, placement: &Placement, config: &VisionConfig) -> Result<Self> {
        let encoder = config.encoder();
        let (hidden, heads) = (encoder.hidden, encoder.heads);
        let linear = |name: &str, rows| {
            let name = format!("{HEAD}.attention.{name}");
            Linear::load(weights, placement, &name, (rows, hidden), true)
        };
        let probe = placement.tensor(weights, &format!("{HEAD}.probe"), &[1, 1, hidden])?;
        let qkv = linear("in_proj", 3 * hidden)?;
        let scale = (hidden as f64 / heads as f64).sqrt().recip();
        let query = qkv.forward(&probe.reshape((1, hidden))?)?;
        let query = (query.narrow(1, 0, hidden)? * scale)?;
        Ok(Self {
            query: query.reshape((1, heads, 1, hidden / heads))?,
            qkv,
            out: linear("out_proj", hidden)?,
            norm: LayerNorm::load(
                weights,
                placement,
                &format!("{HEAD}.layernorm"),
                hidden,
                encoder.eps,
            )?,
            mlp: Mlp::load(weights, placement, &Self::mlp(), &encoder)?,
            heads,
        })
    }

    fn tensors(config: &VisionConfig, list: &mut TensorList) {
        let encoder = config.encoder();
        let hidden = encoder.hidden;
        list.add(Role::Plain, format!("{HEAD}.probe"), &[1, 1, hidden]);
        let mut linear = |name: &str, rows| {
            list.linear(&format!("{HEAD}.attention.{name}"), (rows, hidden), true);
        };
        linear("in_proj", 3 * hidden);
        linear("out_proj", hidden);
        list.norm(&format!("{HEAD}.layernorm"), hidden, true);
        Mlp::tensors(&Self::mlp(), &encoder, list);
    }

    fn mlp() -> [String; 2] {
        ["fc1", "fc2"].map(|part| format!("{HEAD}.mlp.{part}"))
    }

    /// `(pictures * patches, hidden)` to `(pictures, hidden)`.
    fn forward(&self, x: &Tensor, pictures: usize) -> Result<Tensor> {
        let (rows, hidden) = x.dims2()?;
        let qkv = self.qkv.forward(x)?;
        let heads = (pictures, rows / pictures, self.heads, hidden / self.heads);
        let part = |at: usize| -> Result<Tensor> {
            let part = qkv.narrow(1, at * hidden, hidden)?;
            part.reshape(heads)?.transpose(1, 2)?.contiguous()
        };
        let (keys, values) = (part(1)?, part(2)?);
        let query = self
            .query
            .broadcast_as((pictures, self.heads, 1, heads.3))?;
        let scores = query
            .contiguous()?
            .matmul(&keys.transpose(2, 3)?.contiguous()?)?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let pooled = weights.matmul(&values)?.reshape((pictures, hidden))?;
        let pooled = self.out.forward(&pooled)?;
        self.mlp.forward_onto(&pooled, &self.norm.forward(&pooled)?)
    }
}

/// Maps a stored tensor name to the one that [`Tower`] uses.
pub fn tensor_name(stored: &str) -> String {
    match stored.strip_prefix(HEAD) {
        Some(".attention.in_proj_weight") => format!("{HEAD}.attention.in_proj.weight"),
        Some(".attention.in_proj_bias") => format!("{HEAD}.attention.in_proj.bias"),
        _ => stored.to_owned(),
    }
}
