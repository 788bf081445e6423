//! Blind votes between two texts of one image.

use super::Rate;
use super::sample::chance;
use crate::record::GroupId;
use serde::{Deserialize, Serialize};

/// A vote on which of two texts is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    A,
    B,
    Equal,
}

impl Vote {
    /// The vote with A and B exchanged.
    pub fn swapped(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
            Self::Equal => Self::Equal,
        }
    }
}

/// The tally of all votes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VoteTally {
    pub a: u64,
    pub b: u64,
    pub equal: u64,
    /// The share of votes for B among the votes for A or B.
    pub b_wins: Rate,
}

impl VoteTally {
    pub fn of(votes: impl IntoIterator<Item = Vote>) -> Self {
        let (mut a, mut b, mut equal) = (0, 0, 0);
        for vote in votes {
            match vote {
                Vote::A => a += 1,
                Vote::B => b += 1,
                Vote::Equal => equal += 1,
            }
        }
        Self {
            a,
            b,
            equal,
            b_wins: Rate::new(b, a + b),
        }
    }

    /// The text that won significantly more votes, if any.
    pub fn winner(&self) -> Option<Vote> {
        if self.b_wins.low > 0.5 {
            return Some(Vote::B);
        }
        (self.b_wins.high < 0.5).then_some(Vote::A)
    }

    pub fn total(&self) -> u64 {
        self.a + self.b + self.equal
    }
}

/// Whether the text of A is shown first in this pair.
pub fn shows_a_first(seed: u64, pair: usize) -> bool {
    shuffle_key(!seed, pair) & 1 == 0
}

/// Sort key that shuffles the pairs.
pub fn shuffle_key(seed: u64, pair: usize) -> u64 {
    chance(seed, GroupId(pair as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_winner_needs_more_than_chance() {
        let votes = |a, b| {
            let all = [vec![Vote::A; a], vec![Vote::B; b], vec![Vote::Equal; 3]];
            VoteTally::of(all.concat())
        };
        assert_eq!(votes(4, 6).winner(), None);
        assert_eq!(votes(10, 40).winner(), Some(Vote::B));
        assert_eq!(votes(40, 10).winner(), Some(Vote::A));
        let tally = votes(10, 40);
        assert_eq!((tally.total(), tally.b_wins.rate), (53, Some(0.8)));
    }

    #[test]
    fn each_text_is_shown_first_about_equally_often() {
        let first = (0..1000).filter(|pair| shows_a_first(3, *pair)).count();
        assert!((430..570).contains(&first), "{first}");
    }
}
