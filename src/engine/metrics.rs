//! Measures a run: rates over a window, remaining time, answers being generated.

use super::messages::{InFlight, Progress, Stage};
use crate::labeler::RemoteCounts;
use crate::platform;
use crate::record::{GroupId, Timings};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Window of the current rates, in time at work.
const WINDOW: Duration = Duration::from_secs(60);
/// Interval between points of the throughput chart.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);
const MAX_SAMPLES: usize = 120;

/// Shared by the coordinator and the model's thread.
#[derive(Debug)]
pub struct Metrics(Mutex<Counters>);

#[derive(Debug)]
struct Counters {
    stage: Stage,
    stage_done: Option<f32>,
    /// By ticket.
    in_flight: BTreeMap<u64, InFlight>,
    worked: Worked,
    /// Number of icons with a final answer.
    finished: u64,
    stage_seconds: [f64; 4],
    /// When the icons in the window were finished, in time at work.
    icons: VecDeque<Duration>,
    /// Numbers of tokens generated in the window, with their times likewise.
    tokens: VecDeque<(Duration, usize)>,
    /// Tokens counted while an ended request was generated, until its final number is known; by
    /// ticket.
    counted: BTreeMap<u64, usize>,
    throughput: VecDeque<f64>,
    last_sample: Instant,
    remote: Option<RemoteCounts>,
}

/// Measures the time during which there was work.
#[derive(Debug, Default)]
struct Worked {
    /// Start of the current busy period.
    since: Option<Instant>,
    before: Duration,
}

impl Worked {
    fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    fn rest(&mut self, now: Instant) {
        self.before = self.time(now);
        self.since = None;
    }

    fn time(&self, now: Instant) -> Duration {
        let current = self.since.map_or(Duration::ZERO, |since| now - since);
        self.before + current
    }
}

impl Counters {
    /// The events per second of time at work in the window.
    fn per_second(&self, now: Instant, count: usize) -> f64 {
        match self.worked.time(now).min(WINDOW).as_secs_f64() {
            window if window > 0.0 => count as f64 / window,
            _ => 0.0,
        }
    }

    fn icons_per_minute(&mut self, now: Instant) -> f64 {
        let start = self.worked.time(now).saturating_sub(WINDOW);
        while self.icons.front().is_some_and(|at| *at < start) {
            self.icons.pop_front();
        }
        self.per_second(now, self.icons.len()) * 60.0
    }

    fn tokens_per_second(&mut self, now: Instant) -> f64 {
        let start = self.worked.time(now).saturating_sub(WINDOW);
        while self.tokens.front().is_some_and(|(at, _)| *at < start) {
            self.tokens.pop_front();
        }
        let tokens = self.tokens.iter().map(|(_, n)| n).sum();
        self.per_second(now, tokens)
    }

    /// Adds a point to the chart. Time without work is not part of it.
    fn add_sample(&mut self, now: Instant) {
        self.last_sample = now;
        let rate = self.icons_per_minute(now);
        self.throughput.push_back(rate);
        if self.throughput.len() > MAX_SAMPLES {
            self.throughput.pop_front();
        }
    }
}

impl Metrics {
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Counters {
            stage: Stage::Starting,
            stage_done: None,
            in_flight: BTreeMap::new(),
            worked: Worked::default(),
            finished: 0,
            stage_seconds: [0.0; 4],
            icons: VecDeque::new(),
            tokens: VecDeque::new(),
            counted: BTreeMap::new(),
            throughput: VecDeque::new(),
            last_sample: now,
            remote: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stage(&self, stage: Stage, done: Option<f32>) {
        let mut inner = self.lock();
        inner.stage = stage;
        inner.stage_done = done;
    }

    pub fn started(&self, now: Instant, ticket: u64, group: GroupId) {
        let mut inner = self.lock();
        inner.worked.begin(now);
        let answer = InFlight {
            group,
            text: String::new(),
            tokens: 0,
        };
        inner.in_flight.insert(ticket, answer);
    }

    /// Updates the text generated so far and its number of tokens.
    pub fn generated(&self, now: Instant, ticket: u64, text: String, tokens: usize) {
        let mut inner = self.lock();
        if let Some(answer) = inner.in_flight.get_mut(&ticket) {
            answer.text = text;
            let new = tokens.saturating_sub(answer.tokens);
            answer.tokens = tokens;
            let at = inner.worked.time(now);
            inner.tokens.push_back((at, new));
        }
    }

    pub fn ended(&self, ticket: u64) {
        let mut inner = self.lock();
        if let Some(ended) = inner.in_flight.remove(&ticket) {
            inner.counted.insert(ticket, ended.tokens);
        }
    }

    /// Ends all requests: the model has failed or has nothing left to do.
    pub fn all_ended(&self) {
        let mut inner = self.lock();
        inner.in_flight.clear();
    }

    pub fn remote(&self, counts: RemoteCounts) {
        self.lock().remote = Some(counts);
    }

    /// Marks the start of an idle period, which averages exclude. Every request has been handled.
    pub fn rest(&self, now: Instant) {
        let mut inner = self.lock();
        // A short run ends before the next point of the chart is due.
        if inner.worked.since.is_some() {
            inner.add_sample(now);
        }
        inner.worked.rest(now);
        inner.counted.clear();
    }

    /// Counts an icon whose last answer has arrived, good or bad.
    pub fn icon_finished(&self, now: Instant) {
        let mut inner = self.lock();
        inner.finished += 1;
        let at = inner.worked.time(now);
        inner.icons.push_back(at);
    }

    /// Adds the tokens and times of an answer. An icon may get several.
    pub fn answered(&self, now: Instant, ticket: u64, timings: &Timings, tokens: usize) {
        let mut inner = self.lock();
        inner.worked.begin(now);
        let spent = [
            timings.preprocess_ms,
            timings.vision_ms,
            timings.prefill_ms,
            timings.decode_ms,
        ];
        for (sum, ms) in inner.stage_seconds.iter_mut().zip(spent) {
            *sum += ms / 1000.0;
        }
        let counted = inner.counted.remove(&ticket).unwrap_or_default();
        let at = inner.worked.time(now);
        inner.tokens.push_back((at, tokens.saturating_sub(counted)));
    }

    pub fn stage_seconds(&self) -> [f64; 4] {
        self.lock().stage_seconds
    }

    /// Fills in the measured fields of `progress`, based on its counts.
    pub fn measure(&self, now: Instant, progress: &mut Progress) {
        let mut inner = self.lock();
        progress.icons_per_minute_now = inner.icons_per_minute(now);
        progress.tokens_per_second = inner.tokens_per_second(now);
        let busy = inner.worked.time(now).as_secs_f64();
        progress.icons_per_minute = match busy {
            w if w > 0.0 => inner.finished as f64 * 60.0 / w,
            _ => 0.0,
        };
        let rate = match progress.icons_per_minute_now {
            now if now > 0.0 => now,
            _ => progress.icons_per_minute,
        };
        let remaining = progress
            .total
            .saturating_sub(progress.already + progress.done + progress.following)
            as f64;
        progress.eta_seconds = (rate > 0.0 && !progress.reading).then(|| remaining * 60.0 / rate);
        let is_due = now.duration_since(inner.last_sample) >= SAMPLE_INTERVAL;
        if inner.worked.since.is_some() && is_due {
            inner.add_sample(now);
        }
        progress.stage = inner.stage;
        progress.stage_done = inner.stage_done;
        progress.in_flight = inner.in_flight.values().cloned().collect();
        progress.throughput = inner.throughput.iter().copied().collect();
        progress.stage_seconds = inner.stage_seconds;
        progress.resident_bytes = platform::resident_memory().unwrap_or_default();
        progress.remote = inner.remote;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_rates_use_the_last_minute_and_the_eta_the_remaining_groups() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for second in 0..120 {
            // One icon a second, then two.
            for _ in 0..=second / 60 {
                metrics.answered(at(second), second, &Timings::default(), 10);
                metrics.icon_finished(at(second));
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

    fn tokens_per_second(metrics: &Metrics, now: Instant) -> f64 {
        let mut progress = Progress::default();
        metrics.measure(now, &mut progress);
        progress.tokens_per_second
    }

    #[test]
    fn tokens_are_counted_once_while_they_are_generated() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        metrics.started(start, 7, GroupId(1));
        for second in 1..=10 {
            let tokens = 20 * second as usize;
            metrics.generated(at(second), 7, "{".to_owned(), tokens);
        }
        assert!((tokens_per_second(&metrics, at(10)) - 20.0).abs() < 0.5);
        metrics.ended(7);
        metrics.answered(at(10), 7, &Timings::default(), 210);
        assert!((tokens_per_second(&metrics, at(10)) - 21.0).abs() < 0.5);
    }

    #[test]
    fn tokens_of_a_failed_answer_are_not_taken_off_the_next_one() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for (ticket, written) in [(1, 100), (2, 0), (3, 50)] {
            metrics.started(start, ticket, GroupId(1));
            metrics.generated(at(1), ticket, "{".to_owned(), written);
        }
        // The first one failed, the second was reported at its end, the last one never ended.
        metrics.ended(1);
        metrics.answered(at(2), 1, &Timings::default(), 0);
        metrics.all_ended();
        metrics.answered(at(10), 2, &Timings::default(), 150);
        assert!((tokens_per_second(&metrics, at(10)) - 30.0).abs() < 0.5);
    }

    #[test]
    fn the_average_rate_is_over_the_time_at_work() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let average = |now: Instant| {
            let mut progress = Progress::default();
            metrics.measure(now, &mut progress);
            progress.icons_per_minute
        };
        metrics.started(start, 1, GroupId(1));
        metrics.icon_finished(at(10));
        metrics.rest(at(10));
        metrics.rest(at(500));
        assert!((average(at(1000)) - 6.0).abs() < 0.01);
        metrics.started(at(1000), 2, GroupId(2));
        metrics.icon_finished(at(1020));
        assert!((average(at(1020)) - 4.0).abs() < 0.01);
    }

    #[test]
    fn a_short_run_peaks_at_its_average_and_keeps_its_speed_while_idle() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let at = |millis: u64| start + Duration::from_millis(millis);
        let measured = |now: Instant| {
            let mut progress = Progress::default();
            metrics.measure(now, &mut progress);
            progress
        };
        metrics.started(start, 1, GroupId(1));
        metrics.icon_finished(at(2000));
        measured(at(2100));
        for icon in 2..15 {
            metrics.icon_finished(at(2000 + icon * 60));
        }
        metrics.rest(at(3000));
        let end = measured(at(3000));
        let peak = end.throughput.iter().copied().fold(0.0, f64::max);
        assert!(peak >= end.icons_per_minute, "{end:?}");
        for later in [10_000, 120_000] {
            let idle = measured(at(later));
            assert_eq!(idle.icons_per_minute_now, end.icons_per_minute_now);
            assert_eq!(idle.icons_per_minute, end.icons_per_minute);
            assert_eq!(idle.throughput, end.throughput);
        }
    }

    #[test]
    fn there_is_no_eta_before_the_first_answer() {
        let start = Instant::now();
        let metrics = Metrics::new(start);
        let mut progress = Progress::default();
        metrics.measure(start, &mut progress);
        assert_eq!(progress.eta_seconds, None);
        assert_eq!(progress.icons_per_minute, 0.0);
    }
}
