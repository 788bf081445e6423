//! Token and position embeddings, the first layer of every text tower, and the selection of the row
//! that represents each text at the end.

use super::encoder::consecutive;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{Result, Tensor};
use std::ops::Range;

/// Token and position embeddings.
#[derive(Debug)]
pub struct WordEmbedding {
    words: Linear,
    /// `(positions, hidden)`.
    positions: Tensor,
}

/// The concatenated rows of texts.
pub struct TextRows {
    /// `(rows, hidden)`.
    pub x: Tensor,
    /// Number of rows of each text.
    pub lengths: Vec<usize>,
}

impl WordEmbedding {
    /// Takes the tensor names of words and positions, their counts, and the hidden size.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        [words, positions]: [&str; 2],
        (vocabulary, most, hidden): (usize, usize, usize),
    ) -> Result<Self> {
        Ok(Self {
            // Not quantized: it is never multiplied.
            words: Linear::load_as(weights, placement, words, (vocabulary, hidden), None)?,
            positions: placement.tensor(
                weights,
                &format!("{positions}.weight"),
                &[most, hidden],
            )?,
        })
    }

    /// Lists every tensor that [`Self::load`] reads.
    pub fn tensors(
        [words, positions]: [&str; 2],
        (vocabulary, most, hidden): (usize, usize, usize),
        list: &mut TensorList,
    ) {
        list.add(
            Role::Exact,
            format!("{words}.weight"),
            &[vocabulary, hidden],
        );
        list.add(Role::Plain, format!("{positions}.weight"), &[most, hidden]);
    }

    /// Embeds the tokens of each text.
    pub fn forward<T: AsRef<[u32]>>(&self, texts: &[T]) -> Result<TextRows> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.as_ref().len()).collect();
        let ids: Vec<u32> = texts.iter().flat_map(AsRef::as_ref).copied().collect();
        let positions: Vec<u32> = lengths
            .iter()
            .flat_map(|length| 0..*length as u32)
            .collect();
        let device = self.positions.device();
        let positions = Tensor::new(positions, device)?;
        let positions = self.positions.index_select(&positions, 0)?;
        let x = (self.words.rows(&Tensor::new(ids, device)?)? + positions)?;
        Ok(TextRows { x, lengths })
    }
}

/// The first row of each text: `(rows, hidden)` to `(texts, hidden)`.
pub fn first_rows(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    select(x, lengths, |rows| rows.start)
}

/// The last row of each text: `(rows, hidden)` to `(texts, hidden)`.
pub fn last_rows(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    select(x, lengths, |rows| rows.end - 1)
}

fn select(x: &Tensor, lengths: &[usize], choose: impl Fn(Range<usize>) -> usize) -> Result<Tensor> {
    let texts = consecutive(lengths.iter().copied()).into_iter();
    let rows: Vec<u32> = texts.map(|rows| choose(rows) as u32).collect();
    x.index_select(&Tensor::new(rows, x.device())?, 0)
}
