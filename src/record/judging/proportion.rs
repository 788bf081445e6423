//! A proportion in a sample with its exact confidence interval.

use crate::text::percent;
use serde::Serialize;
use statrs::function::beta::beta_reg;
use std::fmt;

/// Significance level of the interval, half on each side.
const ALPHA: f64 = 0.05;
/// Bisection steps; more do not change any digit.
const BISECTIONS: usize = 50;

/// A proportion in a sample with its exact (Clopper-Pearson) 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    pub hits: u64,
    pub of: u64,
    /// `None` if the sample is empty.
    pub rate: Option<f64>,
    pub low: f64,
    pub high: f64,
}

impl Rate {
    pub fn new(hits: u64, of: u64) -> Self {
        let (low, high) = interval(hits as f64, of as f64);
        Self {
            hits,
            of,
            rate: (of > 0).then(|| hits as f64 / of as f64),
            low,
            high,
        }
    }

    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// Language-independent: `2.5 % (0.8-5.7 %)`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let percent = |share: f64| percent(share, 1);
        match self.rate {
            Some(rate) => write!(f, "{} % ", percent(rate))?,
            None => write!(f, "? % ")?,
        }
        write!(f, "({}-{} %)", percent(self.low), percent(self.high))
    }
}

/// The confidence interval for `hits` out of `of`, which may be fractional.
pub(super) fn interval(hits: f64, of: f64) -> (f64, f64) {
    let misses = of - hits;
    let low = match hits > 0.0 {
        true => quantile(ALPHA / 2.0, hits, misses + 1.0),
        false => 0.0,
    };
    let high = match misses > 0.0 {
        true => quantile(1.0 - ALPHA / 2.0, hits + 1.0, misses),
        false => 1.0,
    };
    (low, high)
}

/// The quantile of the beta distribution.
fn quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        match beta_reg(a, b, middle) < probability {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cumulative binomial probability, which defines the limits.
    fn at_most(hits: u64, of: u64, p: f64) -> f64 {
        let mut term = (1.0 - p).powf(of as f64);
        let mut sum = term;
        for k in 0..hits {
            term *= (of - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            sum += term;
        }
        sum
    }

    #[test]
    fn limits_match_the_binomial_tail_probabilities() {
        for (hits, of) in [(1, 10), (3, 10), (5, 200), (10, 100), (57, 200), (2, 600)] {
            let rate = Rate::new(hits, of);
            let (above, below) = (
                1.0 - at_most(hits - 1, of, rate.low),
                at_most(hits, of, rate.high),
            );
            assert!((above - 0.025).abs() < 1e-9, "{hits} of {of}: {above}");
            assert!((below - 0.025).abs() < 1e-9, "{hits} of {of}: {below}");
        }
    }

    #[test]
    fn a_rate_is_displayed_with_its_interval() {
        assert_eq!(Rate::new(5, 200).to_string(), "2.5 % (0.8-5.7 %)");
        assert_eq!(Rate::new(0, 0).to_string(), "? % (0.0-100.0 %)");
    }

    #[test]
    fn limits_match_reference_values() {
        // From R's binom.test.
        let known = [
            (0, 10, 0.0, 0.308_497_1),
            (1, 10, 0.002_528_579, 0.445_016_1),
            (10, 100, 0.049_004_69, 0.176_222_6),
            (10, 10, 0.691_502_9, 1.0),
        ];
        for (hits, of, low, high) in known {
            let rate = Rate::new(hits, of);
            assert!((rate.low - low).abs() < 1e-6, "{rate:?}");
            assert!((rate.high - high).abs() < 1e-6, "{rate:?}");
        }
        let nothing = Rate::new(0, 0);
        assert_eq!((nothing.rate, nothing.low, nothing.high), (None, 0.0, 1.0));
    }
}
