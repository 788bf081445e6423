//! Counts the decisions of a session and their pace. A long break counts as a short one.

use crate::record::{Change, GroupId};
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

/// What a step of the session was for its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Effort(Effort),
    Decision,
}

impl Work {
    /// What a change of so many records was.
    pub fn of(change: &Change, records: usize) -> Self {
        match change {
            Change::Accept | Change::Reject { .. } => Self::Decision,
            // A bulk commit takes records that were decided earlier or not reviewed at all.
            Change::Commit if records == 1 => Self::Decision,
            Change::Commit | Change::Reopen | Change::SetNote { .. } => Self::Effort(Effort::None),
            Change::Fix { .. } => Self::Effort(Effort::Fixed),
            _ => Self::Effort(Effort::Edited),
        }
    }
}

#[derive(Debug, Clone)]
struct WorkStep {
    groups: Vec<GroupId>,
    work: Work,
    at: Instant,
}

#[derive(Debug)]
pub struct Pace {
    /// The steps of the session in effect, oldest first.
    steps: Vec<WorkStep>,
    /// The steps that were undone, the next one to redo last.
    undone: Vec<WorkStep>,
    counted: Counted,
    worked: Duration,
    last_decision: Instant,
}

/// What the steps in effect add up to.
#[derive(Debug, Default)]
struct Counted {
    /// Decided records with their effort.
    decided: HashMap<GroupId, Effort>,
    /// Decisions with their times, oldest first.
    log: Vec<(GroupId, Instant)>,
    /// Effort on records that are not decided yet.
    begun: HashMap<GroupId, Effort>,
}

impl Counted {
    fn add(&mut self, step: &WorkStep) {
        for id in &step.groups {
            let (efforts, effort) = match step.work {
                Work::Effort(effort) => (&mut self.begun, effort),
                Work::Decision => {
                    self.log.push((*id, step.at));
                    let effort = self.begun.remove(id).unwrap_or_default();
                    (&mut self.decided, effort)
                }
            };
            let before = efforts.entry(*id).or_default();
            *before = effort.max(*before);
        }
    }
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
            steps: Vec::new(),
            undone: Vec::new(),
            counted: Counted::default(),
            worked: Duration::ZERO,
            last_decision: now,
        }
    }

    /// Counts a step that changed records.
    pub fn add(&mut self, groups: &[GroupId], work: Work, now: Instant) {
        if work == Work::Decision {
            let pause = now.saturating_duration_since(self.last_decision);
            self.worked += pause.min(MAX_PAUSE);
            self.last_decision = now;
        }
        let step = WorkStep {
            groups: groups.to_vec(),
            work,
            at: now,
        };
        self.counted.add(&step);
        self.steps.push(step);
        self.undone.clear();
    }

    /// Takes back the last step.
    pub fn undo(&mut self) {
        // The step of an earlier session counts for nothing.
        let step = self.steps.pop().unwrap_or(WorkStep {
            groups: Vec::new(),
            work: Work::Effort(Effort::None),
            at: self.last_decision,
        });
        self.undone.push(step);
        self.counted = Counted::default();
        for step in &self.steps {
            self.counted.add(step);
        }
    }

    /// Counts the step that was undone last again.
    pub fn redo(&mut self) {
        if let Some(step) = self.undone.pop() {
            self.counted.add(&step);
            self.steps.push(step);
        }
    }

    pub fn worked(&self) -> Duration {
        self.worked
    }

    /// The decided records, newest first, each once.
    pub fn newest(&self) -> impl Iterator<Item = GroupId> + '_ {
        let mut seen = HashSet::new();
        let newest = self.counted.log.iter().rev().map(|(id, _)| *id);
        newest.filter(move |id| seen.insert(*id))
    }

    /// Number of decisions in each minute from the first decision to `now`, each record once.
    pub fn per_minute(&self, now: Instant, is_decided: impl Fn(GroupId) -> bool) -> Vec<u64> {
        let mut seen = HashSet::new();
        let newest = self.counted.log.iter().rev();
        let newest = newest.filter(|(id, _)| is_decided(*id) && seen.insert(*id));
        let times: Vec<Instant> = newest.map(|(_, at)| *at).collect();
        let Some(first) = times.last() else {
            return Vec::new();
        };
        let minute = |at: Instant| (at.saturating_duration_since(*first).as_secs() / 60) as usize;
        let mut minutes = vec![0; minute(now) + 1];
        for at in &times {
            minutes[minute(*at)] += 1;
        }
        minutes
    }

    /// Counts the records that are still decided; a decision may have been withdrawn.
    pub fn tally(&self, is_decided: impl Fn(GroupId) -> bool) -> Tally {
        let mut tally = Tally::default();
        for (_, effort) in self
            .counted
            .decided
            .iter()
            .filter(|(id, _)| is_decided(**id))
        {
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
    fn a_break_counts_as_two_minutes_and_a_record_once() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let [a, b, c] = [1, 2, 3].map(GroupId);
        pace.add(&[a], Work::Decision, at(20));
        pace.add(&[b], Work::Effort(Effort::Edited), at(30));
        pace.add(&[b, c], Work::Effort(Effort::Fixed), at(35));
        pace.add(&[b], Work::Decision, at(40));
        assert_eq!(pace.per_hour(2), None);
        // A break of an hour.
        pace.add(&[c], Work::Decision, at(3640));
        assert_eq!(pace.worked(), Duration::from_secs(160));
        assert_eq!(pace.per_hour(3), Some(67.5));
        assert_eq!(pace.seconds_left(3, 135), Some(7200.0));
        let tally = pace.tally(|_| true);
        assert_eq!((tally.unchanged, tally.fixed, tally.edited), (1, 1, 1));
        assert_eq!(pace.tally(|id| id != c).decided(), 2);
        // A second decision on a record does not count again.
        pace.add(&[b], Work::Decision, at(3650));
        assert_eq!(pace.tally(|_| true).decided(), 3);
        assert_eq!(pace.newest().collect::<Vec<_>>(), [b, c, a]);
        let minutes = pace.per_minute(at(3700), |_| true);
        assert_eq!((minutes[0], minutes[1], minutes[60]), (1, 0, 2));
        assert_eq!(minutes.len(), 62);
        assert_eq!(pace.per_minute(at(3700), |id| id == a)[0], 1);
    }

    #[test]
    fn an_undone_step_does_not_count_until_it_is_redone() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let [a, b] = [1, 2].map(GroupId);
        pace.add(&[a], Work::Effort(Effort::Edited), start);
        pace.undo();
        pace.add(&[a], Work::Decision, start);
        assert_eq!(pace.tally(|_| true).unchanged, 1);
        pace.add(&[b], Work::Effort(Effort::Fixed), start);
        pace.add(&[b], Work::Decision, start);
        pace.undo();
        assert_eq!(pace.per_minute(start, |_| true), [1]);
        pace.redo();
        let tally = pace.tally(|_| true);
        assert_eq!((tally.unchanged, tally.fixed), (1, 1));
        // One more than this session made.
        for _ in 0..4 {
            pace.undo();
        }
        assert_eq!(pace.tally(|_| true), Tally::default());
        pace.redo();
        assert_eq!(pace.tally(|_| true), Tally::default());
        pace.redo();
        assert_eq!(pace.tally(|_| true).decided(), 1);
        pace.undo();
        assert!(pace.per_minute(start, |_| true).is_empty());
    }
}
