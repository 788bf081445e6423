//! Counts the decisions of a session and their pace. Breaks do not count.

use crate::record::GroupId;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Longest time between two decisions that counts as work.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// Least work and fewest decisions for a pace.
const MIN_WORK: Duration = Duration::from_secs(60);
const MIN_DECIDED: usize = 3;

/// Work on a record before its decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    #[default]
    None,
    /// Only numbered fixes.
    Fixed,
    Edited,
}

#[derive(Debug)]
pub struct Pace {
    /// Decided records with their effort.
    decided: HashMap<GroupId, Effort>,
    /// Decisions with their times, oldest first.
    log: Vec<(GroupId, Instant)>,
    /// Effort on records that are not decided yet.
    begun: HashMap<GroupId, Effort>,
    worked: Duration,
    last_decision: Instant,
}

/// Number of decided records by effort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub unchanged: usize,
    pub fixed: usize,
    pub edited: usize,
}

impl Tally {
    pub fn decided(self) -> usize {
        self.unchanged + self.fixed + self.edited
    }
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self {
            decided: HashMap::new(),
            log: Vec::new(),
            begun: HashMap::new(),
            worked: Duration::ZERO,
            last_decision: now,
        }
    }

    pub fn add_effort(&mut self, groups: &[GroupId], effort: Effort) {
        for id in groups {
            let before = self.begun.entry(*id).or_default();
            *before = effort.max(*before);
        }
    }

    pub fn add_decisions(&mut self, groups: &[GroupId], now: Instant) {
        self.worked += now
            .saturating_duration_since(self.last_decision)
            .min(MAX_PAUSE);
        self.last_decision = now;
        for id in groups {
            self.log.push((*id, now));
            let effort = self.begun.remove(id).unwrap_or_default();
            let before = self.decided.entry(*id).or_default();
            *before = effort.max(*before);
        }
    }

    pub fn worked(&self) -> Duration {
        self.worked
    }

    /// The decided records, newest first, each once.
    pub fn newest(&self) -> impl Iterator<Item = GroupId> + '_ {
        let mut seen = HashSet::new();
        let newest = self.log.iter().rev().map(|(id, _)| *id);
        newest.filter(move |id| seen.insert(*id))
    }

    /// Number of decisions in each minute from the first decision to `now`.
    pub fn per_minute(&self, now: Instant) -> Vec<u64> {
        let Some((_, first)) = self.log.first() else {
            return Vec::new();
        };
        let minute = |at: Instant| (at.saturating_duration_since(*first).as_secs() / 60) as usize;
        let mut minutes = vec![0; minute(now) + 1];
        for (_, at) in &self.log {
            minutes[minute(*at)] += 1;
        }
        minutes
    }

    /// Counts the records that are still decided; undo may have taken a decision back.
    pub fn tally(&self, is_decided: impl Fn(GroupId) -> bool) -> Tally {
        let mut tally = Tally::default();
        for (_, effort) in self.decided.iter().filter(|(id, _)| is_decided(**id)) {
            *match effort {
                Effort::None => &mut tally.unchanged,
                Effort::Fixed => &mut tally.fixed,
                Effort::Edited => &mut tally.edited,
            } += 1;
        }
        tally
    }

    /// Records per hour; `None` until there is enough work to estimate it.
    pub fn per_hour(&self, decided: usize) -> Option<f64> {
        let known = self.worked >= MIN_WORK && decided >= MIN_DECIDED;
        known.then(|| decided as f64 * 3600.0 / self.worked.as_secs_f64())
    }

    /// Estimated seconds to decide the `open` records.
    pub fn seconds_left(&self, decided: usize, open: u64) -> Option<f64> {
        Some(open as f64 * 3600.0 / self.per_hour(decided)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_and_undone_decisions_do_not_count() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let [a, b, c] = [1, 2, 3].map(GroupId);
        pace.add_decisions(&[a], at(20));
        pace.add_effort(&[b], Effort::Edited);
        pace.add_effort(&[b, c], Effort::Fixed);
        pace.add_decisions(&[b], at(40));
        assert_eq!(pace.per_hour(2), None);
        // A break of an hour counts as two minutes.
        pace.add_decisions(&[c], at(3640));
        assert_eq!(pace.worked(), Duration::from_secs(160));
        assert_eq!(pace.per_hour(3), Some(67.5));
        assert_eq!(pace.seconds_left(3, 135), Some(7200.0));
        let tally = pace.tally(|_| true);
        assert_eq!((tally.unchanged, tally.fixed, tally.edited), (1, 1, 1));
        assert_eq!(pace.tally(|id| id != c).decided(), 2);
        // A second decision on a record does not count again.
        pace.add_decisions(&[b], at(3650));
        assert_eq!(pace.tally(|_| true).decided(), 3);
        assert_eq!(pace.newest().collect::<Vec<_>>(), [b, c, a]);
        let minutes = pace.per_minute(at(3700));
        assert_eq!((minutes[0], minutes[1], minutes[60]), (2, 0, 2));
        assert_eq!(minutes.len(), 62);
    }
}
