//! Ranges of numbers: `>0.5`, `<3`, `0.3..0.7`, `4`.

use std::ops::{Bound, RangeBounds};

/// The numbers that a filter asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    least: Bound<f32>,
    most: Bound<f32>,
}

/// The meaning of a number that stands bare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BareNumber {
    AtLeast,
    Exactly,
}

impl Range {
    /// `None` where it is no range.
    pub(super) fn parse(text: &str, bare: BareNumber) -> Option<Self> {
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
        let free = Bound::Unbounded;
        if let Some((least, most)) = text.split_once("..") {
            let bound = |text: &str| match text.is_empty() {
                true => Some(free),
                false => number(text).map(Bound::Included),
            };
            let range = Self {
                least: bound(least)?,
                most: bound(most)?,
            };
            return (range.least != free || range.most != free).then_some(range);
        }
        let (sign, rest) =
            text.split_at(text.len() - text.trim_start_matches(['<', '>', '=']).len());
        let number = number(rest)?;
        let (least, most) = match (sign, bare) {
            (">", _) => (Bound::Excluded(number), free),
            (">=", _) | ("", BareNumber::AtLeast) => (Bound::Included(number), free),
            ("<", _) => (free, Bound::Excluded(number)),
            ("<=", _) => (free, Bound::Included(number)),
            ("=", _) | ("", BareNumber::Exactly) => {
                (Bound::Included(number), Bound::Included(number))
            }
            _ => return None,
        };
        Some(Self { least, most })
    }

    pub(super) fn contains(&self, number: f32) -> bool {
        (self.least, self.most).contains(&number)
    }
}
