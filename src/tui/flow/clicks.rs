//! Two clicks that follow each other fast, in one place.

use ratatui::layout::Position;
use std::time::{Duration, Instant};

/// The longest time between the two.
const FAST: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub struct Clicks {
    last: Option<(Position, Instant)>,
}

impl Clicks {
    /// Takes a click; whether it is the second one.
    pub fn is_second(&mut self, at: Position, now: Instant) -> bool {
        let second = self.last.take().is_some_and(|(place, then)| {
            let near = place.y == at.y && place.x.abs_diff(at.x) <= 1;
            near && now.saturating_duration_since(then) <= FAST
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
            clicks.is_second(Position::new(x, 4), now)
        };
        assert!(!click(10, 0));
        assert!(click(11, 300));
        // A third one begins anew.
        assert!(!click(11, 400));
        assert!(!click(11, 1000));
        assert!(!click(20, 1100));
    }
}
