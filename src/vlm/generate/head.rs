//! The head: from the hidden states of a step to logits. Where grammars allow few tokens, only
//! theirs are computed.

use super::logits::{self, LogitRow};
use super::sampling::{Mask, tokens_of};
use crate::vlm::model::Model;
use crate::vlm::nn::linear::Linear;
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// More tokens than these are no few: a grammar of Korean texts allows some 5,700 of 152,000.
const MOST: usize = 16 * 1024;

/// The head, with a copy of the part of it that grammars have needed so far.
#[derive(Default)]
pub(crate) struct Head {
    /// The tokens of that part, and the same in order.
    mask: Vec<u32>,
    tokens: Arc<[u32]>,
    part: Option<Part>,
}

enum Part {
    /// The rows of the matrix, where computing fewer takes less time.
    Rows(Linear),
    /// Where it does not: the columns of the logits that are fetched from the device.
    Columns(Tensor),
}

impl Head {
    /// The logits of each row of `hidden`, `(rows, hidden)`; of those whose mask is known, at least
    /// the logits of its tokens.
    pub fn logits(
        &mut self,
        model: &Model,
        hidden: &Tensor,
        masks: &[Option<&Mask>],
    ) -> Result<Vec<LogitRow>> {
        let few = self.take_in(model, masks)?;
        let mut rows: Vec<Option<LogitRow>> = Vec::new();
        rows.resize_with(masks.len(), || None);
        let others: Vec<usize> = (0..masks.len()).filter(|row| !few.contains(row)).collect();
        if let Some(part) = self.part.as_ref().filter(|_| !few.is_empty()) {
            let hidden = pick(hidden, &few)?;
            let logits = match part {
                Part::Rows(linear) => model.logits_of(linear, &hidden)?,
                Part::Columns(columns) => {
                    let all = model.logits(&hidden)?;
                    all.index_select(columns, 1)?.to_device(&Device::Cpu)?
                }
            };
            for (at, row) in few.iter().enumerate() {
                rows[*row] = Some(LogitRow::Few {
                    tokens: Arc::clone(&self.tokens),
                    logits: logits.narrow(0, at, 1)?,
                });
            }
        }
        if !others.is_empty() {
            let logits = model.logits(&pick(hidden, &others)?)?;
            let found = match model.pads_rows() {
                true => logits::best(&logits)?,
                false => logits::whole(&logits)?,
            };
            for (row, logits) in others.into_iter().zip(found) {
                rows[row] = Some(logits);
            }
        }
        Ok(rows.into_iter().flatten().collect())
    }

    /// The rows whose tokens are few; makes the part hold them.
    fn take_in(&mut self, model: &Model, masks: &[Option<&Mask>]) -> Result<Vec<usize>> {
        let mut wanted = self.mask.clone();
        let mut count = self.tokens.len();
        let mut few = Vec::new();
        for (row, mask) in masks.iter().enumerate() {
            let Some(mask) = mask else { continue };
            if wanted.len() < mask.len() {
                wanted.resize(mask.len(), 0);
            }
            let new = mask.iter().zip(&wanted).map(|(new, old)| new & !old);
            let new: usize = new.map(|word| word.count_ones() as usize).sum();
            if count + new <= MOST {
                count += new;
                for (wanted, word) in wanted.iter_mut().zip(*mask) {
                    *wanted |= word;
                }
                few.push(row);
            }
        }
        if count > self.tokens.len() {
            let tokens: Arc<[u32]> = tokens_of(&wanted).collect();
            self.part = Some(match model.pads_rows() {
                true => Part::Columns(Tensor::new(&*tokens, model.device())?),
                false => Part::Rows(model.head().select(&tokens)?),
            });
            self.tokens = tokens;
        }
        self.mask = wanted;
        Ok(few)
    }
}

/// These rows.
fn pick(hidden: &Tensor, rows: &[usize]) -> Result<Tensor> {
    if rows.len() == hidden.dim(0)? {
        return Ok(hidden.clone());
    }
    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    hidden.index_select(&Tensor::new(rows, hidden.device())?, 0)
}
