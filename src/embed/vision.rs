//! The vision tower: pictures to vectors.

use super::config::VisionConfig;
use super::encoder::{Encoder, LayerNorm, Mlp, encoder_tensors, mlp_tensors};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{D, DType, Result, Tensor};

const EMBEDDINGS: &str = "vision_model.embeddings";
const HEAD: &str = "vision_model.head";

#[derive(Debug)]
pub struct VisionTower {
    patch: Linear,
    /// Of each patch, with the bias of the patch embedding: `(patches, hidden)`.
    positions: Tensor,
    encoder: Encoder,
    norm: LayerNorm,
    head: PoolingHead,
    config: VisionConfig,
    placement: Placement,
}

impl VisionTower {
    /// Calls `loaded` after each layer.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &VisionConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let (hidden, size) = (config.hidden_size, config.patch_size);
        let encoder = config.encoder();
        // A convolution whose stride is its size is a matrix product over flattened patches.
        let kernel = weights.stored(
            &format!("{EMBEDDINGS}.patch_embedding.weight"),
            &[hidden, VisionConfig::CHANNELS, size, size],
        )?;
        let kernel = kernel.reshape((hidden, config.patch_dim()))?;
        let tensor = |name: &str, shape: &[usize]| {
            placement.tensor(weights, &format!("{EMBEDDINGS}.{name}"), shape)
        };
        let positions = tensor("position_embedding.weight", &[config.patches(), hidden])?;
        let bias = tensor("patch_embedding.bias", &[hidden])?;
        let norm = "vision_model.post_layernorm";
        Ok(Self {
            // It sees the pixels themselves and is a small part of the tower: kept exact.
            patch: Linear::dense(kernel, None, placement)?,
            positions: positions.broadcast_add(&bias)?,
            encoder: Encoder::load(weights, placement, "vision_model.encoder", &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, norm, hidden, encoder.eps)?,
            head: PoolingHead::load(weights, placement, config)?,
            config: config.clone(),
            placement: placement.clone(),
        })
    }

    /// Adds every tensor that [`Self::load`] reads.
    pub fn tensors(config: &VisionConfig, list: &mut TensorList) {
        let (hidden, size) = (config.hidden_size, config.patch_size);
        let kernel = [hidden, VisionConfig::CHANNELS, size, size];
        list.add(format!("{EMBEDDINGS}.patch_embedding.weight"), &kernel);
        list.add(format!("{EMBEDDINGS}.patch_embedding.bias"), &[hidden]);
        list.linear(
            &format!("{EMBEDDINGS}.position_embedding"),
            (config.patches(), hidden),
            false,
        );
        encoder_tensors("vision_model.encoder", &config.encoder(), list);
        list.norm("vision_model.post_layernorm", hidden, true);
        PoolingHead::tensors(config, list);
    }

    /// The patches of `pictures` pictures, one after the other, to `(pictures, hidden)` in f32.
    pub fn forward(&self, patches: Vec<f32>, pictures: usize) -> Result<Tensor> {
        let (each, hidden) = (self.config.patches(), self.config.hidden_size);
        let rows = pictures * each;
        let device = &self.placement.device;
        let pixels = Tensor::from_vec(patches, (rows, self.config.patch_dim()), device)?;
        let pixels = pixels.to_dtype(self.placement.activations())?;
        let x = self.patch.forward(&pixels)?;
        let x = x
            .reshape((pictures, each, hidden))?
            .broadcast_add(&self.positions)?
            .reshape((rows, hidden))?;
        let x = self.norm.forward(&self.encoder.forward(x, each)?)?;
        self.head.forward(&x, pictures)?.to_dtype(DType::F32)
    }
}

/// Attention of one learned row to all patches makes them one row.
#[derive(Debug)]
struct PoolingHead {
    /// Queries of the learned row, scaled: `(1, heads, 1, head_dim)`.
    query: Tensor,
    /// Queries, keys and values side by side.
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
            mlp: Mlp::load(weights, placement, &format!("{HEAD}.mlp"), &encoder)?,
            heads,
        })
    }

    fn tensors(config: &VisionConfig, list: &mut TensorList) {
        let encoder = config.encoder();
        let hidden = encoder.hidden;
        list.add(format!("{HEAD}.probe"), &[1, 1, hidden]);
        let mut linear = |name: &str, rows| {
            list.linear(&format!("{HEAD}.attention.{name}"), (rows, hidden), true);
        };
        linear("in_proj", 3 * hidden);
        linear("out_proj", hidden);
        list.norm(&format!("{HEAD}.layernorm"), hidden, true);
        mlp_tensors(&format!("{HEAD}.mlp"), &encoder, list);
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
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let pooled = shares.matmul(&values)?.reshape((pictures, hidden))?;
        let pooled = self.out.forward(&pooled)?;
        self.mlp.forward_onto(&pooled, &self.norm.forward(&pooled)?)
    }
}

/// The name under which [`VisionTower`] knows a tensor that is stored otherwise.
pub fn tensor_name(stored: &str) -> String {
    match stored.strip_prefix(HEAD) {
        Some(".attention.in_proj_weight") => format!("{HEAD}.attention.in_proj.weight"),
        Some(".attention.in_proj_bias") => format!("{HEAD}.attention.in_proj.bias"),
        _ => stored.to_owned(),
    }
}
