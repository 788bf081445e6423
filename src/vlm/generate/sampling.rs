//! Chooses tokens from logits: greedy or random, within a constraint.

use crate::error::{Error, ErrorKind, Result};
use crate::vlm::nn::simd::log_sum_exp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A set of tokens: bit `i % 32` of word `i / 32` is token `i`.
pub type Mask = [u32];

/// Iterates over the tokens of a mask in ascending order.
pub fn tokens_of(mask: &Mask) -> impl Iterator<Item = u32> + '_ {
    let words = mask.iter().zip((0u32..).step_by(32));
    words.flat_map(|(word, first)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (bit < 32).then_some(first + bit)
        })
    })
}

/// Restricts the next tokens, for example to an output grammar.
pub trait Constraint: Send {
    /// The tokens that must come next, in order; empty if there is a choice. Does not advance the
    /// constraint; call [`Constraint::advance`] for each.
    fn forced(&mut self) -> Result<Vec<u32>>;
    /// The tokens that may come next.
    fn allowed(&mut self) -> Result<&Mask>;
    /// Records that `token` was generated.
    fn advance(&mut self, token: u32) -> Result<()>;
    /// Whether nothing more may come.
    fn finished(&self) -> bool;
    /// The allowed token to take when a known answer is replayed; `None` to let the model choose.
    fn known(&mut self) -> Result<Option<u32>> {
        Ok(None)
    }
}

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the most probable token.
    pub temperature: f64,
    pub seed: u64,
}

impl Sampling {
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        seed: 0,
    };
}

/// The sampler of one request. The same seed gives the same choices.
pub struct Sampler {
    temperature: f64,
    random: StdRng,
}

/// A chosen token and its natural log-probability among the tokens that have logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampledToken {
    pub token: u32,
    pub logprob: f32,
}

impl Sampler {
    pub fn new(sampling: Sampling) -> Self {
        Self {
            temperature: sampling.temperature,
            random: StdRng::seed_from_u64(sampling.seed),
        }
    }

    /// Whether it takes the most probable token.
    pub fn is_greedy(&self) -> bool {
        self.temperature <= 0.0
    }

    /// Chooses one of `tokens`, or of the whole vocabulary if `None`, by their logits; never one of
    /// `banned`.
    pub fn choose(
        &mut self,
        tokens: Option<&[u32]>,
        logits: &[f32],
        banned: &[u32],
    ) -> Result<SampledToken> {
        let token_at = |at: usize| tokens.map_or(at as u32, |tokens| tokens[at]);
        let open = |at: usize| banned.is_empty() || !banned.contains(&token_at(at));
        let mut best: Option<(usize, f32)> = None;
        for (start, chunk) in (0..).step_by(32).zip(logits.chunks(32)) {
            // Most chunks contain nothing larger; one vectorized test skips all 32.
            if let Some((_, most)) = best
                && !chunk.iter().fold(false, |any, logit| any | (*logit > most))
            {
                continue;
            }
            for (at, logit) in (start..).zip(chunk) {
                let better = best.is_none_or(|(_, most)| *logit > most) && !logit.is_nan();
                if better && open(at) {
                    best = Some((at, *logit));
                }
            }
        }
        let Some((best, top)) = best else {
            return Err(Error::new(
                ErrorKind::Model,
                "the grammar allows no token, or all logits are NaN",
            ));
        };
        let at = if self.temperature > 0.0 {
            let weight = |logit: f32| (f64::from(logit - top) / self.temperature).exp();
            let candidates = || logits.iter().enumerate().filter(|(at, _)| open(*at));
            let total: f64 = candidates().map(|(_, logit)| weight(*logit)).sum();
            let mut rest = self.random.random::<f64>() * total;
            let drawn = candidates().find(|(_, logit)| {
                rest -= weight(**logit);
                rest < 0.0
            });
            drawn.map_or(best, |(at, _)| at)
        } else {
            best
        };
        Ok(SampledToken {
            token: token_at(at),
            logprob: logits[at] - log_sum_exp(logits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_mask_come_in_order() {
        let mask = [1 | 1 << 31, 0, 0b110];
        assert_eq!(tokens_of(&mask).collect::<Vec<_>>(), [0, 31, 65, 66]);
        assert_eq!(tokens_of(&[]).count(), 0);
    }

    const LOGITS: [f32; 5] = [0.0, 3.0, 1.0, 3.0, -1.0];

    #[test]
    fn greedy_takes_the_first_of_equal_logits() {
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let choice = sampler.choose(None, &LOGITS, &[]).unwrap();
        assert_eq!(choice.token, 1);
        let total: f32 = LOGITS.iter().map(|logit| logit.exp()).sum();
        assert!((choice.logprob - (3f32.exp() / total).ln()).abs() < 1e-6);
    }

    #[test]
    fn a_banned_token_is_not_chosen_but_counts_in_probabilities() {
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let free = sampler.choose(None, &LOGITS, &[]).unwrap();
        let restricted = sampler.choose(None, &LOGITS, &[1, 3]).unwrap();
        assert_eq!(restricted.token, 2);
        assert!((free.logprob - restricted.logprob - 2.0).abs() < 1e-5);
        assert!(sampler.choose(Some(&[]), &[], &[]).is_err());
        assert!(sampler.choose(None, &[f32::NAN; 3], &[]).is_err());
    }

    #[test]
    fn a_seed_is_reproducible_and_temperature_spreads_choices() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling {
                temperature: 1.0,
                seed,
            });
            let choices = (0..2000).map(|_| sampler.choose(None, &LOGITS, &[]).unwrap().token);
            choices.collect::<Vec<u32>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let total: f32 = LOGITS.iter().map(|logit| logit.exp()).sum();
        let count = draw(7).iter().filter(|token| **token == 2).count();
        let expected = 2000.0 * 1f32.exp() / total;
        assert!((count as f32 - expected).abs() < 0.3 * expected);
    }

    #[test]
    fn the_largest_logit_is_found_at_any_index() {
        let logits: Vec<f32> = (0..70).map(|i| (i * 37 % 70) as f32).collect();
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let mut chosen = Vec::new();
        for _ in 0..logits.len() {
            chosen.push(sampler.choose(None, &logits, &chosen).unwrap().token);
        }
        let by_logit: Vec<f32> = chosen.iter().map(|token| logits[*token as usize]).collect();
        let falling: Vec<f32> = (0..70).rev().map(|i| i as f32).collect();
        assert_eq!(by_logit, falling);
        assert!(sampler.choose(None, &logits, &chosen).is_err());
        // A subset keeps its token ids.
        let choice = sampler.choose(Some(&[7, 900]), &[1.0, 2.0], &[]).unwrap();
        assert_eq!(choice.token, 900);
        let choice = sampler.choose(Some(&[7, 900]), &[1.0, 2.0], &[900]);
        assert_eq!(choice.unwrap().token, 7);
    }
}
