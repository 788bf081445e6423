//! The end of a run: the threads come home, what they had finished is saved, and all is counted.

use super::messages::Summary;
use super::model_worker::FromModel;
use super::pipeline::{Input, Model, Pipeline};
use crate::error::Result;
use crate::record::GroupState;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Pipeline {
    /// Ends the other threads and takes in what they had finished.
    pub(super) fn dismiss(&mut self) -> Result<()> {
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
        let mut threads = std::mem::take(&mut self.crew.threads);
        threads.extend(self.crew.model.take());
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
        while threads.iter().any(|thread| !thread.is_finished()) {
            if let Ok(input) = self.inputs.recv_timeout(Duration::from_millis(20)) {
                keep(self, input);
            }
        }
        for input in self.inputs.clone().try_iter() {
            keep(self, input);
        }
        for thread in threads {
            // What panicked there has been told as a failure of its own.
            let _ = thread.join();
        }
        saved
    }

    pub(super) fn conclude(&mut self) -> Result<Summary> {
        // Whatever of the source was not read: nothing may be in no file when the run is over.
        self.exports.update(&mut self.journal, true)?;
        let tally = self.exports.tally(&self.journal)?;
        self.tell_notices();
        self.publish();
        let counts = self.journal.counts()?;
        let progress = &self.state.progress;
        let ended = progress.already + progress.done;
        Ok(Summary {
            rows: self.state.rows,
            groups: progress.total,
            records: ended.saturating_sub(progress.failed + self.state.open),
            new_records: self.state.new_records,
            moved: self.state.moved,
            withheld: tally.withheld,
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
