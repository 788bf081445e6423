//! The text tower: the first row, of the class token, represents the text.

use crate::embed::architecture::{LoadProgress, TextTower};
use crate::embed::encoder::{Encoder, EncoderConfig, LayerNorm, LayerStyle};
use crate::embed::models::clip::TextSide;
use crate::embed::words::{TextRows, WordEmbedding, first_rows};
use crate::error::Result as Checked;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops::Activation;
use candle_core::{DType, Result, Tensor};
use serde::Deserialize;

const WORDS: &str = "text_model.embeddings.word_embeddings";
const POSITIONS: &str = "text_model.embeddings.position_embeddings";
const TYPES: &str = "text_model.embeddings.token_type_embeddings.weight";
const NORM: &str = "text_model.embeddings.LayerNorm";
const ENCODER: &str = "text_model.encoder";
const PROJECTION: &str = "text_projection";

/// The defaults are those of the base model.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
        }
    }
}

impl TextConfig {
    fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
            style: LayerStyle {
                layers: "layer",
                qkv: [
                    "attention.self.query",
                    "attention.self.key",
                    "attention.self.value",
                ],
                out: "attention.output.dense",
                mlp: ["intermediate.dense", "output.dense"],
                norms: ["attention.output.LayerNorm", "output.LayerNorm"],
                norms_sums: true,
            },
            is_causal: false,
        }
    }
}

#[derive(Debug)]
struct Tower {
    words: WordEmbedding,
    /// Token type embedding, added to every row: `(1, hidden)`.
    token_type: Tensor,
    norm: LayerNorm,
    encoder: Encoder,
    projection: Linear,
}

impl TextSide for TextConfig {
    fn check(&self) -> Checked<()> {
        check_sizes(&[
            ("text_config.vocab_size", self.vocab_size),
            (
                "text_config.max_position_embeddings",
                self.max_position_embeddings,
            ),
            ("text_config.type_vocab_size", self.type_vocab_size),
        ])?;
        self.encoder().check("text_config")
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn length(&self) -> usize {
        self.max_position_embeddings
    }

    fn tensors(&self, width: usize, list: &mut TensorList) {
        let hidden = self.hidden_size;
        let sizes = (self.vocab_size, self.max_position_embeddings, hidden);
        WordEmbedding::tensors([WORDS, POSITIONS], sizes, list);
        list.add(Role::Plain, TYPES, &[self.type_vocab_size, hidden]);
        list.norm(NORM, hidden, true);
        Encoder::tensors(ENCODER, &self.encoder(), list);
        list.linear(PROJECTION, (width, hidden), false);
    }

    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        width: usize,
        loaded: LoadProgress,
    ) -> Result<Box<dyn TextTower>> {
        let (hidden, encoder) = (self.hidden_size, self.encoder());
        let sizes = (self.vocab_size, self.max_position_embeddings, hidden);
        let types = placement.tensor(weights, TYPES, &[self.type_vocab_size, hidden])?;
        Ok(Box::new(Tower {
            words: WordEmbedding::load(weights, placement, [WORDS, POSITIONS], sizes)?,
            // All tokens have the first type.
            token_type: types.narrow(0, 0, 1)?,
            norm: LayerNorm::load(weights, placement, NORM, hidden, encoder.eps)?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            projection: Linear::load(weights, placement, PROJECTION, (width, hidden), false)?,
        }))
    }
}

impl TextTower for Tower {
    fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        let TextRows { x, lengths } = self.words.forward(texts)?;
        let x = self.norm.forward(&x.broadcast_add(&self.token_type)?)?;
        let x = self.encoder.forward(x, lengths.iter().copied())?;
        let first = first_rows(&x, &lengths)?;
        self.projection.forward(&first)?.to_dtype(DType::F32)
    }
}
