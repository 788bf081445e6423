//! From logits to a token: greedy or random, within a constraint.

use crate::error::{Error, ErrorKind, Result};
use crate::vlm::nn::ops::log_sum_exp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Restricts the next tokens, for example to an output grammar.
pub trait Constraint: Send {
    /// The tokens that must come next, in order; none where there is a choice. The constraint stays
    /// where it is until [`Constraint::advance`] is called for each.
    fn forced(&mut self) -> Result<Vec<u32>>;
    /// The tokens that may come next: bit `i % 32` of word `i / 32` is token `i`.
    fn allowed(&mut self) -> Result<&[u32]>;
    /// `token` was generated.
    fn advance(&mut self, token: u32) -> Result<()>;
    /// Whether nothing more may come.
    fn finished(&self) -> bool;
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

/// A chosen token and its natural log-probability among all tokens, allowed or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
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

    /// Chooses from one row of logits among the tokens of `allowed` (all, where it is `None`) that
    /// are not in `banned`.
    pub fn choose(
        &mut self,
        logits: &[f32],
        allowed: Option<&[u32]>,
        banned: &[u32],
    ) -> Result<Choice> {
        // The tokens of each word of `allowed` that has any, and which of them may be chosen.
        let words = || {
            let chunks = (0u32..).step_by(32).zip(logits.chunks(32));
            chunks.filter_map(|(first, logits)| {
                let mut open = match allowed {
                    None => u32::MAX,
                    Some(words) => words.get(first as usize / 32).copied().unwrap_or(0),
                };
                for token in banned {
                    if let Some(bit @ 0..32) = token.checked_sub(first) {
                        open &= !(1 << bit);
                    }
                }
                (open != 0).then_some((first, open, logits))
            })
        };
        let candidates = || {
            words().flat_map(|(first, open, logits)| {
                let each = (first..).zip(logits);
                each.filter(move |(token, _)| open >> (token - first) & 1 == 1)
            })
        };
        let mut best: Option<(u32, f32)> = None;
        for (first, open, logits) in words() {
            // Most words hold nothing better, which is seen for all 32 at once.
            if let Some((_, most)) = best
                && !logits
                    .iter()
                    .fold(false, |any, logit| any | (*logit > most))
            {
                continue;
            }
            for (token, logit) in (first..).zip(logits) {
                let better = best.is_none_or(|(_, most)| *logit > most) && !logit.is_nan();
                if better && open >> (token - first) & 1 == 1 {
                    best = Some((token, *logit));
                }
            }
        }
        let Some((best, top)) = best else {
            return Err(Error::new(
                ErrorKind::Model,
                "the grammar leaves no token, or the model gave no numbers",
            ));
        };
        let token = if self.temperature > 0.0 {
            let weight = |logit: f32| (f64::from(logit - top) / self.temperature).exp();
            let total: f64 = candidates().map(|(_, logit)| weight(*logit)).sum();
            let mut rest = self.random.random::<f64>() * total;
            let drawn = candidates().find(|(_, logit)| {
                rest -= weight(**logit);
                rest < 0.0
            });
            drawn.map_or(best, |(token, _)| token)
        } else {
            best
        };
        Ok(Choice {
            token,
            logprob: logits[token as usize] - log_sum_exp(logits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 3.0, 1.0, 3.0, -1.0];

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let choice = sampler.choose(&LOGITS, None, &[]).unwrap();
        assert_eq!(choice.token, 1);
        let total: f32 = LOGITS.iter().map(|logit| logit.exp()).sum();
        assert!((choice.logprob - (3f32.exp() / total).ln()).abs() < 1e-6);
    }

    #[test]
    fn a_forbidden_token_is_not_chosen_but_counts_in_probabilities() {
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let free = sampler.choose(&LOGITS, None, &[]).unwrap();
        let held = sampler.choose(&LOGITS, Some(&[0b10101]), &[2]).unwrap();
        assert_eq!(held.token, 0);
        assert!((free.logprob - held.logprob - 3.0).abs() < 1e-5);
        assert!(sampler.choose(&LOGITS, Some(&[0]), &[]).is_err());
        assert!(sampler.choose(&[f32::NAN; 3], None, &[]).is_err());
    }

    #[test]
    fn a_seed_repeats_and_temperature_spreads() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling {
                temperature: 1.0,
                seed,
            });
            let choices = (0..2000).map(|_| sampler.choose(&LOGITS, None, &[]).unwrap().token);
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
    fn the_best_is_found_in_any_word_of_the_allowed() {
        let logits: Vec<f32> = (0..70).map(|i| (i * 37 % 70) as f32).collect();
        let mut sampler = Sampler::new(Sampling::GREEDY);
        let mut chosen = Vec::new();
        for _ in 0..logits.len() {
            chosen.push(sampler.choose(&logits, None, &chosen).unwrap().token);
        }
        let by_logit: Vec<f32> = chosen.iter().map(|token| logits[*token as usize]).collect();
        let falling: Vec<f32> = (0..70).rev().map(|i| i as f32).collect();
        assert_eq!(by_logit, falling);
        assert!(sampler.choose(&logits, None, &chosen).is_err());

        let only = |token: u32| {
            let mut words = [0u32; 3];
            words[token as usize / 32] = 1 << (token % 32);
            words
        };
        for token in [0, 31, 32, 69] {
            let choice = sampler.choose(&logits, Some(&only(token)), &[]);
            assert_eq!(choice.unwrap().token, token);
        }
        let short = sampler.choose(&logits, Some(&only(69)[..2]), &[]);
        assert!(short.is_err(), "a token beyond the words is not allowed");
    }
}
