//! The first step of every text tower: the rows of words and of their places, added up; and the
//! rows that stand for the texts in the end.

use super::encoder::consecutive;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{Result, Tensor};
use std::ops::Range;

/// Looks up words and places.
#[derive(Debug)]
pub struct WordEmbedding {
    words: Linear,
    /// `(places, hidden)`.
    places: Tensor,
}

/// The rows of texts, one after the other.
pub struct TextRows {
    /// `(rows, hidden)`.
    pub x: Tensor,
    /// How many of them each text has.
    pub lengths: Vec<usize>,
}

impl WordEmbedding {
    /// `names` are those of words and places; sizes are their numbers and the width of a row.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        [words, places]: [&str; 2],
        (vocabulary, most, hidden): (usize, usize, usize),
    ) -> Result<Self> {
        Ok(Self {
            // Rows are only looked up in it.
            words: Linear::load_as(weights, placement, words, (vocabulary, hidden), None)?,
            places: placement.tensor(weights, &format!("{places}.weight"), &[most, hidden])?,
        })
    }

    /// Adds every tensor that [`Self::load`] reads.
    pub fn tensors(
        [words, places]: [&str; 2],
        (vocabulary, most, hidden): (usize, usize, usize),
        list: &mut TensorList,
    ) {
        list.add(
            Role::Exact,
            format!("{words}.weight"),
            &[vocabulary, hidden],
        );
        list.add(Role::Plain, format!("{places}.weight"), &[most, hidden]);
    }

    /// The tokens of each text to their rows.
    pub fn forward<T: AsRef<[u32]>>(&self, texts: &[T]) -> Result<TextRows> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.as_ref().len()).collect();
        let ids: Vec<u32> = texts.iter().flat_map(AsRef::as_ref).copied().collect();
        let places: Vec<u32> = lengths
            .iter()
            .flat_map(|length| 0..*length as u32)
            .collect();
        let device = self.places.device();
        let places = self.places.index_select(&Tensor::new(places, device)?, 0)?;
        let x = (self.words.rows(&Tensor::new(ids, device)?)? + places)?;
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

fn select(x: &Tensor, lengths: &[usize], place: impl Fn(Range<usize>) -> usize) -> Result<Tensor> {
    let texts = consecutive(lengths.iter().copied()).into_iter();
    let places: Vec<u32> = texts.map(|rows| place(rows) as u32).collect();
    x.index_select(&Tensor::new(places, x.device())?, 0)
}
