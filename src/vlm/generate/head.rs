//! Computes logits from the hidden states of a step. If a grammar allows few tokens, only theirs
//! are computed.

use super::logits::{self, LogitRow};
use super::sampling::{Mask, tokens_of};
use crate::vlm::model::Model;
use crate::vlm::nn::linear::Linear;
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// Size limit of the subset. A grammar of Korean text allows about 5,700 of 152,000 tokens.
const MAX_SUBSET: usize = 16 * 1024;

/// The output head, with a copy of the subset of its tokens that grammars have allowed so far.
#[derive(Default)]
pub(crate) struct OutputHead {
    /// The tokens of the subset, as a mask and as a sorted list.
    mask: Vec<u32>,
    tokens: Arc<[u32]>,
    subset: Option<Subset>,
}

enum Subset {
    /// Rows of the head's matrix, where computing fewer rows is faster.
    Rows(Linear),
    /// Elsewhere, the columns of the logits to fetch from the device.
    Columns(Tensor),
}

impl OutputHead {
    /// Computes the logits of each row of `hidden`, `(rows, hidden)`. A row with a mask may get only
    /// the logits of a subset that contains the mask.
    pub fn logits(
        &mut self,
        model: &Model,
        hidden: &Tensor,
        masks: &[Option<&Mask>],
    ) -> Result<Vec<LogitRow>> {
        let masked = self.extend_subset(model, masks)?;
        let mut rows: Vec<Option<LogitRow>> = Vec::new();
        rows.resize_with(masks.len(), || None);
        let others: Vec<usize> = (0..masks.len())
            .filter(|row| !masked.contains(row))
            .collect();
        if let Some(subset) = self.subset.as_ref().filter(|_| !masked.is_empty()) {
            let hidden = select_rows(hidden, &masked)?;
            let logits = match subset {
                Subset::Rows(linear) => model.logits_with(linear, &hidden)?,
                Subset::Columns(columns) => {
                    let all = model.logits(&hidden)?;
                    all.index_select(columns, 1)?.to_device(&Device::Cpu)?
                }
            };
            for (at, row) in masked.iter().enumerate() {
                rows[*row] = Some(LogitRow::Subset {
                    tokens: Arc::clone(&self.tokens),
                    logits: logits.narrow(0, at, 1)?,
                });
            }
        }
        if !others.is_empty() {
            let logits = model.logits(&select_rows(hidden, &others)?)?;
            let found = match model.pads_rows() {
                true => logits::top_rows(&logits)?,
                false => logits::full_rows(&logits)?,
            };
            for (row, logits) in others.into_iter().zip(found) {
                rows[row] = Some(logits);
            }
        }
        Ok(rows.into_iter().flatten().collect())
    }

    /// Extends the subset by the masks that fit. Returns the rows that the subset covers.
    fn extend_subset(&mut self, model: &Model, masks: &[Option<&Mask>]) -> Result<Vec<usize>> {
        let mut wanted = self.mask.clone();
        let mut count = self.tokens.len();
        let mut covered = Vec::new();
        for (row, mask) in masks.iter().enumerate() {
            let Some(mask) = mask else { continue };
            if wanted.len() < mask.len() {
                wanted.resize(mask.len(), 0);
            }
            let new = mask.iter().zip(&wanted).map(|(new, old)| new & !old);
            let new: usize = new.map(|word| word.count_ones() as usize).sum();
            if count + new <= MAX_SUBSET {
                count += new;
                for (wanted, word) in wanted.iter_mut().zip(*mask) {
                    *wanted |= word;
                }
                covered.push(row);
            }
        }
        if count > self.tokens.len() {
            let tokens: Arc<[u32]> = tokens_of(&wanted).collect();
            self.subset = Some(match model.pads_rows() {
                true => Subset::Columns(Tensor::new(&*tokens, model.device())?),
                false => Subset::Rows(model.head().select(&tokens)?),
            });
            self.tokens = tokens;
        }
        self.mask = wanted;
        Ok(covered)
    }
}

fn select_rows(hidden: &Tensor, rows: &[usize]) -> Result<Tensor> {
    if rows.len() == hidden.dim(0)? {
        return Ok(hidden.clone());
    }
    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    hidden.index_select(&Tensor::new(rows, hidden.device())?, 0)
}
