//! The logits of one row. On the CPU they are read in place. From an accelerator, only the largest
//! are fetched, and the full row only if those are not enough.

use super::sampling::{Mask, SampledToken, Sampler, tokens_of};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::nn::ops::with_slice;
use crate::vlm::nn::simd::log_sum_exp;
use candle_core::{D, Device, Tensor};
use std::sync::Arc;

/// Number of consecutive tokens that are fetched together.
const RUN: usize = 64;
/// Number of runs fetched per row: those with the largest logits.
const FETCHED_RUNS: usize = 8;

/// The logits of one row.
pub(crate) enum LogitRow {
    /// `(1, vocabulary)` on the CPU.
    Full(Tensor),
    Top(TopLogits),
    /// `(1, tokens)` on the CPU, for these tokens only.
    Subset {
        tokens: Arc<[u32]>,
        logits: Tensor,
    },
}

/// The largest logits of a row whose full logits stay on the accelerator.
pub(crate) struct TopLogits {
    /// The first token of each fetched run and its logits, in token order.
    runs: Vec<(u32, Vec<f32>)>,
    /// Upper bound of the logits that were not fetched.
    rest: f32,
    /// `ln(sum(e^x))` over the full row.
    log_sum: f32,
    /// The full row, `(1, vocabulary)` on the accelerator.
    row: Tensor,
}

/// Splits logits, `(rows, vocabulary)` in f32 on the CPU, into rows.
pub(crate) fn full_rows(logits: &Tensor) -> candle_core::Result<Vec<LogitRow>> {
    let rows = 0..logits.dim(0)?;
    rows.map(|row| Ok(LogitRow::Full(logits.narrow(0, row, 1)?)))
        .collect()
}

/// Splits logits on any device into rows and fetches only what a greedy choice needs.
pub(crate) fn top_rows(logits: &Tensor) -> candle_core::Result<Vec<LogitRow>> {
    let (rows, vocabulary) = logits.dims2()?;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let device = logits.device();
    let runs = vocabulary.div_ceil(RUN);
    let padded = match runs * RUN - vocabulary {
        0 => logits.clone(),
        more => {
            let padding = Tensor::full(f32::NEG_INFINITY, (rows, more), device)?;
            Tensor::cat(&[logits, &padding], 1)?
        }
    };
    let most = padded.reshape((rows, runs, RUN))?.max(D::Minus1)?;
    let order = most.arg_sort_last_dim(false)?;
    let fetched = FETCHED_RUNS.min(runs);
    let chosen = order.narrow(1, 0, fetched)?.contiguous()?;
    let first: Vec<u32> = (0..rows).map(|row| (row * runs) as u32).collect();
    let places = chosen.broadcast_add(&Tensor::from_vec(first, (rows, 1), device)?)?;
    let values = padded
        .reshape((rows * runs, RUN))?
        .index_select(&places.flatten_all()?, 0)?
        .reshape((rows, fetched * RUN))?;
    let rest = match fetched < runs {
        true => most.gather(&order.narrow(1, fetched, 1)?.contiguous()?, 1)?,
        false => Tensor::full(f32::NEG_INFINITY, (rows, 1), device)?,
    };
    let top = most.max_keepdim(1)?;
    let sum = logits.broadcast_sub(&top)?.exp()?.sum_keepdim(1)?;
    let log_sum = (sum.log()? + top)?;
    let packed = Tensor::cat(&[values, rest, log_sum], 1)?.to_vec2::<f32>()?;
    let chosen = chosen.to_vec2::<u32>()?;
    let each = packed.into_iter().zip(chosen).enumerate();
    let each = each.map(|(row, (packed, chosen))| {
        let Some((values, &[rest, log_sum])) = packed.split_last_chunk() else {
            candle_core::bail!("a row of logits is incomplete")
        };
        let runs = chosen.iter().map(|run| run * RUN as u32);
        let mut runs: Vec<(u32, Vec<f32>)> =
            runs.zip(values.chunks(RUN).map(<[f32]>::to_vec)).collect();
        runs.sort_by_key(|(first, _)| *first);
        Ok(LogitRow::Top(TopLogits {
            runs,
            rest,
            log_sum,
            row: logits.narrow(0, row, 1)?,
        }))
    });
    each.collect()
}

impl LogitRow {
    /// Chooses a token, restricted to `allowed` if a grammar applies. With `known`, chooses that
    /// token.
    pub fn choose(
        &self,
        sampler: &mut Sampler,
        allowed: Option<&Mask>,
        known: Option<u32>,
        banned: &[u32],
    ) -> Result<SampledToken> {
        if let Self::Top(top) = self
            && sampler.is_greedy()
            && allowed.is_none()
            && let Some(choice) = top.choose(banned)
        {
            return Ok(choice);
        }
        self.with_logits(|tokens, all| {
            let Some(mask) = allowed else {
                return sampler.choose(None, all, banned);
            };
            let (mut candidates, mut logits) = (Vec::new(), Vec::new());
            match tokens {
                Some(tokens) => {
                    for (token, logit) in tokens.iter().zip(all) {
                        let word = mask.get(*token as usize / 32).copied().unwrap_or(0);
                        if word >> (token % 32) & 1 == 1 {
                            candidates.push(*token);
                            logits.push(*logit);
                        }
                    }
                }
                None => {
                    candidates
                        .extend(tokens_of(mask).take_while(|token| (*token as usize) < all.len()));
                    logits.extend(candidates.iter().map(|token| all[*token as usize]));
                }
            }
            let choice = sampler.choose(Some(&candidates), &logits, banned)?;
            match known.map(|known| candidates.binary_search(&known)) {
                None => Ok(choice),
                Some(Ok(at)) => Ok(SampledToken {
                    token: candidates[at],
                    logprob: logits[at] - log_sum_exp(&logits),
                }),
                Some(Err(_)) => Err(Error::new(
                    ErrorKind::Internal,
                    "the grammar does not allow the known token",
                )),
            }
        })
    }

    /// Calls `f` with the logits and their tokens, `None` if they cover the vocabulary in order.
    fn with_logits<R>(&self, f: impl FnOnce(Option<&[u32]>, &[f32]) -> Result<R>) -> Result<R> {
        let failure = "cannot sample from the model's logits";
        let fetched;
        let (tokens, row) = match self {
            Self::Full(row) => (None, row),
            Self::Subset { tokens, logits } => (Some(&**tokens), logits),
            Self::Top(top) => {
                let row = top.row.to_device(&Device::Cpu);
                fetched = row.context(ErrorKind::Model, failure)?;
                (None, &fetched)
            }
        };
        with_slice(row, |logits| Ok(f(tokens, logits))).context(ErrorKind::Model, failure)?
    }
}

impl TopLogits {
    /// The first token with the largest logit that is not banned. `None` if it may not be among the
    /// fetched ones.
    fn choose(&self, banned: &[u32]) -> Option<SampledToken> {
        let mut best: Option<(u32, f32)> = None;
        for (first, logits) in &self.runs {
            for (token, logit) in (*first..).zip(logits) {
                let better = best.is_none_or(|(_, most)| *logit > most) && *logit > self.rest;
                if better && !banned.contains(&token) {
                    best = Some((token, *logit));
                }
            }
        }
        best.map(|(token, logit)| SampledToken {
            token,
            logprob: logit - self.log_sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::generate::sampling::Sampling;

    /// Keeps the logits of the mask's tokens and of every fifth token.
    fn subset(full: &LogitRow, mask: &Mask) -> LogitRow {
        let LogitRow::Full(row) = full else {
            panic!("a row on the CPU");
        };
        let tokens = (0..row.dim(1).unwrap() as u32)
            .filter(|token| token % 5 == 0 || mask[*token as usize / 32] >> (token % 32) & 1 == 1);
        let tokens: Vec<u32> = tokens.collect();
        let places = Tensor::new(&*tokens, &Device::Cpu).unwrap();
        LogitRow::Subset {
            logits: row.index_select(&places, 1).unwrap(),
            tokens: tokens.into(),
        }
    }

    #[test]
    fn a_known_token_has_its_probability_among_the_allowed_tokens() {
        let row = Tensor::new(&[[0f32, 3.0, 1.0, 2.0]], &Device::Cpu).unwrap();
        let row = LogitRow::Full(row);
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let mut choose = |known| row.choose(&mut sampler, Some(&[0b1101]), Some(known), &[]);
        let choice = choose(2).unwrap();
        assert_eq!(choice.token, 2);
        let sum = 0f32.exp() + 1f32.exp() + 2f32.exp();
        assert!((choice.logprob - (1f32.exp() / sum).ln()).abs() < 1e-6);
        assert!(choose(1).is_err(), "the grammar does not allow it");
    }

    #[test]
    fn top_logits_and_subsets_give_the_choice_of_the_full_row() {
        for vocabulary in [40, 64, 1000, 5000] {
            let logits = Tensor::randn(0f32, 4.0, (6, vocabulary), &Device::Cpu).unwrap();
            // Equal logits are common in bf16.
            let logits = (logits.round().unwrap() * 0.5).unwrap();
            let full = full_rows(&logits).unwrap();
            let top = top_rows(&logits).unwrap();
            let words = vocabulary.div_ceil(32);
            for (row, (full, top)) in full.iter().zip(&top).enumerate() {
                let random = |i: usize| {
                    (i as u32 + 7)
                        .wrapping_mul(2_654_435_761)
                        .rotate_left(row as u32)
                };
                let masks = [
                    None,
                    Some(vec![u32::MAX; words]),
                    Some((0..words).map(random).collect()),
                    Some((0..words).map(|i| u32::from(i == words / 2)).collect()),
                ];
                for mask in &masks {
                    for temperature in [0.0, 1.0] {
                        let mut samplers =
                            [0; 2].map(|seed| Sampler::new(Sampling { temperature, seed }));
                        let banned = [3, 17];
                        let mut choose = |row: &LogitRow, i: usize| {
                            row.choose(&mut samplers[i], mask.as_deref(), None, &banned)
                                .unwrap()
                        };
                        let (a, b) = (choose(full, 0), choose(top, 1));
                        assert_eq!(a.token, b.token, "{vocabulary} {temperature}");
                        assert!((a.logprob - b.logprob).abs() < 1e-4);
                        let Some(mask) = mask else { continue };
                        let subset = subset(full, mask);
                        let mut sampler = Sampler::new(Sampling {
                            temperature,
                            seed: 0,
                        });
                        let c = subset
                            .choose(&mut sampler, Some(mask), None, &banned)
                            .unwrap();
                        assert_eq!(a, c, "logits of other tokens do not matter");
                    }
                }
            }
        }
    }
}
