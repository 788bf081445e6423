//! Detects double clicks.

use ratatui::layout::Position;
use std::time::{Duration, Instant};

/// Longest time between the two clicks.
const MAX_DELAY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub struct Clicks {
    last: Option<(Position, Instant)>,
}

impl Clicks {
    /// Records a click; returns whether it completes a double click.
    pub fn is_double(&mut self, at: Position, now: Instant) -> bool {
        let second = self.last.take().is_some_and(|(place, then)| {
            let near = place.y == at.y && place.x.abs_diff(at.x) <= 1;
            near && now.saturating_duration_since(then) <= MAX_DELAY
        });
        if !second {
            self.last = Some((at, now));
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fast_clicks_in_one_place_are_a_double_click() {
        let start = Instant::now();
        let mut clicks = Clicks::default();
        let mut click = |x, millis| {
            let now = start + Duration::from_millis(millis);
            clicks.is_double(Position::new(x, 4), now)
        };
        assert!(!click(10, 0));
        assert!(click(11, 300));
        // A third click starts over.
        assert!(!click(11, 400));
        assert!(!click(11, 1000));
        assert!(!click(20, 1100));
    }
}
