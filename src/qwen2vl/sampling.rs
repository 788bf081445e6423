//! From logits to a token: greedy or by chance, within what a constraint allows.

use super::ops::log_sum_exp;
use crate::error::{Error, ErrorKind, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What may come next, said by something that is not the model, such as an output grammar.
pub trait Constraint: Send {
    /// Tokens that must come next whatever the model thinks, in order; none where it has a choice.
    /// They are not taken as said until [`Constraint::advance`] is called for each.
    fn forced(&mut self) -> Result<Vec<u32>>;
    /// The tokens that may come next: bit `i % 32` of word `i / 32` stands for token `i`.
    fn allowed(&mut self) -> Result<&[u32]>;
    /// `token` has been said.
    fn advance(&mut self, token: u32) -> Result<()>;
    /// Nothing more may be said.
    fn finished(&self) -> bool;
}

/// How to choose.
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

/// One request's chooser; the same seed gives the same choices.
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

    /// Chooses from one row of logits among the tokens of `allowed` (all, where it is `None`) that
    /// are not in `banned`.
    pub fn choose(
        &mut self,
        logits: &[f32],
        allowed: Option<&[u32]>,
        banned: &[u32],
    ) -> Result<Choice> {
        let open = |token: u32| match allowed {
            None => true,
            Some(words) => words
                .get(token as usize / 32)
                .is_some_and(|word| word >> (token % 32) & 1 == 1),
        };
        let candidates = || {
            (0u32..)
                .zip(logits)
                .filter(|(token, _)| open(*token) && !banned.contains(token))
        };
        let mut best: Option<(u32, f32)> = None;
        for (token, logit) in candidates() {
            if best.is_none_or(|(_, most)| *logit > most) && !logit.is_nan() {
                best = Some((token, *logit));
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
    fn what_is_not_allowed_is_not_chosen_but_still_counts() {
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
}
