//! Ranges of numbers: `>0.5`, `<3`, `0.3..0.7`, `4`.

use crate::text::{Said, said};
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
    /// Parses a range whose lower bound does not exceed the upper one. `or_else` is the error for a
    /// text that is not a range.
    ///
    /// # Errors
    /// If it is not a range, or an empty one.
    pub(super) fn parse(
        text: &str,
        bare: BareNumber,
        or_else: impl FnOnce() -> Said,
    ) -> Result<Self, Said> {
        let range = Self::parse_any(text, bare).ok_or_else(or_else)?;
        match (range.min, range.max, text.split_once("..")) {
            (Bound::Included(min), Bound::Included(max), Some((first, second))) if min > max => {
                let (first, second) = (first.trim(), second.trim());
                Err(said!(
                    "`{text}` matches nothing, since {first} is more than {second}: write {second}..{first}",
                    "`{text}`{은} {first}{이} {second}보다 커서 빈 범위입니다. {second}..{first}{으로} 쓰세요"
                ))
            }
            _ => Ok(range),
        }
    }

    fn parse_any(text: &str, bare: BareNumber) -> Option<Self> {
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
