//! The layers of vision towers. Tensor names, norms and activations differ between families and are
//! described by a [`BlockStyle`] and a [`MergerStyle`].

use super::vision::Sizes;
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::{Ranges, attend_within};
use crate::vlm::nn::gated::Gated;
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops::{self, Activation};
use crate::vlm::nn::rope::Angles;
use candle_core::{Result, Tensor};

/// Epsilon of every norm in a vision tower.
const EPS: f64 = 1e-6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Layer norm, with a bias.
    Layer,
    Rms,
}

#[derive(Debug, Clone, Copy)]
pub enum MlpStyle {
    /// Two layers with an activation between them.
    Plain {
        names: [&'static str; 2],
        activation: Activation,
    },
    /// `gate_proj`, `up_proj` and `down_proj`.
    Gated,
}

#[derive(Debug, Clone, Copy)]
pub struct BlockStyle {
    pub norm: NormKind,
    pub mlp: MlpStyle,
}

/// How a family merges the patches of a token into its features.
#[derive(Debug, Clone, Copy)]
pub struct MergerStyle {
    pub norm: NormKind,
    pub norm_name: &'static str,
    pub layers: [&'static str; 2],
    /// Whether the patches of a token are normalized together.
    pub norms_merged: bool,
}

impl MergerStyle {
    fn norm_width(&self, sizes: &Sizes) -> usize {
        match self.norms_merged {
            true => sizes.merged(),
            false => sizes.width,
        }
    }
}

#[derive(Debug)]
struct Norm {
    weight: Tensor,
    /// Only for layer norm.
    bias: Option<Tensor>,
}

impl Norm {
    fn load(
        weights: &Weights,
        placement: &Placement,
        kind: NormKind,
        name: &str,
        width: usize,
    ) -> Result<Self> {
        let tensor = |part| placement.tensor(weights, &format!("{name}.{part}"), &[width]);
        Ok(Self {
            weight: tensor("weight")?,
            bias: match kind {
                NormKind::Layer => Some(tensor("bias")?),
                NormKind::Rms => None,
            },
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => ops::layer_norm(x, &self.weight, bias, EPS),
            None => ops::rms_norm(x, &self.weight, EPS),
        }
    }
}

#[derive(Debug)]
enum Mlp {
    Plain {
        layers: [Linear; 2],
        activation: Activation,
    },
    Gated {
        gate_up: Gated,
        down: Linear,
    },
}

impl Mlp {
    fn forward_onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain {
                layers: [first, last],
                activation,
            } => last.forward_onto(residual, &first.forward_into(*activation, x)?),
            Self::Gated { gate_up, down } => down.forward_onto(residual, &gate_up.forward(x)?),
        }
    }
}

/// A transformer block: attention and MLP, each after a norm.
#[derive(Debug)]
pub struct Block {
    norm1: Norm,
    norm2: Norm,
    qkv: Linear,
    proj: Linear,
    mlp: Mlp,
}

fn block_name(block: usize) -> String {
    format!("visual.blocks.{block}")
}

impl Block {
    /// Lists name and shape of every tensor that [`Self::load_all`] reads.
    pub fn all_tensors(style: BlockStyle, sizes: &Sizes, list: &mut TensorList) {
        for block in 0..sizes.depth {
            Self::tensors(style, sizes, &block_name(block), list);
        }
    }

    /// Loads the blocks of a tower; calls `loaded` after each.
    pub fn load_all(
        weights: &Weights,
        placement: &Placement,
        style: BlockStyle,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> Result<Vec<Self>> {
        let blocks = (0..sizes.depth).map(|block| {
            let block = Self::load(weights, placement, style, sizes, &block_name(block));
            loaded();
            block
        });
        blocks.collect()
    }

    fn tensors(style: BlockStyle, sizes: &Sizes, name: &str, list: &mut TensorList) {
        let (width, inner) = (sizes.width, sizes.inner);
        for norm in ["norm1", "norm2"] {
            list.norm(
                &format!("{name}.{norm}"),
                width,
                style.norm == NormKind::Layer,
            );
        }
        let mut linear = |part: &str, shape| list.linear(&format!("{name}.{part}"), shape, true);
        linear("attn.qkv", (3 * width, width));
        linear("attn.proj", (width, width));
        match style.mlp {
            MlpStyle::Plain { names, .. } => {
                linear(names[0], (inner, width));
                linear(names[1], (width, inner));
            }
            MlpStyle::Gated => {
                linear("mlp.gate_proj", (inner, width));
                linear("mlp.up_proj", (inner, width));
                linear("mlp.down_proj", (width, inner));
            }
        }
    }

    fn load(
        weights: &Weights,
        placement: &Placement,
        style: BlockStyle,
        sizes: &Sizes,
        name: &str,
    ) -> Result<Self> {
        let (width, inner) = (sizes.width, sizes.inner);
        let part = |part: &str| format!("{name}.{part}");
        let linear = |name: &str, shape| Linear::load(weights, placement, &part(name), shape, true);
        let norm = |name: &str| Norm::load(weights, placement, style.norm, &part(name), width);
        Ok(Self {
            norm1: norm("norm1")?,
            norm2: norm("norm2")?,
            qkv: linear("attn.qkv", (3 * width, width))?,
            proj: linear("attn.proj", (width, width))?,
            mlp: match style.mlp {
                MlpStyle::Plain { names, activation } => Mlp::Plain {
                    layers: [
                        linear(names[0], (inner, width))?,
                        linear(names[1], (width, inner))?,
                    ],
                    activation,
                },
                MlpStyle::Gated => Mlp::Gated {
                    gate_up: Gated::load(
                        weights,
                        placement,
                        [part("mlp.gate_proj"), part("mlp.up_proj")],
                        (inner, width),
                        true,
                    )?,
                    down: linear("mlp.down_proj", (width, inner))?,
                },
            },
        })
    }

    /// `(patches, width)` to the same. Patches attend only within their range.
    pub fn forward(&self, x: &Tensor, angles: &Angles, ranges: &Ranges) -> Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let attended = attend_within(&qkv, angles, ranges)?;
        let x = self.proj.forward_onto(x, &attended)?;
        self.mlp.forward_onto(&x, &self.norm2.forward(&x)?)
    }
}

/// Merges the patches of each token into its features.
#[derive(Debug)]
pub struct Merger {
    norm: Norm,
    norms_merged: bool,
    layers: [Linear; 2],
    merged: usize,
}

impl Merger {
    pub fn tensors(style: MergerStyle, sizes: &Sizes, name: &str, list: &mut TensorList) {
        let (merged, [first, last]) = (sizes.merged(), style.layers);
        list.norm(
            &format!("{name}.{}", style.norm_name),
            style.norm_width(sizes),
            style.norm == NormKind::Layer,
        );
        list.linear(&format!("{name}.{first}"), (merged, merged), true);
        list.linear(&format!("{name}.{last}"), (sizes.features, merged), true);
    }

    pub fn load(
        weights: &Weights,
        placement: &Placement,
        style: MergerStyle,
        sizes: &Sizes,
        name: &str,
    ) -> Result<Self> {
        let (merged, [first, last]) = (sizes.merged(), style.layers);
        let linear = |part: &str, rows| {
            let name = format!("{name}.{part}");
            Linear::load(weights, placement, &name, (rows, merged), true)
        };
        Ok(Self {
            norm: Norm::load(
                weights,
                placement,
                style.norm,
                &format!("{name}.{}", style.norm_name),
                style.norm_width(sizes),
            )?,
            norms_merged: style.norms_merged,
            layers: [linear(first, merged)?, linear(last, sizes.features)?],
            merged,
        })
    }

    /// `(patches, width)` to `(tokens, features)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match self.norms_merged {
            true => self.norm.forward(&x.reshape(((), self.merged))?)?,
            false => self.norm.forward(x)?.reshape(((), self.merged))?,
        };
        let [first, last] = &self.layers;
        last.forward(&first.forward_into(Activation::Gelu, &x)?)
    }
}

const PATCHES: &str = "visual.patch_embed.proj";

fn kernel(sizes: &Sizes) -> [usize; 5] {
    [
        sizes.width,
        Sizes::CHANNELS,
        sizes.temporal_patch_size,
        sizes.patch_size,
        sizes.patch_size,
    ]
}

pub fn patch_embed_tensors(sizes: &Sizes, bias: bool, list: &mut TensorList) {
    list.patches(PATCHES, &kernel(sizes), bias);
}

/// Loads the first layer, which maps the values of a patch to `width`. The checkpoint stores a
/// convolution whose stride equals its size, which is a matrix product over flattened patches. It
/// sees the raw pixels and is a thousandth of the tower, so it is never quantized.
pub fn patch_embed(
    weights: &Weights,
    placement: &Placement,
    sizes: &Sizes,
    bias: bool,
) -> Result<Linear> {
    let kernel = weights.stored(&format!("{PATCHES}.weight"), &kernel(sizes))?;
    let kernel = kernel.reshape((sizes.width, sizes.patch_dim()))?;
    let bias = match bias {
        true => Some(placement.tensor(weights, &format!("{PATCHES}.bias"), &[sizes.width])?),
        false => None,
    };
    Linear::dense(kernel, bias, placement)
}
