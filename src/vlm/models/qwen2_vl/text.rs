//! The language model: Qwen2 with three-part rotary positions, over ragged steps. Fields mirror
//! the checkpoint's names under `model`.

use super::config::TextConfig;
use super::rope::TextRope;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::attention::attend;
use crate::vlm::nn::batch::Batch;
use crate::vlm::nn::linear::{Linear, Placement, Quantization};
use crate::vlm::nn::ops;
use crate::vlm::nn::rope::Position;
use candle_core::{Result, Tensor};

#[derive(Debug)]
struct Layer {
    input_norm: Tensor,
    post_attention_norm: Tensor,
    /// Queries, keys and values side by side.
    qkv: Linear,
    o_proj: Linear,
    /// Gate and up side by side.
    gate_up: Linear,
    down: Linear,
}

impl Layer {
    fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        name: &str,
    ) -> Result<Self> {
        let (hidden, inner, kv) = (
            config.hidden_size,
            config.intermediate_size,
            config.kv_dim(),
        );
        let part = |part: &str| format!("{name}.{part}");
        let norm = |norm: &str| placement.tensor(weights, &part(norm), &[hidden]);
        Ok(Self {
            input_norm: norm("input_layernorm.weight")?,
            post_attention_norm: norm("post_attention_layernorm.weight")?,
            qkv: Linear::load_stacked(
                weights,
                placement,
                &[
                    (part("self_attn.q_proj"), hidden),
                    (part("self_attn.k_proj"), kv),
                    (part("self_attn.v_proj"), kv),
                ],
                hidden,
                true,
            )?,
            o_proj: Linear::load(
                weights,
                placement,
                &part("self_attn.o_proj"),
                (hidden, hidden),
                false,
            )?,
            gate_up: Linear::load_stacked(
                weights,
                placement,
                &[(part("mlp.gate_proj"), inner), (part("mlp.up_proj"), inner)],
                hidden,
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
    layers: Vec<Layer>,
    norm: Tensor,
    /// `None` where the embedding is the head.
    head: Option<Linear>,
    rope: TextRope,
    eps: f64,
    placement: Placement,
}

impl TextModel {
    /// Calls `loaded` after each layer.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let shape = (config.vocab_size, config.hidden_size);
        // Every answer depends on the head, so it is never stored with fewer than eight bits.
        let head_quantization = placement.quantization.map(|_| Quantization::Q8_0);
        let vocabulary =
            |name: &str| Linear::load_as(weights, placement, name, shape, head_quantization);
        let embed = vocabulary("model.embed_tokens")?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(vocabulary("lm_head")?),
        };
        loaded();
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let name = format!("model.layers.{layer}");
            layers.push(Layer::load(weights, placement, config, &name)?);
            loaded();
        }
        Ok(Self {
            embed,
            layers,
            norm: placement.tensor(weights, "model.norm.weight", &[config.hidden_size])?,
            head,
            rope: TextRope::new(config),
            eps: config.rms_norm_eps,
            placement: placement.clone(),
        })
    }

    /// The embeddings of tokens, `(tokens, hidden)`.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        self.embed
            .rows(&Tensor::new(tokens, &self.placement.device)?)
    }

    /// Runs the layers over a step's embeddings, `(tokens, hidden)`, whose rows `batch` assigns to
    /// sequences. Gives the hidden states before the final norm, `(tokens, hidden)`.
    pub fn forward(
        &self,
        mut x: Tensor,
        positions: &[Position],
        batch: &mut Batch,
    ) -> Result<Tensor> {
        let angles = self.rope.angles(positions, self.placement.activations());
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = ops::rms_norm(&x, &layer.input_norm, self.eps)?;
            let qkv = layer.qkv.forward(&normed)?;
            let attended = attend(&qkv, index, &angles, batch)?;
            x = layer.o_proj.forward_onto(&x, &attended)?;
            let normed = ops::rms_norm(&x, &layer.post_attention_norm, self.eps)?;
            let inner = ops::swiglu(&layer.gate_up.forward(&normed)?)?;
            x = layer.down.forward_onto(&x, &inner)?;
        }
        Ok(x)
    }

    /// The final norm, `(rows, hidden)` to the same.
    pub fn norm(&self, x: &Tensor) -> Result<Tensor> {
        ops::rms_norm(x, &self.norm, self.eps)
    }

    /// From normed hidden states `(rows, hidden)` to logits `(rows, vocabulary)`.
    pub fn head(&self) -> &Linear {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// Bytes of the weights that one step reads.
    pub fn bytes(&self) -> usize {
        let layers = self
            .layers
            .iter()
            .flat_map(|l| [&l.qkv, &l.o_proj, &l.gate_up, &l.down]);
        layers.chain([self.head()]).map(Linear::bytes).sum()
    }
}
