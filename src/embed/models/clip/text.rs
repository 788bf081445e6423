//! The text tower: the row of the token that ends a text, which sees all of it, stands for it.

use super::config::TextConfig;
use crate::embed::architecture::{self, Loaded};
use crate::embed::encoder::{Encoder, LayerNorm};
use crate::embed::words::{TextRows, WordEmbedding, last_rows};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{DType, Result, Tensor};

const WORDS: &str = "text_model.embeddings.token_embedding";
const POSITIONS: &str = "text_model.embeddings.position_embedding";
const ENCODER: &str = "text_model.encoder";
const NORM: &str = "text_model.final_layer_norm";
const PROJECTION: &str = "text_projection";

/// What the first checkpoints name as their end token: they mean the largest of a text.
const LARGEST: u32 = 2;

#[derive(Debug)]
pub struct Tower {
    words: WordEmbedding,
    encoder: Encoder,
    norm: LayerNorm,
    projection: Linear,
    end: u32,
}

impl Tower {
    /// Vectors have `width` numbers.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        width: usize,
        loaded: Loaded,
    ) -> Result<Self> {
        let (hidden, encoder) = (config.hidden_size, config.encoder());
        let sizes = (config.vocab_size, config.max_position_embeddings, hidden);
        Ok(Self {
            words: WordEmbedding::load(weights, placement, [WORDS, POSITIONS], sizes)?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, NORM, hidden, encoder.eps)?,
            projection: Linear::load(weights, placement, PROJECTION, (width, hidden), false)?,
            end: config.eos_token_id,
        })
    }

    /// Adds every tensor that [`Self::load`] reads.
    pub fn tensors(config: &TextConfig, width: usize, list: &mut TensorList) {
        let hidden = config.hidden_size;
        let sizes = (config.vocab_size, config.max_position_embeddings, hidden);
        WordEmbedding::tensors([WORDS, POSITIONS], sizes, list);
        Encoder::tensors(ENCODER, &config.encoder(), list);
        list.norm(NORM, hidden, true);
        list.linear(PROJECTION, (width, hidden), false);
    }

    /// The part of a text that the row which stands for it sees. A text without an end is known by
    /// its first token alone, as in transformers.
    fn seen<'a>(&self, text: &'a [u32]) -> &'a [u32] {
        let end = match self.end {
            LARGEST => text.iter().copied().max().unwrap_or_default(),
            end => end,
        };
        let last = text.iter().position(|token| *token == end);
        &text[..=last.unwrap_or(0)]
    }
}

impl architecture::TextTower for Tower {
    fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        let texts: Vec<&[u32]> = texts.iter().map(|text| self.seen(text)).collect();
        let TextRows { x, lengths } = self.words.forward(&texts)?;
        let x = self.encoder.forward(x, lengths.iter().copied())?;
        let x = self.norm.forward(&last_rows(&x, &lengths)?)?;
        self.projection.forward(&x)?.to_dtype(DType::F32)
    }
}
