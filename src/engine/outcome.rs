//! What becomes of an answer or a failure: stored, tried again, settled, committed, told.

use super::judge::Merged;
use super::messages::Event;
use super::pipeline::Pipeline;
use super::prepare::{Job, Purpose};
use crate::error::Result;
use crate::record::{Attempt, AttemptSettings, Failure, FailureCode, GroupId, Reason};
use std::time::Instant;

impl Pipeline {
    /// An answer has come: it is stored first, whatever else it leads to.
    pub(super) fn finish(&mut self, ticket: u64, mut attempt: Attempt) -> Result<()> {
        if let Some(failure) = attempt.failure.clone() {
            return self.finish_failed(ticket, failure, Some(attempt));
        }
        let Some(job) = self.close(ticket) else {
            return Ok(());
        };
        let now = Instant::now();
        self.meter
            .finished(now, &attempt.timings, attempt.tokens.generated);
        let added = self.journal.add_attempt(job.group, &attempt)?;
        attempt.id = added.id;
        let mut changed = added.changed;
        match &job.purpose {
            Purpose::First | Purpose::Operator | Purpose::Repair
                if self.options.quality_retry
                    && job.purpose != Purpose::Operator
                    && self.judge.wants_retry(&attempt) =>
            {
                let settings = self.judge.stricter(&job.settings);
                let purpose = Purpose::Quality(Box::new(attempt));
                self.state.urgent.push_back((job.group, settings, purpose));
                return self.show(&changed);
            }
            Purpose::Quality(base) => {
                let merged = self.judge.better(&job, base, &attempt);
                changed.extend(self.settle(job.group, base, merged)?);
            }
            _ => {}
        }
        self.labelled(&job, changed)
    }

    /// Shows what two attempts come to; where the second was of no use, that is a reason.
    fn settle(
        &mut self,
        group: GroupId,
        base: &Attempt,
        merged: Option<Merged>,
    ) -> Result<Vec<GroupId>> {
        let merged = match (merged, &base.labels) {
            (Some(merged), _) => merged,
            (None, Some(labels)) => {
                let mut reasons = base.reasons.clone();
                reasons.push(Reason::QualityRetryFailed);
                Merged {
                    attempt: base.id,
                    labels: labels.clone(),
                    reasons,
                    confidence: base.confidence.clone(),
                }
            }
            (None, None) => return Ok(Vec::new()),
        };
        let added = self.journal.add_merged(
            group,
            merged.attempt,
            &merged.labels,
            &merged.reasons,
            &merged.confidence,
        )?;
        Ok(added.changed)
    }

    fn labelled(&mut self, job: &Job, mut changed: Vec<GroupId>) -> Result<()> {
        if self.options.commit_automatically {
            changed.extend(self.commit(job.group)?);
        }
        changed.push(job.group);
        let Some(summary) = self.journal.summary(job.group)? else {
            return Ok(());
        };
        if job.purpose.counts() {
            self.state.progress.done += 1;
            self.state.progress.uncertain += u64::from(!summary.reasons.is_empty());
        }
        tracing::info!(name = %summary.name, reasons = ?summary.reasons, "labelled");
        self.show(&changed)?;
        self.tell(Event::Labelled {
            group: job.group,
            name: summary.name,
            reasons: summary.reasons,
        });
        Ok(())
    }

    /// A job gave no labels; `attempt` where a model was asked.
    pub(super) fn finish_failed(
        &mut self,
        ticket: u64,
        failure: Failure,
        attempt: Option<Attempt>,
    ) -> Result<()> {
        let Some(job) = self.close(ticket) else {
            return Ok(());
        };
        let mut changed = match &attempt {
            Some(attempt) => {
                self.meter
                    .finished(Instant::now(), &attempt.timings, attempt.tokens.generated);
                self.journal.add_attempt(job.group, attempt)?.changed
            }
            None => self.journal.add_failure(job.group, &failure)?,
        };
        match &job.purpose {
            // A text that is no record: one more try with the strict prompt.
            Purpose::First if failure.code == FailureCode::InvalidJson => {
                let settings = AttemptSettings {
                    strict: true,
                    ..job.settings.clone()
                };
                self.state
                    .urgent
                    .push_back((job.group, settings, Purpose::Repair));
                return self.show(&changed);
            }
            Purpose::Quality(base) => {
                changed.extend(self.settle(job.group, base, None)?);
                return self.labelled(&job, changed);
            }
            _ => {}
        }
        if job.purpose.counts() {
            self.state.progress.done += 1;
            self.state.progress.failed += 1;
        }
        tracing::warn!(name = %job.item.item_name, code = failure.code.code(), detail = %failure.detail, "failed");
        changed.push(job.group);
        self.show(&changed)?;
        self.tell(Event::Failed {
            group: job.group,
            name: job.item.item_name.clone(),
            code: failure.code,
            detail: failure.detail,
        });
        Ok(())
    }

    fn close(&mut self, ticket: u64) -> Option<Job> {
        let job = self.state.outstanding.remove(&ticket)?;
        self.state.running.remove(&job.group);
        Some(job)
    }

    pub(super) fn commit(&mut self, group: GroupId) -> Result<Vec<GroupId>> {
        let changed = self.journal.commit_automatic(group)?;
        if !changed.is_empty() {
            self.state.new_records += 1;
        }
        Ok(changed)
    }
}
