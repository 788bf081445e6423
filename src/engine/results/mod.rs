//! Handles finished requests: stores the attempt, decides about further requests, commits, counts.

mod merge;
mod postprocess;

use super::effects::Effects;
use super::ingest::Imageless;
use super::journal::JournalAccess;
use super::messages::{Event, Progress, RetryCounts, Summary};
use super::metrics::Metrics;
use super::queue::{Job, Purpose, Request};
use crate::engine::EngineOptions;
use crate::error::Result;
use crate::labeler::{Answer, ModelInfo};
use crate::prompt::Prompter;
use crate::record::{
    Attempt, AttemptSettings, Background, Failure, FailureCode, FailureDetail, GroupId, GroupState,
    GroupSummary, Reason, Recoloring, Vocabulary,
};
use crate::store::StoredAttempt;
use crate::text::shortened;
use postprocess::Postprocess;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Uncertainty above which an answer gets second opinions.
const OPINIONS_FROM: f32 = 0.5;
/// Longest logged name in characters.
const MAX_LOGGED_NAME: usize = 1000;
/// Factor by which a quality retry enlarges the picture further.
const RETRY_UPSCALE: u32 = 2;

#[derive(Debug)]
pub struct Results {
    postprocess: Postprocess,
    metrics: Arc<Metrics>,
    commit_automatically: bool,
    quality_retry: bool,
    /// Number of opinions for each uncertain answer.
    opinions: u32,
    counts: RunCounts,
}

/// Further requests for a group that was answered earlier.
#[derive(Debug)]
pub enum Resumed {
    Nothing,
    Retry(Box<Request>),
    /// Low priority.
    Opinions(Vec<Request>),
}

/// Counts of this run.
#[derive(Debug, Default)]
struct RunCounts {
    /// Groups that needed no work when the run started.
    already: u64,
    /// Groups that needed no work or finished in this run.
    finished: HashSet<GroupId>,
    /// Groups finished in this run.
    done: u64,
    uncertain: u64,
    /// Finished groups without a record.
    failed: HashMap<GroupId, FailureCode>,
    /// Groups whose newest request failed and that have a record.
    unanswered: HashSet<GroupId>,
    new_records: u64,
    /// Image paths of groups without a record that have an edit, which a batch must not commit.
    open: Vec<String>,
    /// Groups that an operator rejected and that have no record.
    rejected: u64,
    /// Groups with a record that an operator has edited, accepted or rejected since.
    uncommitted: u64,
    requests: u64,
    derived: u64,
    /// Groups whose new answer waits to be compared with the draft.
    offered: HashSet<GroupId>,
    retries: RetryCounts,
}

impl RunCounts {
    /// Counts a group that needed no work.
    fn already(&mut self, group: GroupId) {
        self.finished.insert(group);
        self.already += 1;
    }

    /// Counts a group that finished, unless it did before. Returns whether it was counted.
    fn finish(&mut self, group: GroupId) -> bool {
        let is_new = self.finished.insert(group);
        self.done += u64::from(is_new);
        is_new
    }

    /// Counts a group that an earlier run answered, by what an operator did with the answer.
    fn count_decision(&mut self, group: GroupSummary) {
        match (group.state, group.has_record) {
            (GroupState::Rejected, false) => self.rejected += 1,
            (_, false) => self.open.push(group.image_path),
            (GroupState::Edited | GroupState::Accepted | GroupState::Rejected, true) => {
                self.uncommitted += 1;
            }
            (_, true) => {}
        }
    }

    /// Counts a group that finished without an answer. A group that has a record keeps it.
    fn failure(&mut self, group: GroupId, code: FailureCode) {
        if self.finish(group) || self.failed.contains_key(&group) {
            self.failed.insert(group, code);
        } else {
            self.unanswered.insert(group);
        }
    }

    fn failures(&self) -> Vec<(FailureCode, u64)> {
        let mut failures = BTreeMap::new();
        for code in self.failed.values() {
            *failures.entry(*code).or_insert(0) += 1;
        }
        failures.into_iter().collect()
    }
}

impl Results {
    pub fn new(prompter: Arc<Prompter>, options: &EngineOptions, metrics: Arc<Metrics>) -> Self {
        Self {
            postprocess: Postprocess::new(prompter),
            metrics,
            commit_automatically: options.commit_automatically,
            quality_retry: options.quality_retry,
            opinions: options.opinions,
            counts: RunCounts::default(),
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Sets the model of the following attempts.
    pub fn model_ready(&mut self, info: &ModelInfo) {
        self.postprocess.set_model(info);
    }

    /// Sets the vocabulary for the following answers.
    pub fn set_vocabulary(&mut self, vocabulary: Arc<Vocabulary>) {
        self.postprocess.vocabulary = vocabulary;
    }

    /// Counts a request that the model has started.
    pub fn started(&mut self) {
        self.counts.requests += 1;
    }

    /// Handles an answer. It is stored before anything else happens.
    pub fn answered(
        &mut self,
        job: &Job,
        answer: &Answer,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let mut attempt = self.postprocess.attempt(job, answer);
        self.measure(job, &attempt);
        if let Some(failure) = attempt.failure.clone() {
            return self.failed(job, failure, Some(attempt), journal);
        }
        let added = self.store(job, &attempt, journal)?;
        attempt.id = added.id;
        if matches!(job.purpose, Purpose::Opinion { .. }) {
            return Ok(Effects::changed(added.changed));
        }
        if job.purpose.is_first_answer() && self.wants_retry(&attempt) {
            return Ok(Effects {
                changed: added.changed,
                ..Effects::request(quality_retry(job.group, attempt))
            });
        }
        self.labeled(job, added.changed, journal)
    }

    /// Derives the record of a group from a group with the same drawing. `None` if that is impossible
    /// and the model must label the group.
    pub fn derived(
        &mut self,
        group: GroupId,
        from: GroupId,
        recoloring: &Recoloring,
        journal: &mut JournalAccess,
    ) -> Result<Option<Effects>> {
        let labels = journal.with(|journal| journal.derived_labels(group, from, recoloring))?;
        let Some(labels) = labels else {
            return Ok(None);
        };
        let added = journal.with(|journal| journal.add_derived(group, from, &labels))?;
        let Some(added) = added else {
            return Ok(None);
        };
        journal.log().derived(group, from, labels);
        self.counts.derived += 1;
        let source = journal.with(|journal| journal.summary(from))?;
        let source = source.map(|source| source.image_path);
        self.has_record(group, source, added.changed, journal)
            .map(Some)
    }

    /// Handles a request that the model could not answer.
    pub fn refused(
        &mut self,
        job: &Job,
        detail: FailureDetail,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let failure = Failure {
            code: FailureCode::ModelError,
            detail,
        };
        let attempt = self.postprocess.failed_attempt(job, failure.clone());
        self.measure(job, &attempt);
        self.failed(job, failure, Some(attempt), journal)
    }

    /// Handles a request that could not be prepared.
    pub fn not_prepared(
        &mut self,
        job: &Job,
        failure: Failure,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        self.failed(job, failure, None, journal)
    }

    /// Stores the failures of groups that have no image.
    pub fn imageless(
        &mut self,
        groups: Vec<Imageless>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let failures: Vec<(GroupId, Failure)> = groups
            .iter()
            .map(|imageless| (imageless.group, imageless.failure.clone()))
            .collect();
        let changed = journal.with(|journal| journal.add_failures(&failures))?;
        let mut effects = Effects::changed(changed);
        for imageless in groups {
            self.counts.failure(imageless.group, imageless.failure.code);
            log_failure(&imageless.item.item_name, &imageless.failure);
            effects.events.push(Event::Failed {
                group: imageless.group,
                image_path: imageless.item.image_path,
                name: imageless.item.item_name,
                code: imageless.failure.code,
                detail: imageless.failure.detail,
            });
        }
        Ok(effects)
    }

    /// Continues with a group that was answered in an earlier run.
    pub fn resume(
        &mut self,
        group: GroupId,
        is_committed: bool,
        journal: &mut JournalAccess,
    ) -> Result<Resumed> {
        if is_committed && !self.quality_retry && self.opinions == 0 {
            self.counts.already(group);
            return Ok(Resumed::Nothing);
        }
        if !self.commit_automatically {
            self.counts.already(group);
            return Ok(Resumed::Opinions(self.missing_opinions(group, journal)?));
        }
        if self.quality_retry
            && let Some(answer) = journal.with(|journal| journal.answer_without_retry(group))?
            && self.wants_retry(&answer)
        {
            return Ok(Resumed::Retry(Box::new(quality_retry(group, answer))));
        }
        self.commit(group, journal)?;
        self.counts.already(group);
        if let Some(summary) = journal.with(|journal| journal.summary(group))? {
            self.counts.count_decision(summary);
        }
        Ok(match self.opinions {
            0 => Resumed::Nothing,
            _ => Resumed::Opinions(self.missing_opinions(group, journal)?),
        })
    }

    /// Requests the missing opinions on an uncertain draft, with the settings of the draft. A text
    /// that an operator has chosen or decided about gets none.
    fn missing_opinions(
        &self,
        group: GroupId,
        journal: &mut JournalAccess,
    ) -> Result<Vec<Request>> {
        if self.opinions == 0 {
            return Ok(Vec::new());
        }
        let summary = journal.with(|journal| journal.summary(group))?;
        if summary.is_none_or(|summary| summary.uncertainty <= OPINIONS_FROM) {
            return Ok(Vec::new());
        }
        let Some((answer, existing)) = journal.with(|journal| journal.answer_to_review(group))?
        else {
            return Ok(Vec::new());
        };
        let missing = (existing..self.opinions).map(|number| Request {
            group,
            settings: answer.settings.clone(),
            purpose: Purpose::Opinion {
                of: Box::new(answer.clone()),
                number: number + 1,
            },
        });
        Ok(missing.collect())
    }

    fn measure(&self, job: &Job, attempt: &Attempt) {
        let tokens = attempt.tokens.generated;
        self.metrics
            .answered(Instant::now(), job.ticket, &attempt.timings, tokens);
    }

    /// Stores an attempt; that of a quality retry is merged with the first answer.
    fn store(
        &mut self,
        job: &Job,
        attempt: &Attempt,
        journal: &mut JournalAccess,
    ) -> Result<StoredAttempt> {
        let (group, postprocess) = (job.group, &self.postprocess);
        let merged = match &job.purpose {
            Purpose::Quality(base) => merge::merge(base, attempt, |labels, confidence, cut| {
                postprocess.reasons(job, labels, confidence, cut)
            }),
            _ => None,
        };
        if let Some(merged) = merged {
            let retries = &mut self.counts.retries;
            retries.made += 1;
            retries.better += u64::from(!merged.reasons.contains(&Reason::QualityRetryFailed));
            retries.without_reason += u64::from(merged.reasons.is_empty());
            journal.log().answer(group, attempt, Some(&merged));
            return journal.with(|journal| journal.add_retry(group, attempt, &merged));
        }
        if attempt.labels.is_some() {
            journal.log().answer(group, attempt, None);
        }
        journal.with(|journal| journal.add_attempt(group, attempt))
    }

    /// Whether the rules flag an answer, so that a quality retry may help.
    fn wants_retry(&self, attempt: &Attempt) -> bool {
        self.quality_retry && attempt.labels.is_some() && !attempt.reasons.is_empty()
    }

    /// Finishes a request with labels.
    fn labeled(
        &mut self,
        job: &Job,
        changed: Vec<GroupId>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        self.metrics.icon_finished(Instant::now());
        self.has_record(job.group, None, changed, journal)
    }

    /// Finishes a group that has labels.
    fn has_record(
        &mut self,
        group: GroupId,
        derived_from: Option<String>,
        mut changed: Vec<GroupId>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        if self.commit_automatically {
            changed.extend(self.commit(group, journal)?);
        }
        changed.push(group);
        let mut effects = Effects {
            finished: vec![group],
            ..Effects::changed(changed)
        };
        self.counts.unanswered.remove(&group);
        let had_failed = self.counts.failed.remove(&group).is_some();
        let is_first = self.counts.finish(group) || had_failed;
        if is_first && derived_from.is_none() {
            effects.requests = self.missing_opinions(group, journal)?;
        }
        if let Some(summary) = journal.with(|journal| journal.summary(group))? {
            self.counts.uncertain += u64::from(is_first && !summary.reasons.is_empty());
            match summary.offered {
                true => self.counts.offered.insert(group),
                false => self.counts.offered.remove(&group),
            };
            let (name, reasons) = (&summary.name, &summary.reasons);
            match &derived_from {
                Some(from) => tracing::info!(%name, ?reasons, derived_from = %from, "labeled"),
                None => tracing::info!(%name, ?reasons, "labeled"),
            }
            let reasons = answer_reasons(&summary, journal)?;
            effects
                .events
                .push(labeled_event(summary, reasons, derived_from));
        }
        Ok(effects)
    }

    /// Finishes a request without labels. There is an attempt if a request was sent.
    fn failed(
        &mut self,
        job: &Job,
        failure: Failure,
        attempt: Option<Attempt>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        if matches!(job.purpose, Purpose::Opinion { .. }) {
            tracing::warn!(name = %job.item.item_name, detail = %failure.detail, "no opinion");
            let attempt = attempt.unwrap_or_else(|| self.postprocess.failed_attempt(job, failure));
            let added = self.store(job, &attempt, journal)?;
            return Ok(Effects::changed(added.changed));
        }
        if matches!(job.purpose, Purpose::Quality(_)) {
            // The first answer remains the record.
            let attempt = attempt.unwrap_or_else(|| self.postprocess.failed_attempt(job, failure));
            let added = self.store(job, &attempt, journal)?;
            return self.labeled(job, added.changed, journal);
        }
        let mut changed = match &attempt {
            Some(attempt) => self.store(job, attempt, journal)?.changed,
            None => journal.with(|journal| journal.add_failure(job.group, &failure))?,
        };
        // Retries an invalid answer once with the strict prompt.
        if job.purpose == Purpose::First && failure.code == FailureCode::InvalidJson {
            let repair = Request {
                group: job.group,
                settings: AttemptSettings {
                    strict: true,
                    ..job.settings.clone()
                },
                purpose: Purpose::Repair,
            };
            return Ok(Effects {
                changed,
                ..Effects::request(repair)
            });
        }
        if attempt.is_some() {
            self.metrics.icon_finished(Instant::now());
        }
        self.counts.failure(job.group, failure.code);
        log_failure(&job.item.item_name, &failure);
        changed.push(job.group);
        Ok(Effects {
            finished: vec![job.group],
            changed,
            ..Effects::event(Event::Failed {
                group: job.group,
                image_path: job.item.image_path.clone(),
                name: job.item.item_name.clone(),
                code: failure.code,
                detail: failure.detail,
            })
        })
    }

    fn commit(&mut self, group: GroupId, journal: &mut JournalAccess) -> Result<Vec<GroupId>> {
        let changed = journal.with(|journal| journal.commit_automatic(group))?;
        if !changed.is_empty() {
            journal.log().commit(group);
            self.counts.new_records += 1;
        }
        Ok(changed)
    }

    /// Fills in the counts of `progress`.
    pub fn add_to_progress(&self, progress: &mut Progress) {
        progress.already = self.counts.already;
        progress.done = self.counts.done;
        progress.uncertain = self.counts.uncertain;
        progress.failed = self.counts.failed.len() as u64;
    }

    pub fn has_failures(&self) -> bool {
        !self.counts.failed.is_empty()
    }

    /// Builds the summary of a run over `groups` groups; the caller fills in the rest.
    pub fn summary(&self, groups: u64) -> Summary {
        let counts = &self.counts;
        let finished = counts.already + counts.done;
        let unfinished = (counts.failed.len() + counts.open.len()) as u64;
        Summary {
            groups,
            records: finished.saturating_sub(unfinished + counts.rejected),
            new_records: counts.new_records,
            requests: counts.requests,
            derived: counts.derived,
            offered: counts.offered.len() as u64,
            unanswered: counts.unanswered.len() as u64,
            open: counts.open.clone(),
            rejected: counts.rejected,
            uncommitted: counts.uncommitted,
            waiting: groups.saturating_sub(finished),
            failures: counts.failures(),
            retries: counts.retries,
            ..Summary::default()
        }
    }
}

/// The reasons of the newest answer: those of the draft, unless another text stays the draft.
fn answer_reasons(summary: &GroupSummary, journal: &mut JournalAccess) -> Result<Vec<Reason>> {
    let detail = match summary.offered {
        true => journal.with(|journal| journal.detail(summary.id))?,
        false => None,
    };
    let offer = detail
        .as_ref()
        .and_then(|detail| detail.version(detail.current.offer()?));
    Ok(match offer {
        Some(version) => version.text.reasons.clone(),
        None => summary.reasons.clone(),
    })
}

fn labeled_event(
    summary: GroupSummary,
    reasons: Vec<Reason>,
    derived_from: Option<String>,
) -> Event {
    Event::Labeled {
        group: summary.id,
        image_path: summary.image_path,
        name: summary.name,
        reasons,
        derived_from,
        offered: summary.offered,
    }
}

/// Builds a retry with the strict prompt, a larger picture and the opposite background.
fn quality_retry(group: GroupId, base: Attempt) -> Request {
    Request {
        group,
        settings: AttemptSettings {
            strict: true,
            upscale: (base.settings.upscale * RETRY_UPSCALE).min(8),
            background: match base.settings.background {
                Background::White => Background::Black,
                Background::Black | Background::None => Background::White,
            },
            ..base.settings.clone()
        },
        purpose: Purpose::Quality(Box::new(base)),
    }
}

/// Logs a failure. The code and the detail must not be cut off with a long name.
fn log_failure(name: &str, failure: &Failure) {
    let name = shortened(name, MAX_LOGGED_NAME);
    tracing::warn!(%name, code = failure.code.code(), detail = %failure.detail, "failed");
}
