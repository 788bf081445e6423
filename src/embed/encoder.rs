//! The layers that both towers are stacks of: attention of all rows of an input to each other, and
//! two matrices.

use super::config::{Activation, EncoderConfig};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::{Ranges, attend_within};
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops;
use crate::vlm::nn::rope::Angles;
use candle_core::{Result, Tensor};

#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<Self> {
        let tensor = |part| placement.tensor(weights, &format!("{name}.{part}"), &[width]);
        Ok(Self {
            weight: tensor("weight")?,
            bias: tensor("bias")?,
            eps,
        })
    }

    /// `(rows, width)` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// Two matrices with the activation between them.
#[derive(Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
}

impl Mlp {
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        config: &EncoderConfig,
    ) -> Result<Self> {
        let linear =
            |part, shape| Linear::load(weights, placement, &format!("{name}.{part}"), shape, true);
        Ok(Self {
            fc1: linear("fc1", (config.inner, config.hidden))?,
            fc2: linear("fc2", (config.hidden, config.inner))?,
            activation: config.activation,
        })
    }

    /// `(rows, hidden)`, with `residual` added.
    pub fn forward_onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        let inner = self.fc1.forward(x)?;
        let inner = match self.activation {
            Activation::GeluTanh => ops::gelu_tanh(&inner)?,
            Activation::QuickGelu => ops::quick_gelu(&inner)?,
            Activation::Gelu => inner.gelu_erf()?,
        };
        self.fc2.forward_onto(residual, &inner)
    }
}

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
}

/// A stack of layers over inputs of equal length.
#[derive(Debug)]
pub struct Encoder {
    layers: Vec<Layer>,
    heads: usize,
    hidden: usize,
    placement: Placement,
}

impl Encoder {
    /// Calls `loaded` after each layer.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        config: &EncoderConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let width = config.hidden;
        let mut layers = Vec::with_capacity(config.layers);
        for at in 0..config.layers {
            let part = |part: &str| format!("{name}.layers.{at}.{part}");
            let norm =
                |name: &str| LayerNorm::load(weights, placement, &part(name), width, config.eps);
            let qkv = ["q_proj", "k_proj", "v_proj"]
                .map(|name| (part(&format!("self_attn.{name}")), width));
            let out = part("self_attn.out_proj");
            layers.push(Layer {
                norm1: norm("layer_norm1")?,
                qkv: Linear::load_stacked(weights, placement, &qkv, width, true)?,
                out: Linear::load(weights, placement, &out, (width, width), true)?,
                norm2: norm("layer_norm2")?,
                mlp: Mlp::load(weights, placement, &part("mlp"), config)?,
            });
            loaded();
        }
        Ok(Self {
            layers,
            heads: config.heads,
            hidden: width,
            placement: placement.clone(),
        })
    }

    /// `(inputs * length, hidden)` to the same; the rows of an input see each other alone.
    pub fn forward(&self, mut x: Tensor, length: usize) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let ranges = (0..rows).step_by(length).map(|start| start..start + length);
        let ranges = Ranges::new(ranges.collect(), self.heads, &self.placement)?;
        // Positions stand in the rows already: nothing is turned.
        let half = self.hidden / self.heads / 2;
        let unturned = Angles::new(&vec![0.0; rows * half], half, self.placement.activations());
        for layer in &self.layers {
            let qkv = layer.qkv.forward(&layer.norm1.forward(&x)?)?;
            let attended = attend_within(&qkv, &unturned, &ranges)?;
            x = layer.out.forward_onto(&x, &attended)?;
            x = layer.mlp.forward_onto(&x, &layer.norm2.forward(&x)?)?;
        }
        Ok(x)
    }
}

/// Adds the tensors of an [`Mlp`].
pub fn mlp_tensors(name: &str, config: &EncoderConfig, list: &mut TensorList) {
    let (hidden, inner) = (config.hidden, config.inner);
    list.linear(&format!("{name}.fc1"), (inner, hidden), true);
    list.linear(&format!("{name}.fc2"), (hidden, inner), true);
}

/// Adds the tensors of an [`Encoder`].
pub fn encoder_tensors(name: &str, config: &EncoderConfig, list: &mut TensorList) {
    let width = config.hidden;
    for at in 0..config.layers {
        let part = |part: &str| format!("{name}.layers.{at}.{part}");
        list.norm(&part("layer_norm1"), width, true);
        list.norm(&part("layer_norm2"), width, true);
        for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            let name = part(&format!("self_attn.{projection}"));
            list.linear(&name, (width, width), true);
        }
        mlp_tensors(&part("mlp"), config, list);
    }
}
