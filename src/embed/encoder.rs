//! The transformer encoder shared by all towers.

use super::architecture::LoadProgress;
use crate::error::Result as Checked;
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::{Ranges, attend, attend_within};
use crate::vlm::nn::batch::Batch;
use crate::vlm::nn::kv::layout::{CacheSpec, HeadShape};
use crate::vlm::nn::kv::pool::Pool;
use crate::vlm::nn::kv::sequence::{Sequence, Span};
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops::{self, Activation};
use crate::vlm::nn::rope::Angles;
use candle_core::{Result, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// The configuration of one tower's encoder.
#[derive(Debug, Clone, Copy)]
pub struct EncoderConfig {
    pub hidden: usize,
    pub inner: usize,
    pub layers: usize,
    pub heads: usize,
    pub activation: Activation,
    pub eps: f64,
    pub style: LayerStyle,
    /// Whether attention is causal.
    pub is_causal: bool,
}

/// Tensor names of a layer in a checkpoint, and the position of its norms.
#[derive(Debug, Clone, Copy)]
pub struct LayerStyle {
    /// The name before a layer's number.
    pub layers: &'static str,
    /// Queries, keys and values.
    pub qkv: [&'static str; 3],
    pub out: &'static str,
    pub mlp: [&'static str; 2],
    pub norms: [&'static str; 2],
    /// Post-norm: normalizes the sums after attention and MLP instead of their inputs.
    pub norms_sums: bool,
}

impl LayerStyle {
    /// The pre-norm style of vision transformers.
    pub const PLAIN: Self = Self {
        layers: "layers",
        qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        out: "self_attn.out_proj",
        mlp: ["mlp.fc1", "mlp.fc2"],
        norms: ["layer_norm1", "layer_norm2"],
        norms_sums: false,
    };
}

impl EncoderConfig {
    /// Checks the sizes; `name` is their section of `config.json`.
    pub fn check(&self, name: &str) -> Checked<()> {
        check_sizes(&[
            ("hidden_size", self.hidden),
            ("intermediate_size", self.inner),
            ("num_hidden_layers", self.layers),
            ("num_attention_heads", self.heads),
        ])
        .map_err(|error| error.context(name))?;
        // The kernels need heads of an even size.
        match self.hidden.is_multiple_of(2 * self.heads) {
            true => Ok(()),
            false => Err(invalid(format!(
                "{name}: hidden_size {} does not divide into {} heads of an even size",
                self.hidden, self.heads
            ))),
        }
    }
}

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

/// Two linear layers with an activation between them.
#[derive(Debug)]
pub struct Mlp {
    first: Linear,
    last: Linear,
    activation: Activation,
}

impl Mlp {
    /// `names` are those of the two layers.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        names: &[String; 2],
        config: &EncoderConfig,
    ) -> Result<Self> {
        let linear = |name, shape| Linear::load(weights, placement, name, shape, true);
        let [first, last] = names;
        Ok(Self {
            first: linear(first, (config.inner, config.hidden))?,
            last: linear(last, (config.hidden, config.inner))?,
            activation: config.activation,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(names: &[String; 2], config: &EncoderConfig, list: &mut TensorList) {
        let [first, last] = names;
        list.linear(first, (config.inner, config.hidden), true);
        list.linear(last, (config.hidden, config.inner), true);
    }

    /// `(rows, hidden)` to the same, plus `residual`.
    pub fn forward_onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        let inner = self.first.forward_into(self.activation, x)?;
        self.last.forward_onto(residual, &inner)
    }
}

#[derive(Debug)]
struct EncoderLayer {
    norms: [LayerNorm; 2],
    qkv: Linear,
    out: Linear,
    mlp: Mlp,
}

/// A stack of layers.
#[derive(Debug)]
pub struct Encoder {
    layers: Vec<EncoderLayer>,
    config: EncoderConfig,
    placement: Placement,
    /// KV cache of one layer, for causal attention.
    cache: Option<Arc<CacheSpec>>,
}

impl Encoder {
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        config: &EncoderConfig,
        loaded: LoadProgress,
    ) -> Result<Self> {
        let (width, style) = (config.hidden, &config.style);
        let mut layers = Vec::with_capacity(config.layers);
        for at in 0..config.layers {
            let part = |part: &str| format!("{name}.{}.{at}.{part}", style.layers);
            let norm =
                |name: &str| LayerNorm::load(weights, placement, &part(name), width, config.eps);
            let qkv = style.qkv.map(|name| (part(name), width));
            let out = part(style.out);
            layers.push(EncoderLayer {
                norms: [norm(style.norms[0])?, norm(style.norms[1])?],
                qkv: Linear::load_stacked(weights, placement, &qkv, width, true)?,
                out: Linear::load(weights, placement, &out, (width, width), true)?,
                mlp: Mlp::load(weights, placement, &style.mlp.map(part), config)?,
            });
            loaded((at + 1) as f32 / config.layers as f32);
        }
        let cache = config.is_causal.then(|| {
            Arc::new(CacheSpec {
                layers: 1,
                shape: HeadShape {
                    heads: config.heads,
                    kv_heads: config.heads,
                    head_dim: width / config.heads,
                },
                backend: placement.backend,
                device: placement.device.clone(),
                dtype: placement.activations(),
            })
        });
        Ok(Self {
            layers,
            config: *config,
            placement: placement.clone(),
            cache,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(name: &str, config: &EncoderConfig, list: &mut TensorList) {
        let (width, style) = (config.hidden, &config.style);
        for at in 0..config.layers {
            let part = |part: &str| format!("{name}.{}.{at}.{part}", style.layers);
            for norm in style.norms {
                list.norm(&part(norm), width, true);
            }
            for matrix in style.qkv.into_iter().chain([style.out]) {
                list.linear(&part(matrix), (width, width), true);
            }
            Mlp::tensors(&style.mlp.map(part), config, list);
        }
    }

    /// `(rows, hidden)` to the same. Inputs of `lengths` rows attend only to themselves.
    pub fn forward(&self, x: Tensor, lengths: impl IntoIterator<Item = usize>) -> Result<Tensor> {
        let ranges = consecutive(lengths);
        // Positions were added to the embeddings: all rotary angles are zero.
        let half = self.config.hidden / self.config.heads / 2;
        let zeros = vec![0.0; x.dim(0)? * half];
        let angles = Angles::new(&zeros, half, self.placement.activations());
        let Some(cache) = &self.cache else {
            let ranges = Ranges::new(ranges, self.config.heads, &self.placement)?;
            return self.run(x, |qkv| attend_within(qkv, &angles, &ranges));
        };
        let pool = Pool::new(cache);
        let sequences = ranges
            .iter()
            .map(|_| Sequence::new(cache, None, Some(&pool)));
        let mut sequences = sequences.collect::<Result<Vec<_>>>()?;
        let spans = sequences.iter_mut().zip(ranges);
        let spans = spans.map(|(sequence, rows)| Span { sequence, rows });
        let mut batch = Batch::new(cache, spans.collect())?;
        // Nothing is committed, so each layer overwrites the keys and values of the one before.
        self.run(x, |qkv| attend(qkv, 0, &angles, &mut batch))
    }

    fn run(
        &self,
        mut x: Tensor,
        mut attended: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        for EncoderLayer {
            norms: [norm1, norm2],
            qkv,
            out,
            mlp,
        } in &self.layers
        {
            if self.config.style.norms_sums {
                let sum = out.forward_onto(&x, &attended(&qkv.forward(&x)?)?)?;
                x = norm1.forward(&sum)?;
                x = norm2.forward(&mlp.forward_onto(&x, &x)?)?;
            } else {
                let rows = attended(&qkv.forward(&norm1.forward(&x)?)?)?;
                x = out.forward_onto(&x, &rows)?;
                x = mlp.forward_onto(&x, &norm2.forward(&x)?)?;
            }
        }
        Ok(x)
    }
}

/// Consecutive ranges of these lengths.
pub fn consecutive(lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut start = 0;
    let ranges = lengths.into_iter().map(|length| {
        start += length;
        start - length..start
    });
    ranges.collect()
}
