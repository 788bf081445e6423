//! The logits of one row. On the CPU they are read in place; of those on an accelerator only the
//! best are fetched, and a whole row where that is not enough.

use super::sampling::{Choice, Mask, Sampler, tokens_of};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::nn::ops::with_slice;
use crate::vlm::nn::vectors::log_sum_exp;
use candle_core::{D, Device, Tensor};
use std::sync::Arc;

/// Tokens that follow each other and are fetched together.
const RUN: usize = 64;
/// Runs that are fetched of a row: those with the largest logits.
const FETCHED: usize = 8;

/// The logits of one row.
pub(crate) enum LogitRow {
    /// `(1, vocabulary)` on the CPU.
    Whole(Tensor),
    Best(BestLogits),
    /// `(1, tokens)` on the CPU, of these tokens alone.
    Few {
        tokens: Arc<[u32]>,
        logits: Tensor,
    },
}

pub(crate) struct BestLogits {
    /// The first token of each run and its logits, in the order of tokens.
    runs: Vec<(u32, Vec<f32>)>,
    /// No other logit is larger.
    rest: f32,
    /// The log of the sum of the exponentials of all.
    log_sum: f32,
    /// All, `(1, vocabulary)` on the accelerator.
    row: Tensor,
}

/// The rows of logits, `(rows, vocabulary)` in f32 on the CPU.
pub(crate) fn whole(logits: &Tensor) -> candle_core::Result<Vec<LogitRow>> {
    let rows = 0..logits.dim(0)?;
    rows.map(|row| Ok(LogitRow::Whole(logits.narrow(0, row, 1)?)))
        .collect()
}

/// The same on any device, with no more fetched from it than a greedy choice needs.
pub(crate) fn best(logits: &Tensor) -> candle_core::Result<Vec<LogitRow>> {
    let (rows, vocabulary) = logits.dims2()?;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let device = logits.device();
    let runs = vocabulary.div_ceil(RUN);
    let whole = match runs * RUN - vocabulary {
        0 => logits.clone(),
        more => {
            let none = Tensor::full(f32::NEG_INFINITY, (rows, more), device)?;
            Tensor::cat(&[logits, &none], 1)?
        }
    };
    let most = whole.reshape((rows, runs, RUN))?.max(D::Minus1)?;
    let order = most.arg_sort_last_dim(false)?;
    let fetched = FETCHED.min(runs);
    let chosen = order.narrow(1, 0, fetched)?.contiguous()?;
    let first: Vec<u32> = (0..rows).map(|row| (row * runs) as u32).collect();
    let places = chosen.broadcast_add(&Tensor::from_vec(first, (rows, 1), device)?)?;
    let values = whole
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
    let numbers = Tensor::cat(&[values, rest, log_sum], 1)?.to_vec2::<f32>()?;
    let chosen = chosen.to_vec2::<u32>()?;
    let each = numbers.into_iter().zip(chosen).enumerate();
    let each = each.map(|(row, (numbers, chosen))| {
        let Some((values, &[rest, log_sum])) = numbers.split_last_chunk() else {
            candle_core::bail!("a row of logits is incomplete")
        };
        let runs = chosen.iter().map(|run| run * RUN as u32);
        let mut runs: Vec<(u32, Vec<f32>)> =
            runs.zip(values.chunks(RUN).map(<[f32]>::to_vec)).collect();
        runs.sort_by_key(|(first, _)| *first);
        Ok(LogitRow::Best(BestLogits {
            runs,
            rest,
            log_sum,
            row: logits.narrow(0, row, 1)?,
        }))
    });
    each.collect()
}

impl LogitRow {
    /// Chooses a token, of those in `allowed` where a grammar says which may come. With `known` it
    /// is that one.
    pub fn choose(
        &self,
        sampler: &mut Sampler,
        allowed: Option<&Mask>,
        known: Option<u32>,
        banned: &[u32],
    ) -> Result<Choice> {
        if let Self::Best(best) = self
            && sampler.is_greedy()
            && allowed.is_none()
            && let Some(choice) = best.choose(banned)
        {
            return Ok(choice);
        }
        self.with_numbers(|tokens, numbers| {
            let Some(mask) = allowed else {
                return sampler.choose(None, numbers, banned);
            };
            let (mut few, mut logits) = (Vec::new(), Vec::new());
            match tokens {
                Some(tokens) => {
                    for (token, logit) in tokens.iter().zip(numbers) {
                        let word = mask.get(*token as usize / 32).copied().unwrap_or(0);
                        if word >> (token % 32) & 1 == 1 {
                            few.push(*token);
                            logits.push(*logit);
                        }
                    }
                }
                None => {
                    few.extend(
                        tokens_of(mask).take_while(|token| (*token as usize) < numbers.len()),
                    );
                    logits.extend(few.iter().map(|token| numbers[*token as usize]));
                }
            }
            let choice = sampler.choose(Some(&few), &logits, banned)?;
            match known.map(|known| few.binary_search(&known)) {
                None => Ok(choice),
                Some(Ok(at)) => Ok(Choice {
                    token: few[at],
                    logprob: logits[at] - log_sum_exp(&logits),
                }),
                Some(Err(_)) => Err(Error::new(
                    ErrorKind::Internal,
                    "the known token is none that the grammar allows",
                )),
            }
        })
    }

    /// Calls `f` with the logits and whose they are, which are all in order where it is `None`.
    fn with_numbers<R>(&self, f: impl FnOnce(Option<&[u32]>, &[f32]) -> Result<R>) -> Result<R> {
        let doing = "cannot sample from the model's logits";
        let fetched;
        let (tokens, row) = match self {
            Self::Whole(row) => (None, row),
            Self::Few { tokens, logits } => (Some(&**tokens), logits),
            Self::Best(best) => {
                let row = best.row.to_device(&Device::Cpu);
                fetched = row.context(ErrorKind::Model, doing)?;
                (None, &fetched)
            }
        };
        with_slice(row, |numbers| Ok(f(tokens, numbers))).context(ErrorKind::Model, doing)?
    }
}

impl BestLogits {
    /// The first of the best tokens that may be chosen, if it is certainly among the fetched ones.
    fn choose(&self, banned: &[u32]) -> Option<Choice> {
        let mut best: Option<(u32, f32)> = None;
        for (first, logits) in &self.runs {
            for (token, logit) in (*first..).zip(logits) {
                let better = best.is_none_or(|(_, most)| *logit > most) && *logit > self.rest;
                if better && !banned.contains(&token) {
                    best = Some((token, *logit));
                }
            }
        }
        best.map(|(token, logit)| Choice {
            token,
            logprob: logit - self.log_sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::generate::sampling::Sampling;

    /// The logits of the mask's tokens and of a few more.
    fn few(whole: &LogitRow, mask: &Mask) -> LogitRow {
        let LogitRow::Whole(row) = whole else {
            panic!("a row on the CPU");
        };
        let tokens = (0..row.dim(1).unwrap() as u32)
            .filter(|token| token % 5 == 0 || mask[*token as usize / 32] >> (token % 32) & 1 == 1);
        let tokens: Vec<u32> = tokens.collect();
        let places = Tensor::new(&*tokens, &Device::Cpu).unwrap();
        LogitRow::Few {
            logits: row.index_select(&places, 1).unwrap(),
            tokens: tokens.into(),
        }
    }

    #[test]
    fn a_known_token_is_taken_with_its_probability_among_the_allowed() {
        let row = Tensor::new(&[[0f32, 3.0, 1.0, 2.0]], &Device::Cpu).unwrap();
        let row = LogitRow::Whole(row);
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let mut choose = |known| row.choose(&mut sampler, Some(&[0b1101]), Some(known), &[]);
        let choice = choose(2).unwrap();
        assert_eq!(choice.token, 2);
        let sum = 0f32.exp() + 1f32.exp() + 2f32.exp();
        assert!((choice.logprob - (1f32.exp() / sum).ln()).abs() < 1e-6);
        assert!(choose(1).is_err(), "the grammar does not allow it");
    }

    /// Whole rows and the best of them give the same, whatever may be chosen.
    #[test]
    fn the_best_logits_are_enough() {
        for vocabulary in [40, 64, 1000, 5000] {
            let logits = Tensor::randn(0f32, 4.0, (6, vocabulary), &Device::Cpu).unwrap();
            // Equal logits are common in bf16.
            let logits = (logits.round().unwrap() * 0.5).unwrap();
            let whole = whole(&logits).unwrap();
            let best = best(&logits).unwrap();
            let words = vocabulary.div_ceil(32);
            for (row, (whole, best)) in whole.iter().zip(&best).enumerate() {
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
                        let (a, b) = (choose(whole, 0), choose(best, 1));
                        assert_eq!(a.token, b.token, "{vocabulary} {temperature}");
                        assert!((a.logprob - b.logprob).abs() < 1e-4);
                        let Some(mask) = mask else { continue };
                        let few = few(whole, mask);
                        let mut sampler = Sampler::new(Sampling {
                            temperature,
                            seed: 0,
                        });
                        let c = few.choose(&mut sampler, Some(mask), None, &banned).unwrap();
                        assert_eq!(a, c, "the others' logits do not count");
                    }
                }
            }
        }
    }
}
