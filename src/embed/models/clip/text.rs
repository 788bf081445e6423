//! The text tower: the row of the end token, which attends to the entire text, represents it.

use super::TextSide;
use super::config::TextConfig;
use crate::embed::architecture::{LoadProgress, TextTower};
use crate::embed::encoder::{Encoder, LayerNorm};
use crate::embed::words::{TextRows, WordEmbedding, last_rows};
use crate::error::Result as Checked;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{DType, Result, Tensor};

const WORDS: &str = "text_model.embeddings.token_embedding";
const POSITIONS: &str = "text_model.embeddings.position_embedding";
const ENCODER: &str = "text_model.encoder";
const NORM: &str = "text_model.final_layer_norm";
const PROJECTION: &str = "text_projection";

/// The wrong `eos_token_id` of the first checkpoints, for which the largest token of a text is used.
const LARGEST: u32 = 2;

#[derive(Debug)]
struct Tower {
    words: WordEmbedding,
    encoder: Encoder,
    norm: LayerNorm,
    projection: Linear,
    end: u32,
}

impl TextSide for TextConfig {
    fn check(&self) -> Checked<()> {
        check_sizes(&[
            ("text_config.vocab_size", self.vocab_size),
            (
                "text_config.max_position_embeddings",
                self.max_position_embeddings,
            ),
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
        Encoder::tensors(ENCODER, &self.encoder(), list);
        list.norm(NORM, hidden, true);
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
        Ok(Box::new(Tower {
            words: WordEmbedding::load(weights, placement, [WORDS, POSITIONS], sizes)?,
            encoder: Encoder::load(weights, placement, ENCODER, &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, NORM, hidden, encoder.eps)?,
            projection: Linear::load(weights, placement, PROJECTION, (width, hidden), false)?,
            end: self.eos_token_id,
        }))
    }
}

impl Tower {
    /// Truncates a text after its end token. A text without one is represented by its first token
    /// alone, as in transformers.
    fn truncate<'a>(&self, text: &'a [u32]) -> &'a [u32] {
        let end = match self.end {
            LARGEST => text.iter().copied().max().unwrap_or_default(),
            end => end,
        };
        let last = text.iter().position(|token| *token == end);
        &text[..=last.unwrap_or(0)]
    }
}

impl TextTower for Tower {
    fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        let texts: Vec<&[u32]> = texts.iter().map(|text| self.truncate(text)).collect();
        let TextRows { x, lengths } = self.words.forward(&texts)?;
        let x = self.encoder.forward(x, lengths.iter().copied())?;
        let x = self.norm.forward(&last_rows(&x, &lengths)?)?;
        self.projection.forward(&x)?.to_dtype(DType::F32)
    }
}
