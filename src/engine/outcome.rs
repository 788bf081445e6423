//! What becomes of an answer or a failure: stored, tried again, settled, committed, told.

use super::messages::Event;
use super::pipeline::Pipeline;
use super::prepare::{Job, Purpose};
use crate::error::Result;
use crate::record::{Attempt, AttemptSettings, Failure, FailureCode, GroupId, Reason};
use crate::store::Added;
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
        let added = self.store(&job, &attempt)?;
        attempt.id = added.id;
        if job.purpose.is_first_answer() && self.wants_retry(&attempt) {
            self.retry_for_quality(job.group, attempt);
            return self.show(&added.changed);
        }
        self.labeled(&job, added.changed)
    }

    /// An answer or a failed try goes into the journal, a retry with what it comes to.
    fn store(&mut self, job: &Job, attempt: &Attempt) -> Result<Added> {
        if let Purpose::Quality(base) = &job.purpose
            && let Some(merged) = self.judge.settle(job, base, attempt)
        {
            let retries = &mut self.state.retries;
            retries.made += 1;
            retries.better += u64::from(!merged.reasons.contains(&Reason::QualityRetryFailed));
            retries.without_reason += u64::from(merged.reasons.is_empty());
            let group = job.group;
            self.journal.diary.answer(group, attempt, Some(&merged));
            return self
                .journal
                .with(|journal| journal.add_retry(group, attempt, &merged));
        }
        if attempt.labels.is_some() {
            self.journal.diary.answer(job.group, attempt, None);
        }
        self.journal
            .with(|journal| journal.add_attempt(job.group, attempt))
    }

    pub(super) fn wants_retry(&self, attempt: &Attempt) -> bool {
        self.options.quality_retry && self.judge.wants_retry(attempt)
    }

    pub(super) fn retry_for_quality(&mut self, group: GroupId, base: Attempt) {
        let settings = self.judge.stricter(&base.settings);
        let purpose = Purpose::Quality(Box::new(base));
        self.state.urgent.push_back((group, settings, purpose));
    }

    fn labeled(&mut self, job: &Job, mut changed: Vec<GroupId>) -> Result<()> {
        if self.options.commit_automatically {
            changed.extend(self.commit(job.group)?);
        }
        changed.push(job.group);
        let summary = self.journal.with(|journal| journal.summary(job.group))?;
        let Some(summary) = summary else {
            return Ok(());
        };
        if job.purpose.counts() {
            self.state.progress.done += 1;
            self.state.progress.uncertain += u64::from(!summary.reasons.is_empty());
        }
        tracing::info!(name = %summary.name, reasons = ?summary.reasons, "labeled");
        self.show(&changed)?;
        self.tell(Event::Labeled {
            group: job.group,
            image_path: summary.image_path,
            name: summary.name,
            reasons: summary.reasons,
            offered: summary.offered,
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
        if let Some(attempt) = &attempt {
            self.meter
                .finished(Instant::now(), &attempt.timings, attempt.tokens.generated);
        }
        if matches!(job.purpose, Purpose::Quality(_)) {
            // The first answer stands, and this was its retry.
            let attempt = attempt.unwrap_or_else(|| self.judge.failed_attempt(&job, failure));
            let added = self.store(&job, &attempt)?;
            return self.labeled(&job, added.changed);
        }
        let mut changed = match &attempt {
            Some(attempt) => self.store(&job, attempt)?.changed,
            None => self
                .journal
                .with(|journal| journal.add_failure(job.group, &failure))?,
        };
        // A text that is no record: one more try with the strict prompt.
        if job.purpose == Purpose::First && failure.code == FailureCode::InvalidJson {
            let settings = AttemptSettings {
                strict: true,
                ..job.settings.clone()
            };
            self.state
                .urgent
                .push_back((job.group, settings, Purpose::Repair));
            return self.show(&changed);
        }
        if job.purpose.counts() {
            self.count_failure(failure.code);
        }
        tracing::warn!(name = %job.item.item_name, code = failure.code.code(), detail = %failure.detail, "failed");
        changed.push(job.group);
        self.show(&changed)?;
        self.tell(Event::Failed {
            group: job.group,
            image_path: job.item.image_path.clone(),
            name: job.item.item_name.clone(),
            code: failure.code,
            detail: failure.detail,
        });
        Ok(())
    }

    /// An item of this run's source has come to its end without a record.
    pub(super) fn count_failure(&mut self, code: FailureCode) {
        self.state.progress.done += 1;
        self.state.progress.failed += 1;
        *self.state.failures.entry(code).or_insert(0) += 1;
    }

    fn close(&mut self, ticket: u64) -> Option<Job> {
        let job = self.state.outstanding.remove(&ticket)?;
        self.state.running.remove(&job.group);
        Some(job)
    }

    pub(super) fn commit(&mut self, group: GroupId) -> Result<Vec<GroupId>> {
        let changed = self
            .journal
            .with(|journal| journal.commit_automatic(group))?;
        if !changed.is_empty() {
            self.journal.diary.commit(group);
            self.state.new_records += 1;
        }
        Ok(changed)
    }
}
