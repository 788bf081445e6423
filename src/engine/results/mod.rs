//! Handles finished requests: stores the attempt, decides on another one, commits, counts.

mod merge;
mod postprocess;

use super::effects::Effects;
use super::ingest::Imageless;
use super::journal::JournalAccess;
use super::messages::{Event, Progress, RetryCounts, Summary};
use super::metrics::Metrics;
use super::queue::{Job, Purpose, Request};
use crate::error::{Error, Result};
use crate::labeler::{Answer, ModelInfo};
use crate::prompt::Prompter;
use crate::record::{
    Attempt, AttemptSettings, Background, Failure, FailureCode, GroupId, GroupSummary, Reason,
    Recoloring, Vocabulary,
};
use crate::settings::EngineOptions;
use crate::store::Added;
use postprocess::Postprocess;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Answers that are more uncertain than this get second opinions.
const OPINIONS_FROM: f32 = 0.3;
/// The larger picture of a quality retry, as a factor on the run's own.
const RETRY_UPSCALE: u32 = 2;

#[derive(Debug)]
pub struct Results {
    postprocess: Postprocess,
    metrics: Arc<Metrics>,
    commit_automatically: bool,
    quality_retry: bool,
    /// For each uncertain answer.
    opinions: u32,
    counts: Counts,
}

/// What is still to be asked about a group that was answered before.
#[derive(Debug)]
pub enum Resumed {
    Nothing,
    Retry(Box<Request>),
    /// They are in no hurry.
    Opinions(Vec<Request>),
}

/// The results of this run, counted.
#[derive(Debug, Default)]
struct Counts {
    /// They needed no work when the run began.
    already: u64,
    /// They have come to their end in this run.
    done: u64,
    uncertain: u64,
    /// Of those done, the ones without a record.
    failures: BTreeMap<FailureCode, u64>,
    new_records: u64,
    /// Answered, with an edit or a rejection of the operator that a batch does not commit over.
    open: u64,
    requests: u64,
    derived: u64,
    retries: RetryCounts,
}

impl Counts {
    fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// A group of this run's source has come to its end without a record.
    fn failure(&mut self, code: FailureCode) {
        self.done += 1;
        *self.failures.entry(code).or_insert(0) += 1;
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
            counts: Counts::default(),
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Attempts from now on are this model's.
    pub fn model_ready(&mut self, info: &ModelInfo) {
        self.postprocess.model(info);
    }

    /// Answers from now on are read by these words.
    pub fn set_vocabulary(&mut self, vocabulary: Arc<Vocabulary>) {
        self.postprocess.vocabulary = vocabulary;
    }

    /// The model has taken up a request.
    pub fn started(&mut self) {
        self.counts.requests += 1;
    }

    /// An answer has come: it is stored first, whatever else it leads to.
    pub fn answered(
        &mut self,
        job: &Job,
        answer: &Answer,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let mut attempt = self.postprocess.attempt(job, answer);
        self.measure(&attempt);
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

    /// Derives the record of a group from that of another whose image is the same drawing; `None`
    /// where that cannot be done and the model must be asked.
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
        self.has_record(group, true, source, added.changed, journal)
            .map(Some)
    }

    /// The model gave no answer.
    pub fn refused(
        &mut self,
        job: &Job,
        error: Error,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let failure = Failure {
            code: FailureCode::ModelError,
            detail: error.cause,
        };
        let attempt = self.postprocess.failed_attempt(job, failure.clone());
        self.measure(&attempt);
        self.failed(job, failure, Some(attempt), journal)
    }

    /// A request could not be prepared.
    pub fn not_prepared(
        &mut self,
        job: &Job,
        failure: Failure,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        self.failed(job, failure, None, journal)
    }

    /// Groups of the source that have no image.
    pub fn imageless(
        &mut self,
        groups: Vec<Imageless>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        let new = groups.iter().filter(|imageless| imageless.is_new);
        let new: Vec<(GroupId, Failure)> = new
            .map(|imageless| (imageless.group, imageless.failure.clone()))
            .collect();
        journal.with(|journal| journal.add_failures(&new))?;
        let mut effects = Effects::default();
        for imageless in groups {
            self.counts.failure(imageless.failure.code);
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

    /// Goes on with a group that was answered in an earlier run, or just before its end.
    pub fn resume(
        &mut self,
        group: GroupId,
        is_committed: bool,
        journal: &mut JournalAccess,
    ) -> Result<Resumed> {
        if is_committed && !self.quality_retry && self.opinions == 0 {
            self.counts.already += 1;
            return Ok(Resumed::Nothing);
        }
        if !self.commit_automatically {
            self.counts.already += 1;
            return Ok(Resumed::Opinions(self.missing_opinions(group, journal)?));
        }
        if self.quality_retry
            && let Some(answer) = journal.with(|journal| journal.answer_without_retry(group))?
            && self.wants_retry(&answer)
        {
            return Ok(Resumed::Retry(Box::new(quality_retry(group, answer))));
        }
        self.commit(group, journal)?;
        self.counts.already += 1;
        let stands = journal.with(|journal| journal.summary(group))?;
        self.counts.open += u64::from(stands.is_some_and(|group| !group.has_record));
        Ok(match self.opinions {
            0 => Resumed::Nothing,
            _ => Resumed::Opinions(self.missing_opinions(group, journal)?),
        })
    }

    /// The opinions that an uncertain draft has not had yet, asked for as the draft was. None on a
    /// text that an operator has chosen or decided about.
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
        let Some((answer, had)) = journal.with(|journal| journal.answer_to_review(group))? else {
            return Ok(Vec::new());
        };
        let missing = (had..self.opinions).map(|number| Request {
            group,
            settings: answer.settings.clone(),
            purpose: Purpose::Opinion {
                of: Box::new(answer.clone()),
                number: number + 1,
            },
        });
        Ok(missing.collect())
    }

    fn measure(&self, attempt: &Attempt) {
        let tokens = attempt.tokens.generated;
        self.metrics
            .finished(Instant::now(), &attempt.timings, tokens);
    }

    /// Stores an answer or a failed try, and with a quality retry what it is merged into.
    fn store(
        &mut self,
        job: &Job,
        attempt: &Attempt,
        journal: &mut JournalAccess,
    ) -> Result<Added> {
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

    /// Whether the rules flag an answer, so that a stricter request may help.
    fn wants_retry(&self, attempt: &Attempt) -> bool {
        self.quality_retry && attempt.labels.is_some() && !attempt.reasons.is_empty()
    }

    /// A request has come to its end with labels.
    fn labeled(
        &mut self,
        job: &Job,
        changed: Vec<GroupId>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        self.has_record(job.group, job.purpose.counts(), None, changed, journal)
    }

    /// A group has labels, its own or derived ones; `counts` says whether that advances the run.
    fn has_record(
        &mut self,
        group: GroupId,
        counts: bool,
        derived_from: Option<String>,
        mut changed: Vec<GroupId>,
        journal: &mut JournalAccess,
    ) -> Result<Effects> {
        if self.commit_automatically {
            changed.extend(self.commit(group, journal)?);
        }
        changed.push(group);
        let mut effects = Effects {
            ended: vec![group],
            ..Effects::changed(changed)
        };
        if counts && derived_from.is_none() {
            effects.requests = self.missing_opinions(group, journal)?;
        }
        if let Some(summary) = journal.with(|journal| journal.summary(group))? {
            if counts {
                self.counts.done += 1;
                self.counts.uncertain += u64::from(!summary.reasons.is_empty());
            }
            let (name, reasons) = (&summary.name, &summary.reasons);
            match &derived_from {
                Some(from) => tracing::info!(%name, ?reasons, derived_from = %from, "labeled"),
                None => tracing::info!(%name, ?reasons, "labeled"),
            }
            effects.events.push(labeled(summary, derived_from));
        }
        Ok(effects)
    }

    /// A request has come to its end without labels; with an attempt if the model was asked.
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
            // The first answer stands, and this was its retry.
            let attempt = attempt.unwrap_or_else(|| self.postprocess.failed_attempt(job, failure));
            let added = self.store(job, &attempt, journal)?;
            return self.labeled(job, added.changed, journal);
        }
        let mut changed = match &attempt {
            Some(attempt) => self.store(job, attempt, journal)?.changed,
            None => journal.with(|journal| journal.add_failure(job.group, &failure))?,
        };
        // A text that is no record: one more try with the strict prompt.
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
        if job.purpose.counts() {
            self.counts.failure(failure.code);
        }
        let (name, code) = (&job.item.item_name, failure.code);
        tracing::warn!(%name, code = code.code(), detail = %failure.detail, "failed");
        changed.push(job.group);
        Ok(Effects {
            ended: vec![job.group],
            changed,
            ..Effects::event(Event::Failed {
                group: job.group,
                image_path: job.item.image_path.clone(),
                name: name.clone(),
                code,
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

    /// Fills in what is counted here.
    pub fn add_to_progress(&self, progress: &mut Progress) {
        progress.already = self.counts.already;
        progress.done = self.counts.done;
        progress.uncertain = self.counts.uncertain;
        progress.failed = self.counts.failed();
    }

    /// The summary of a run over so many groups, as far as it is counted here.
    pub fn summary(&self, groups: u64) -> Summary {
        let counts = &self.counts;
        let ended = counts.already + counts.done;
        Summary {
            groups,
            records: ended.saturating_sub(counts.failed() + counts.open),
            new_records: counts.new_records,
            asked: counts.requests,
            derived: counts.derived,
            open: counts.open,
            waiting: groups.saturating_sub(ended),
            failures: counts.failures.clone().into_iter().collect(),
            retries: counts.retries,
            ..Summary::default()
        }
    }
}

fn labeled(summary: GroupSummary, derived_from: Option<String>) -> Event {
    Event::Labeled {
        group: summary.id,
        image_path: summary.image_path,
        name: summary.name,
        reasons: summary.reasons,
        derived_from,
        offered: summary.offered,
    }
}

/// Asks again with the strict prompt, a larger picture and the other background.
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
