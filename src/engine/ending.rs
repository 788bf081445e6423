//! The end of a run: the threads come home, what they had finished is saved, and all is counted.

use super::messages::Summary;
use super::model_worker::FromModel;
use super::pipeline::{Input, Model, Pipeline};
use crate::error::Result;
use crate::record::GroupState;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a thread is waited for whose work is not wanted any more: it may be in the middle of
/// a file on a drive that does not answer, and ends with the process.
const GRACE: Duration = Duration::from_secs(3);

impl Pipeline {
    /// Ends the other threads and takes in what they had finished. A run that ends by an error waits
    /// for none of them for long.
    pub(super) fn dismiss(&mut self, by_error: bool) -> Result<()> {
        if self.state.outstanding.is_empty() {
            self.crew.ready.close();
        } else {
            self.crew.ready.cancel();
        }
        self.crew.stop_reading.store(true, Ordering::Relaxed);
        self.crew.prepare = None;
        // Loading cannot be interrupted; the thread ends with the process.
        if self.state.model == Model::Loading {
            self.crew.model = None;
        }
        let end = Instant::now() + GRACE;
        let threads = std::mem::take(&mut self.crew.threads);
        let model = self.crew.model.take();
        let mut saved = Ok(());
        let mut keep = |this: &mut Self, input: Input| {
            let finished = matches!(
                input,
                Input::Model(FromModel::Answered { .. } | FromModel::Refused { .. })
            );
            if finished && saved.is_ok() {
                saved = this.input(input);
            }
        };
        loop {
            let patient = Instant::now() < end;
            let waits = patient && threads.iter().any(|thread| !thread.is_finished());
            let answers =
                (patient || !by_error) && model.as_ref().is_some_and(|model| !model.is_finished());
            if !waits && !answers {
                break;
            }
            if let Ok(input) = self.inputs.recv_timeout(Duration::from_millis(20)) {
                keep(self, input);
            }
        }
        for input in self.inputs.clone().try_iter() {
            keep(self, input);
        }
        saved
    }

    pub(super) fn conclude(&mut self) -> Result<Summary> {
        // Whatever of the source was not read: nothing may be in no file when the run is over.
        let exports = &mut self.exports;
        let tally = self.journal.with(|journal| {
            exports.update(journal, true)?;
            exports.tally(journal)
        })?;
        self.look_for_displaced()?;
        self.tell_notices();
        self.publish();
        let counts = self.journal.with(|journal| journal.counts())?;
        let progress = &self.state.progress;
        let ended = progress.already + progress.done;
        Ok(Summary {
            rows: self.state.rows,
            groups: progress.total,
            records: ended.saturating_sub(progress.failed + self.state.open),
            new_records: self.state.new_records,
            pictures: std::mem::take(&mut self.state.pictures),
            damaged: tally.damaged.len() as u64,
            asked: self.state.asked,
            open: self.state.open,
            waiting: progress.total.saturating_sub(ended),
            failures: std::mem::take(&mut self.state.failures)
                .into_iter()
                .collect(),
            committed: counts.records,
            uncertain: counts.in_state(GroupState::Uncertain),
            by_reason: counts.by_reason,
            interrupted: self.state.interrupted,
            seconds: self.state.began.elapsed().as_secs_f64(),
            stage_seconds: self.meter.stage_seconds(),
            retries: self.state.retries,
            remote: progress.remote,
        })
    }
}
