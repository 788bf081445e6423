//! Measures a run: rates over a window, the time left, the text being written.

use super::messages::{InFlight, Progress, Stage};
use crate::labeler::RemoteCounts;
use crate::record::{GroupId, Timings};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rates of "now" look back this long.
const WINDOW: Duration = Duration::from_secs(60);
/// One point of the throughput line.
const SAMPLE: Duration = Duration::from_secs(2);
const SAMPLES: usize = 120;

/// Written by the coordinator and the model's thread.
#[derive(Debug)]
pub struct Metrics(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Stage,
    stage_done: Option<f32>,
    /// By ticket.
    in_flight: BTreeMap<u64, InFlight>,
    /// When the first piece of work began.
    began: Option<Instant>,
    finished: u64,
    stage_seconds: [f64; 4],
    /// When the answers of the last minute came.
    answers: VecDeque<Instant>,
    /// The tokens of the last minute, as they were written.
    tokens: VecDeque<(Instant, usize)>,
    /// Tokens of ended work that were counted while it was written.
    counted: usize,
    throughput: VecDeque<f64>,
    sampled: Instant,
    remote: Option<RemoteCounts>,
}

impl Metrics {
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Inner {
            stage: Stage::Starting,
            stage_done: None,
            in_flight: BTreeMap::new(),
            began: None,
            finished: 0,
            stage_seconds: [0.0; 4],
            answers: VecDeque::new(),
            tokens: VecDeque::new(),
            counted: 0,
            throughput: VecDeque::new(),
            sampled: now,
            remote: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stage(&self, stage: Stage, done: Option<f32>) {
        let mut inner = self.lock();
        inner.stage = stage;
        inner.stage_done = done;
    }

    pub fn started(&self, ticket: u64, group: GroupId) {
        let mut inner = self.lock();
        inner.began.get_or_insert_with(Instant::now);
        let writing = InFlight {
            group,
            text: String::new(),
            tokens: 0,
        };
        inner.in_flight.insert(ticket, writing);
    }

    /// The text so far, and of how many tokens it is.
    pub fn written(&self, now: Instant, ticket: u64, text: String, tokens: usize) {
        let mut inner = self.lock();
        if let Some(writing) = inner.in_flight.get_mut(&ticket) {
            writing.text = text;
            let new = tokens.saturating_sub(writing.tokens);
            writing.tokens = tokens;
            inner.tokens.push_back((now, new));
        }
    }

    pub fn ended(&self, ticket: u64) {
        let mut inner = self.lock();
        let ended = inner.in_flight.remove(&ticket);
        inner.counted += ended.map_or(0, |writing| writing.tokens);
    }

    /// The model has broken off or has nothing left to do.
    pub fn all_ended(&self) {
        let mut inner = self.lock();
        inner.in_flight.clear();
        inner.counted = 0;
    }

    pub fn remote(&self, counts: RemoteCounts) {
        self.lock().remote = Some(counts);
    }

    /// Counts an answer, good or bad.
    pub fn finished(&self, now: Instant, timings: &Timings, tokens: usize) {
        let mut inner = self.lock();
        inner.began.get_or_insert(now);
        inner.finished += 1;
        let spent = [
            timings.preprocess_ms,
            timings.vision_ms,
            timings.prefill_ms,
            timings.decode_ms,
        ];
        for (sum, ms) in inner.stage_seconds.iter_mut().zip(spent) {
            *sum += ms / 1000.0;
        }
        inner.answers.push_back(now);
        let counted = inner.counted.min(tokens);
        inner.counted -= counted;
        inner.tokens.push_back((now, tokens - counted));
    }

    pub fn stage_seconds(&self) -> [f64; 4] {
        self.lock().stage_seconds
    }

    /// Fills in the measured fields; the counts are the caller's.
    pub fn measure(&self, now: Instant, progress: &mut Progress) {
        let mut inner = self.lock();
        let is_old = |at: &Instant| now.duration_since(*at) > WINDOW;
        while inner.answers.front().is_some_and(is_old) {
            inner.answers.pop_front();
        }
        while inner.tokens.front().is_some_and(|(at, _)| is_old(at)) {
            inner.tokens.pop_front();
        }
        let since = inner.began.map_or(Duration::ZERO, |began| now - began);
        let window = since.min(WINDOW).as_secs_f64();
        let per_second = |count: usize| match window {
            w if w > 0.0 => count as f64 / w,
            _ => 0.0,
        };
        progress.icons_per_minute_now = per_second(inner.answers.len()) * 60.0;
        progress.tokens_per_second = per_second(inner.tokens.iter().map(|(_, n)| n).sum());
        let whole = since.as_secs_f64();
        progress.icons_per_minute = match whole {
            w if w > 0.0 => inner.finished as f64 * 60.0 / w,
            _ => 0.0,
        };
        let rate = match progress.icons_per_minute_now {
            now if now > 0.0 => now,
            _ => progress.icons_per_minute,
        };
        let left = progress
            .total
            .saturating_sub(progress.already + progress.done + progress.following)
            as f64;
        progress.eta_seconds = (rate > 0.0 && !progress.reading).then(|| left * 60.0 / rate);
        if now.duration_since(inner.sampled) >= SAMPLE {
            inner.sampled = now;
            inner.throughput.push_back(progress.icons_per_minute_now);
            if inner.throughput.len() > SAMPLES {
                inner.throughput.pop_front();
            }
        }
        progress.stage = inner.stage;
        progress.stage_done = inner.stage_done;
        progress.in_flight = inner.in_flight.values().cloned().collect();
        progress.throughput = inner.throughput.iter().copied().collect();
        progress.stage_seconds = inner.stage_seconds;
        progress.resident_bytes = resident_bytes();
        progress.remote = inner.remote;
    }
}

/// Memory of this process; 0 if the system does not report it.
fn resident_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_look_at_the_last_minute_and_the_eta_at_what_is_left() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for second in 0..120 {
            // One icon a second, then two.
            for _ in 0..=second / 60 {
                metrics.finished(at(second), &Timings::default(), 10);
            }
        }
        let mut progress = Progress {
            total: 300,
            done: 180,
            ..Progress::default()
        };
        metrics.measure(at(120), &mut progress);
        assert!((progress.icons_per_minute_now - 120.0).abs() < 3.0);
        assert!((progress.icons_per_minute - 90.0).abs() < 1.0);
        assert!((progress.tokens_per_second - 20.0).abs() < 0.5);
        assert!((progress.eta_seconds.unwrap() - 60.0).abs() < 2.0);
        assert_eq!(progress.throughput.len(), 1);
    }

    #[test]
    fn tokens_count_while_they_are_written_and_once() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| Instant::now() + Duration::from_secs(seconds);
        let rate = |now: Instant| {
            let mut progress = Progress::default();
            metrics.measure(now, &mut progress);
            progress.tokens_per_second
        };
        metrics.started(7, GroupId(1));
        for second in 1..=10 {
            let tokens = 20 * second as usize;
            metrics.written(at(second), 7, "{".to_owned(), tokens);
        }
        assert!((rate(at(10)) - 20.0).abs() < 0.5);
        metrics.ended(7);
        metrics.finished(at(10), &Timings::default(), 210);
        assert!((rate(at(10)) - 21.0).abs() < 0.5);
    }

    #[test]
    fn nothing_done_gives_no_eta() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let mut progress = Progress::default();
        metrics.measure(start, &mut progress);
        assert_eq!(progress.eta_seconds, None);
        assert_eq!(progress.icons_per_minute, 0.0);
    }
}
