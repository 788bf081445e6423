//! The text tower: the last row, which may be padding, represents the text.

use super::config::TextConfig;
use crate::embed::architecture::{self, LoadProgress};
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
const HEAD: &str = "text_model.head";

#[derive(Debug)]
pub struct Tower {
    words: WordEmbedding,
    encoder: Encoder,
    norm: LayerNorm,
    head: Linear,
}

impl Tower {
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        loaded: LoadProgress,
    ) -> Result<Self> {
        let (hidden, encoder) = (config.hidden_size, config.encoder());
        let sizes = (config.vocab_size, config.max_position_embeddings, hidden);
        let head = (config.projection(), hidden);
        Ok(Self {
            words: WordEmbedding::load(weights, placement, [WORDS, POSITIONS], sizes)?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, NORM, hidden, encoder.eps)?,
            head: Linear::load(weights, placement, HEAD, head, true)?,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(config: &TextConfig, list: &mut TensorList) {
        let hidden = config.hidden_size;
        let sizes = (config.vocab_size, config.max_position_embeddings, hidden);
        WordEmbedding::tensors([WORDS, POSITIONS], sizes, list);
        Encoder::tensors(ENCODER, &config.encoder(), list);
        list.norm(NORM, hidden, true);
        list.linear(HEAD, (config.projection(), hidden), true);
    }
}

impl architecture::TextTower for Tower {
    fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        let TextRows { x, lengths } = self.words.forward(texts)?;
        let x = self.encoder.forward(x, lengths.iter().copied())?;
        let x = last_rows(&x, &lengths)?;
        let x = self.head.forward(&self.norm.forward(&x)?)?;
        x.to_dtype(DType::F32)
    }
}
