//! The text tower: tokens to vectors.

use super::config::TextConfig;
use super::encoder::{Encoder, LayerNorm, encoder_tensors};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{DType, Result, Tensor};

const TOKENS: &str = "text_model.embeddings.token_embedding";
const POSITIONS: &str = "text_model.embeddings.position_embedding.weight";

#[derive(Debug)]
pub struct TextTower {
    tokens: Linear,
    /// `(max_position_embeddings, hidden)`.
    positions: Tensor,
    encoder: Encoder,
    norm: LayerNorm,
    head: Linear,
    placement: Placement,
}

impl TextTower {
    /// Calls `loaded` after each layer.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        config: &TextConfig,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let (hidden, encoder) = (config.hidden_size, config.encoder());
        let rows = (config.vocab_size, hidden);
        let positions = [config.max_position_embeddings, hidden];
        let norm = "text_model.final_layer_norm";
        let head = (config.projection(), hidden);
        Ok(Self {
            // Rows are only looked up in it.
            tokens: Linear::load_as(weights, placement, TOKENS, rows, None)?,
            positions: placement.tensor(weights, POSITIONS, &positions)?,
            encoder: Encoder::load(weights, placement, "text_model.encoder", &encoder, loaded)?,
            norm: LayerNorm::load(weights, placement, norm, hidden, encoder.eps)?,
            head: Linear::load(weights, placement, "text_model.head", head, true)?,
            placement: placement.clone(),
        })
    }

    /// Adds every tensor that [`Self::load`] reads.
    pub fn tensors(config: &TextConfig, list: &mut TensorList) {
        let hidden = config.hidden_size;
        list.linear(TOKENS, (config.vocab_size, hidden), false);
        list.add(POSITIONS, &[config.max_position_embeddings, hidden]);
        encoder_tensors("text_model.encoder", &config.encoder(), list);
        list.norm("text_model.final_layer_norm", hidden, true);
        list.linear("text_model.head", (config.projection(), hidden), true);
    }

    /// The tokens of texts of one length, one after the other, to `(texts, projection)` in f32.
    pub fn forward(&self, ids: &[u32], length: usize) -> Result<Tensor> {
        let texts = ids.len() / length;
        let device = &self.placement.device;
        let ids = Tensor::from_slice(ids, texts * length, device)?;
        let x = self.tokens.rows(&ids)?;
        let hidden = x.dim(1)?;
        let x = x
            .reshape((texts, length, hidden))?
            .broadcast_add(&self.positions.narrow(0, 0, length)?)?
            .reshape((texts * length, hidden))?;
        let x = self.encoder.forward(x, length)?;
        // The last row stands for the text, be it of a word or of padding.
        let last: Vec<u32> = (1..=texts).map(|text| (text * length - 1) as u32).collect();
        let x = x.index_select(&Tensor::new(last, device)?, 0)?;
        let x = self.head.forward(&self.norm.forward(&x)?)?;
        x.to_dtype(DType::F32)
    }
}
