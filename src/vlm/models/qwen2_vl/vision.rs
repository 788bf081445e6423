//! The vision tower: patches to features of the language model's width.

use super::config::VisionConfig;
use super::rope::VisionRope;
use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::{Ranges, attend_within};
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops;
use crate::vlm::nn::rope::Angles;
use candle_core::{Result, Tensor};
use std::ops::Range;

const EPS: f64 = 1e-6;

#[derive(Debug)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    fn load(weights: &Weights, placement: &Placement, name: &str, width: usize) -> Result<Self> {
        let tensor = |part| placement.tensor(weights, &format!("{name}.{part}"), &[width]);
        Ok(Self {
            weight: tensor("weight")?,
            bias: tensor("bias")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, EPS)
    }
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    norm2: LayerNorm,
    qkv: Linear,
    proj: Linear,
    fc1: Linear,
    fc2: Linear,
}

impl Block {
    fn load(
        weights: &Weights,
        placement: &Placement,
        config: &VisionConfig,
        name: &str,
    ) -> Result<Self> {
        let (dim, inner) = (config.embed_dim, config.mlp_dim());
        let linear = |part: &str, rows, columns| {
            Linear::load(
                weights,
                placement,
                &format!("{name}.{part}"),
                (rows, columns),
                true,
            )
        };
        let norm = |part: &str| LayerNorm::load(weights, placement, &format!("{name}.{part}"), dim);
        Ok(Self {
            norm1: norm("norm1")?,
            norm2: norm("norm2")?,
            qkv: linear("attn.qkv", 3 * dim, dim)?,
            proj: linear("attn.proj", dim, dim)?,
            fc1: linear("mlp.fc1", inner, dim)?,
            fc2: linear("mlp.fc2", dim, inner)?,
        })
    }

    fn forward(&self, x: &Tensor, angles: &Angles, frames: &Ranges) -> Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let attended = attend_within(&qkv, angles, frames)?;
        let x = self.proj.forward_onto(x, &attended)?;
        let inner = ops::quick_gelu(&self.fc1.forward(&self.norm2.forward(&x)?)?)?;
        self.fc2.forward_onto(&x, &inner)
    }
}

#[derive(Debug)]
pub struct VisionTower {
    patch_embed: Linear,
    blocks: Vec<Block>,
    ln_q: LayerNorm,
    mlp_0: Linear,
    mlp_2: Linear,
    rope: VisionRope,
    config: VisionConfig,
    placement: Placement,
}

impl VisionTower {
    /// Calls `loaded` after each block.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &VisionConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        // A convolution whose stride is its size is a matrix product over flattened patches.
        let kernel = weights.stored(
            "visual.patch_embed.proj.weight",
            &[
                config.embed_dim,
                VisionConfig::CHANNELS,
                config.temporal_patch_size,
                config.patch_size,
                config.patch_size,
            ],
        )?;
        let kernel = kernel.reshape((config.embed_dim, config.patch_dim()))?;
        let merged = config.embed_dim * config.merge_unit();
        let mut blocks = Vec::with_capacity(config.depth);
        for layer in 0..config.depth {
            let name = format!("visual.blocks.{layer}");
            blocks.push(Block::load(weights, placement, config, &name)?);
            loaded();
        }
        let merger = |part: &str, rows| {
            let name = format!("visual.merger.mlp.{part}");
            Linear::load(weights, placement, &name, (rows, merged), true)
        };
        Ok(Self {
            // It sees the pixels themselves and is a thousandth of the tower: kept exact.
            patch_embed: Linear::dense(kernel, placement)?,
            blocks,
            ln_q: LayerNorm::load(weights, placement, "visual.merger.ln_q", config.embed_dim)?,
            mlp_0: merger("0", merged)?,
            mlp_2: merger("2", config.hidden_size)?,
            rope: VisionRope::new(config),
            config: config.clone(),
            placement: placement.clone(),
        })
    }

    /// Features of each picture, `(tokens, hidden)`. All pictures are computed together.
    pub fn forward(&self, images: &[ImagePatches]) -> Result<Vec<Tensor>> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let (device, dtype) = (&self.placement.device, self.placement.activations());
        let merge = self.config.spatial_merge_size;
        let mut pixels = Vec::new();
        for image in images {
            let Grid { h, w, .. } = image.grid;
            let numbers = image.grid.patches() * self.config.patch_dim();
            if !h.is_multiple_of(merge) || !w.is_multiple_of(merge) || image.pixels.len() != numbers
            {
                candle_core::bail!("patches do not fill their grid {:?}", image.grid)
            }
            pixels.extend_from_slice(&image.pixels);
        }
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches = grids.iter().map(Grid::patches).sum::<usize>();
        let pixels = Tensor::from_vec(pixels, (patches, self.config.patch_dim()), device)?;
        let mut x = self.patch_embed.forward(&pixels.to_dtype(dtype)?)?;
        let angles = self.rope.angles(&grids, dtype);
        let frames = Ranges::new(frames(&grids), self.config.num_heads, &self.placement)?;
        for block in &self.blocks {
            x = block.forward(&x, &angles, &frames)?;
        }
        let merged = self.config.embed_dim * self.config.merge_unit();
        let x = self
            .ln_q
            .forward(&x)?
            .reshape((patches / self.config.merge_unit(), merged))?;
        let features = self.mlp_2.forward(&self.mlp_0.forward(&x)?.gelu_erf()?)?;
        let mut start = 0;
        let split = grids.iter().map(|grid| {
            let tokens = grid.patches() / self.config.merge_unit();
            start += tokens;
            features.narrow(0, start - tokens, tokens)
        });
        split.collect()
    }
}

/// The rows of each frame. A frame attends to itself alone; a still picture is one frame.
fn frames(grids: &[Grid]) -> Vec<Range<usize>> {
    let mut start = 0;
    let sizes = grids
        .iter()
        .flat_map(|grid| std::iter::repeat_n(grid.h * grid.w, grid.t));
    let ranges = sizes.map(|size| {
        start += size;
        start - size..start
    });
    ranges.collect()
}
