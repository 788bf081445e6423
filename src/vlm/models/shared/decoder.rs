//! The language model: causal attention with three-part rotary positions and gated MLPs, over
//! ragged steps. Fields mirror the checkpoint's names under `model`.

use super::config::{HeadKind, TextConfig};
use super::rope::TextRope;
use super::tensors::HEAD;
use crate::vlm::architecture::Additions;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::attend;
use crate::vlm::nn::batch::Batch;
use crate::vlm::nn::gated::Gated;
use crate::vlm::nn::linear::{Linear, Placement, Quantization};
use crate::vlm::nn::ops::{self, HeadNorms};
use crate::vlm::nn::rope::Position;
use candle_core::{Result, Tensor};

const EMBEDDING: &str = "model.embed_tokens";

#[derive(Debug)]
struct DecoderLayer {
    input_norm: Tensor,
    post_attention_norm: Tensor,
    /// Queries, keys and values in one layer.
    qkv: Linear,
    /// Norms of each head's queries and keys.
    head_norms: Option<HeadNorms>,
    o_proj: Linear,
    gate_up: Gated,
    down: Linear,
}

impl DecoderLayer {
    fn tensors(config: &TextConfig, name: &str, list: &mut TensorList) {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (q_dim, kv_dim) = (config.q_dim(), config.kv_dim());
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            list.norm(&format!("{name}.{norm}"), hidden, false);
        }
        for (part, shape, bias) in [
            ("self_attn.q_proj", (q_dim, hidden), config.qkv_bias),
            ("self_attn.k_proj", (kv_dim, hidden), config.qkv_bias),
            ("self_attn.v_proj", (kv_dim, hidden), config.qkv_bias),
            ("self_attn.o_proj", (hidden, q_dim), config.output_bias),
            ("mlp.gate_proj", (inner, hidden), false),
            ("mlp.up_proj", (inner, hidden), false),
            ("mlp.down_proj", (hidden, inner), false),
        ] {
            list.linear(&format!("{name}.{part}"), shape, bias);
        }
        for norm in ["q_norm", "k_norm"] {
            if config.normed_heads {
                list.norm(&format!("{name}.self_attn.{norm}"), config.head_dim, false);
            }
        }
    }

    fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        name: &str,
    ) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (q_dim, kv_dim) = (config.q_dim(), config.kv_dim());
        let part = |part: &str| format!("{name}.{part}");
        let norm = |norm: &str, width: usize| placement.tensor(weights, &part(norm), &[width]);
        let head_norms = |norm_name: &str, heads: usize| {
            let weight = norm(norm_name, config.head_dim)?;
            weight.broadcast_as((heads, config.head_dim))
        };
        Ok(Self {
            input_norm: norm("input_layernorm.weight", hidden)?,
            post_attention_norm: norm("post_attention_layernorm.weight", hidden)?,
            qkv: Linear::load_stacked(
                weights,
                placement,
                &[
                    (part("self_attn.q_proj"), q_dim),
                    (part("self_attn.k_proj"), kv_dim),
                    (part("self_attn.v_proj"), kv_dim),
                ],
                hidden,
                config.qkv_bias,
            )?,
            head_norms: match config.normed_heads {
                true => Some(HeadNorms::new(Tensor::cat(
                    &[
                        head_norms("self_attn.q_norm.weight", config.num_attention_heads)?,
                        head_norms("self_attn.k_norm.weight", config.num_key_value_heads)?,
                    ],
                    0,
                )?)?),
                false => None,
            },
            o_proj: Linear::load(
                weights,
                placement,
                &part("self_attn.o_proj"),
                (hidden, q_dim),
                config.output_bias,
            )?,
            gate_up: Gated::load(
                weights,
                placement,
                [part("mlp.gate_proj"), part("mlp.up_proj")],
                (inner, hidden),
                false,
            )?,
            down: Linear::load(
                weights,
                placement,
                &part("mlp.down_proj"),
                (hidden, inner),
                false,
            )?,
        })
    }
}

#[derive(Debug)]
pub struct TextModel {
    embed: Linear,
    layers: Vec<DecoderLayer>,
    norm: Tensor,
    /// `None` if the embedding serves as the head.
    head: Option<Linear>,
    rope: TextRope,
    eps: f64,
    placement: Placement,
}

impl TextModel {
    /// Lists names and shapes of the model's tensors.
    pub fn tensors(config: &TextConfig, list: &mut TensorList) {
        let shape = (config.vocab_size, config.hidden_size);
        let shape = [shape.0, shape.1];
        list.add(Role::Vocabulary, format!("{EMBEDDING}.weight"), &shape);
        match config.head {
            HeadKind::Tied => {}
            HeadKind::Separate => list.add(Role::Vocabulary, HEAD, &shape),
            HeadKind::IfStored => list.add_optional(Role::Vocabulary, HEAD, &shape),
        }
        for layer in 0..config.num_hidden_layers {
            DecoderLayer::tensors(config, &format!("model.layers.{layer}"), list);
        }
        list.norm("model.norm", config.hidden_size, false);
    }

    /// Loads the weights; calls `loaded` after the embeddings and after each layer.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let shape = (config.vocab_size, config.hidden_size);
        let kind = placement.quantization.map(|_| Quantization::OF_VOCABULARY);
        let vocabulary = |name: &str| Linear::load_as(weights, placement, name, shape, kind);
        let embed = vocabulary(EMBEDDING)?;
        let separate_head = match config.head {
            HeadKind::Tied => false,
            HeadKind::Separate => true,
            HeadKind::IfStored => weights.has(HEAD),
        };
        let head = match separate_head {
            false => None,
            true => Some(vocabulary("lm_head")?),
        };
        loaded();
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let name = format!("model.layers.{layer}");
            layers.push(DecoderLayer::load(weights, placement, config, &name)?);
            loaded();
        }
        Ok(Self {
            embed,
            layers,
            norm: placement.tensor(weights, "model.norm.weight", &[config.hidden_size])?,
            head,
            rope: TextRope::new(config.rope_theta, &config.rope_parts),
            eps: config.rms_norm_eps,
            placement: placement.clone(),
        })
    }

    /// Looks up token embeddings, `(tokens, hidden)`.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        self.embed
            .rows(&Tensor::new(tokens, &self.placement.device)?)
    }

    /// Runs the layers over a step's embeddings, `(tokens, hidden)`; `batch` assigns the rows to
    /// sequences. Returns the hidden states before the final norm, `(tokens, hidden)`.
    pub fn forward(
        &self,
        mut x: Tensor,
        additions: Option<&Additions>,
        positions: &[Position],
        batch: &mut Batch,
    ) -> Result<Tensor> {
        let angles = self.rope.angles(positions, self.placement.activations());
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = ops::rms_norm(&x, &layer.input_norm, self.eps)?;
            let qkv = layer.qkv.forward(&normed)?;
            let qkv = match &layer.head_norms {
                Some(norms) => ops::norm_heads(qkv, norms, self.eps)?,
                None => qkv,
            };
            let attended = attend(&qkv, index, &angles, batch)?;
            x = layer.o_proj.forward_onto(&x, &attended)?;
            let normed = ops::rms_norm(&x, &layer.post_attention_norm, self.eps)?;
            let inner = layer.gate_up.forward(&normed)?;
            x = layer.down.forward_onto(&x, &inner)?;
            if let Some(additions) = additions {
                x = additions.after(index, x)?;
            }
        }
        Ok(x)
    }

    /// Applies the final norm to hidden states, `(rows, hidden)`.
    pub fn norm(&self, x: &Tensor) -> Result<Tensor> {
        ops::rms_norm(x, &self.norm, self.eps)
    }

    /// Maps normalized hidden states, `(rows, hidden)`, to logits, `(rows, vocabulary)`.
    pub fn head(&self) -> &Linear {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// Bytes of weights read by one step.
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter();
        let plain = layers.clone().flat_map(|l| [&l.qkv, &l.o_proj, &l.down]);
        let plain = plain.chain([self.head()]).map(Linear::bytes).sum::<usize>();
        plain + layers.map(|l| l.gate_up.bytes()).sum::<usize>()
    }
}
