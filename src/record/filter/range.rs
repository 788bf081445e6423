//! Ranges of numbers: `>0.5`, `<3`, `0.3..0.7`, `4`.

use std::ops::{Bound, RangeBounds};

/// A range of numbers in a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    min: Bound<f32>,
    max: Bound<f32>,
}

/// The meaning of a number without a comparison sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BareNumber {
    AtLeast,
    Exactly,
}

impl Range {
    /// Parses a range; `None` if the text is not one.
    pub(super) fn parse(text: &str, bare: BareNumber) -> Option<Self> {
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|n| n.is_finite());
        let open = Bound::Unbounded;
        if let Some((min, max)) = text.split_once("..") {
            let bound = |text: &str| match text.is_empty() {
                true => Some(open),
                false => number(text).map(Bound::Included),
            };
            let range = Self {
                min: bound(min)?,
                max: bound(max)?,
            };
            return (range.min != open || range.max != open).then_some(range);
        }
        let (sign, rest) =
            text.split_at(text.len() - text.trim_start_matches(['<', '>', '=']).len());
        let number = number(rest)?;
        let (min, max) = match (sign, bare) {
            (">", _) => (Bound::Excluded(number), open),
            (">=", _) | ("", BareNumber::AtLeast) => (Bound::Included(number), open),
            ("<", _) => (open, Bound::Excluded(number)),
            ("<=", _) => (open, Bound::Included(number)),
            ("=", _) | ("", BareNumber::Exactly) => {
                (Bound::Included(number), Bound::Included(number))
            }
            _ => return None,
        };
        Some(Self { min, max })
    }

    /// The same range of shares, from one of percentages.
    pub(super) fn percent(self) -> Self {
        let share = |bound: Bound<f32>| bound.map(|number| number / 100.0);
        Self {
            min: share(self.min),
            max: share(self.max),
        }
    }

    /// Whether no bound is negative or greater than `most`.
    pub(super) fn is_within(&self, most: f32) -> bool {
        [self.min, self.max].into_iter().all(|bound| match bound {
            Bound::Included(number) | Bound::Excluded(number) => (0.0..=most).contains(&number),
            Bound::Unbounded => true,
        })
    }

    pub(super) fn contains(&self, number: f32) -> bool {
        (self.min, self.max).contains(&number)
    }
}
