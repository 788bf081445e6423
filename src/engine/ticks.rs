//! How long the engine waits for something to do before it looks around.

use std::time::{Duration, Instant};

/// Progress is published, pending exports are written and a lost journal is noticed at least this
/// often.
const TICK: Duration = Duration::from_millis(200);
/// The same while nothing is going on, to save power.
const IDLE_TICK: Duration = Duration::from_secs(2);
/// Time without activity after which nothing is going on.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Ticks {
    last_activity: Instant,
}

impl Ticks {
    pub fn new(now: Instant) -> Self {
        Self { last_activity: now }
    }

    /// A command or a message has arrived.
    pub fn active(&mut self, now: Instant) {
        self.last_activity = now;
    }

    /// The longest wait for a command or a message.
    pub fn next(&self, now: Instant, is_busy: bool) -> Duration {
        match is_busy || now.duration_since(self.last_activity) < QUIET {
            true => TICK,
            false => IDLE_TICK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_rare_when_nothing_is_going_on() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ticks = Ticks::new(start);
        assert_eq!(ticks.next(at(1), false), TICK);
        assert_eq!(ticks.next(at(3), false), IDLE_TICK);
        assert_eq!(ticks.next(at(3), true), TICK);
        ticks.active(at(10));
        assert_eq!(ticks.next(at(11), false), TICK);
        assert_eq!(ticks.next(at(13), false), IDLE_TICK);
    }
}
