//! Runs the engine's thread: receives commands and messages, passes each to its owner, and applies
//! the resulting effects.

use super::effects::Effects;
use super::examples::Examples;
use super::families::{Families, Scheduler};
use super::handle::EngineEnd;
use super::ingest::Ingest;
use super::journal::{Exporting, JournalAccess};
use super::messages::{Command, Event, MovedPictures, Progress, Retry, Stage, Summary, Warning};
use super::queue::{Purpose, RequestQueue};
use super::results::{Results, Resumed};
use super::search::Search;
use super::ticks::Ticks;
use super::words::OutdirWords;
use super::workers::{ModelEvent, PreprocessEvent, Shutdown, SourceEvent, WorkerMessage, Workers};
use super::{EngineOptions, commands};
use crate::error::Result;
use crate::export::ExportIssues;
use crate::record::filter::Query;
use crate::record::{AttemptSettings, GroupId};
use crate::store::{Journal, rescued_files};
use crossbeam_channel::select;
use std::sync::Arc;
use std::time::Instant;

/// Messages handled in one turn of the loop.
const MAX_BURST: usize = 512;

/// What a [`Coordinator`] is made of.
pub struct CoordinatorConfig {
    pub options: EngineOptions,
    /// For the first attempt at each group.
    pub settings: AttemptSettings,
    /// Filter for the groups to label again once the source has been read.
    pub redo: Option<Query>,
    pub results: Results,
    pub words: OutdirWords,
    pub journal: Journal,
    pub front: EngineEnd,
    pub workers: Workers,
}

/// Owns the parts of a run and routes messages between them.
pub struct Coordinator {
    front: EngineEnd,
    journal: JournalAccess,
    exports: Exporting,
    ingest: Ingest,
    families: Families,
    examples: Examples,
    search: Search,
    queue: RequestQueue,
    results: Results,
    words: OutdirWords,
    workers: Workers,
    started_at: Instant,
    /// Filter for the groups to label again once the source has been read.
    redo: Option<Query>,
    stopping: bool,
    /// The run was stopped before it was finished.
    interrupted: bool,
    /// Number of decisions in the last published estimator.
    published_decisions: u64,
    /// `Event::Idle` was sent and is still true.
    idle_emitted: bool,
    ticks: Ticks,
}

impl Coordinator {
    pub fn new(config: CoordinatorConfig) -> Self {
        let (options, front) = (config.options, config.front);
        let is_watched = !options.commit_automatically;
        Self {
            journal: JournalAccess::new(config.journal, front.clone(), is_watched),
            exports: Exporting::new(&options),
            ingest: Ingest::new(&config.settings, &options),
            families: Families::new(options.families),
            examples: Examples::default(),
            search: Search::new(front.clone(), options.outdir),
            queue: RequestQueue::new(
                config.settings,
                config.workers.model_status(),
                options.opinions,
            ),
            results: config.results,
            words: config.words,
            workers: config.workers,
            started_at: Instant::now(),
            redo: config.redo,
            stopping: false,
            interrupted: false,
            published_decisions: 0,
            idle_emitted: false,
            ticks: Ticks::new(Instant::now()),
            front,
        }
    }

    /// Runs until it is stopped or cannot continue; the last event says which.
    pub fn run(mut self) {
        let ended = self.work();
        let saved = self.shut_down(ended.is_err());
        let ended = ended.and(saved).and_then(|()| self.summarize());
        match self.journal.close(ended) {
            Ok(summary) => self.front.emit(Event::Stopped(Box::new(summary))),
            Err(broken) => {
                tracing::error!(?broken, "the engine cannot continue");
                self.front.emit(Event::Broken(broken));
            }
        }
    }

    fn work(&mut self) -> Result<()> {
        if !self.journal.is_watched() {
            self.workers.start_reading();
        }
        // Importing thousands of earlier labels takes a while, and a screen does not wait for it.
        self.exports.catch_up(&mut self.journal)?;
        self.emit_notices();
        for path in rescued_files(self.journal.opened())? {
            tracing::warn!(path = %path.display(), "found the log of a run whose journal was lost");
            self.front.emit(Event::Warning(Warning::RunToRestore(path)));
        }
        for event in commands::remembered(&mut self.journal)? {
            self.front.emit(event);
        }
        self.publish_estimator();
        self.journal.emit_all()?;
        self.journal.opened().begin_source();
        self.journal.opened().remember_files();
        // Starts here so that the first groups on a screen come from the journal.
        self.workers.start_reading();
        while !self.stopping {
            self.prepare_requests()?;
            self.publish_progress();
            self.emit_idle()?;
            match self.journal.next_deferred() {
                Some(command) => {
                    self.command(command)?;
                    continue;
                }
                None => self.wait()?,
            }
            self.exports
                .follow(&mut self.journal, self.ingest.missing_images())?;
            self.emit_notices();
        }
        Ok(())
    }

    /// Waits for a command or a message and handles it.
    fn wait(&mut self) -> Result<()> {
        let commands = self.front.commands.clone();
        let messages = self.workers.messages().clone();
        let is_busy = self.queue.is_busy() || !self.ingest.is_idle();
        let tick = self.ticks.next(Instant::now(), is_busy);
        select! {
            recv(commands) -> command => match command {
                Ok(command) => self.command(command)?,
                Err(_) => self.command(Command::Stop)?,
            },
            recv(messages) -> message => match message {
                Ok(message) => {
                    self.message(message)?;
                    // Handles a burst in one turn, unless a person is waiting for a command.
                    for message in messages.try_iter().take(MAX_BURST) {
                        self.message(message)?;
                        if !commands.is_empty() {
                            break;
                        }
                    }
                }
                Err(_) => self.workers.all_ended(),
            },
            default(tick) => return Ok(()),
        }
        self.ticks.active(Instant::now());
        Ok(())
    }

    /// Starts preparing as many requests as the model will need next.
    fn prepare_requests(&mut self) -> Result<()> {
        if let Some(files) = self.ingest.next_unmeasured(&mut self.journal)? {
            self.workers.measure(files);
        } else if self.ingest.is_idle() && self.families.is_waiting_for_pictures() {
            self.with_families(|families, scheduler| families.all_measured(scheduler))?;
        }
        while let Some(request) = self.queue.next() {
            let group = request.group;
            let (item, _) = self.journal.with(|journal| journal.item(group))?;
            let mut job = self.queue.begin(request, item);
            self.examples.attach(&mut job, &mut self.journal)?;
            self.workers.prepare(job);
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        let waits = self.families.is_waiting_for_pictures() || self.families.is_deriving();
        self.ingest.is_idle() && self.queue.is_idle() && !waits
    }

    fn with_families(
        &mut self,
        work: impl FnOnce(&mut Families, Scheduler) -> Result<()>,
    ) -> Result<()> {
        let scheduler = Scheduler {
            journal: &mut self.journal,
            queue: &mut self.queue,
            workers: &self.workers,
        };
        work(&mut self.families, scheduler)
    }

    fn emit_idle(&mut self) -> Result<()> {
        let is_idle = self.is_idle();
        if is_idle && !self.idle_emitted {
            self.results.metrics().rest(Instant::now());
            self.exports
                .request(&mut self.journal, self.ingest.missing_images())?;
            self.emit_notices();
            self.front.emit(Event::Idle);
        }
        self.idle_emitted = is_idle;
        Ok(())
    }

    fn command(&mut self, command: Command) -> Result<()> {
        tracing::debug!(?command, "command");
        let journal = &mut self.journal;
        let effects = match &command {
            Command::Open(group) => commands::open(journal, &mut self.examples, *group)?,
            Command::Apply { groups, change } => {
                commands::apply(journal, &self.words, &command, groups, change)?
            }
            Command::Undo => commands::undo(journal, &self.words)?,
            Command::Redo => commands::redo(journal, &self.words)?,
            Command::PreviewVocabulary { groups } => commands::preview_vocabulary(journal, groups)?,
            Command::PreviewFix {
                groups,
                reason,
                kind,
            } => commands::preview_fix(journal, groups, *reason, *kind)?,
            Command::Remember { key, value } => commands::remember(journal, key, value)?,
            Command::Search(text) => self.search.start(journal, text)?,
            Command::Audit => commands::audit(journal)?,
            Command::DrawAudit(size) => commands::draw_audit(journal, *size)?,
            Command::Judge {
                seed,
                group,
                version,
                verdict,
            } => commands::judge(journal, &command, *seed, (*group, *version), *verdict)?,
            Command::Retry { groups, how } => self.retry(groups, how),
            Command::Pause => self.set_paused(true),
            Command::Resume => self.set_paused(false),
            // Only has an effect while the journal is blocked.
            Command::TryAgain => Effects::default(),
            Command::Stop => self.stop(),
        };
        // Comes before the report of the step, after which a front end may score all again.
        if self.journal.opened().learned().1 > self.published_decisions {
            self.publish_estimator();
        }
        self.apply_effects(effects)
    }

    /// Sends the estimator to the front end, which scores all again.
    fn publish_estimator(&mut self) {
        let (estimator, decisions) = self.journal.opened().learned();
        self.published_decisions = decisions;
        self.front.emit(Event::Learned(Box::new(estimator.clone())));
    }

    fn retry(&mut self, groups: &[GroupId], how: &Retry) -> Effects {
        if !self.queue.has_model() {
            return Effects::event(Event::Warning(Warning::NoModel));
        }
        self.families.retried(groups);
        self.queue.retry(groups, how);
        Effects::default()
    }

    /// Requests new answers for the groups of this source that match the filter of `--redo`.
    fn redo_matching(&mut self) -> Result<()> {
        let Some(query) = self.redo.take() else {
            return Ok(());
        };
        let groups = commands::matching(&mut self.journal, &query, self.ingest.groups())?;
        tracing::info!(groups = groups.len(), "labeling again");
        if groups.is_empty() {
            self.front.emit(Event::Warning(Warning::NothingToRedo));
        }
        self.families.retried(&groups);
        self.queue.redo(&groups);
        Ok(())
    }

    fn set_paused(&mut self, paused: bool) -> Effects {
        self.queue.set_paused(paused);
        self.workers.set_paused(paused);
        Effects::default()
    }

    fn stop(&mut self) -> Effects {
        self.interrupted = !self.is_idle();
        self.stopping = true;
        Effects::default()
    }

    fn message(&mut self, message: WorkerMessage) -> Result<()> {
        let effects = match message {
            WorkerMessage::Source(event) => self.source_event(event)?,
            WorkerMessage::Preprocess(event) => self.preprocess_event(event)?,
            WorkerMessage::Model(event) => self.model_event(event)?,
            WorkerMessage::Panicked(error) => return Err(error),
        };
        self.apply_effects(effects)
    }

    fn source_event(&mut self, event: SourceEvent) -> Result<Effects> {
        match event {
            SourceEvent::Groups(events) => {
                let ingested = self.ingest.add(events, &mut self.journal)?;
                for text in ingested.warnings {
                    tracing::warn!(%text, "source");
                    self.front.emit(Event::Warning(Warning::Source(text)));
                }
                let waiting = ingested.waiting;
                self.with_families(|families, scheduler| families.add(waiting, scheduler))?;
                let imageless = ingested.imageless;
                let mut effects = self.results.imageless(imageless, &mut self.journal)?;
                for (group, is_committed) in ingested.answered {
                    let journal = &mut self.journal;
                    match self.results.resume(group, is_committed, journal)? {
                        Resumed::Nothing => {}
                        Resumed::Retry(request) => effects.requests.push(*request),
                        Resumed::Opinions(requests) => {
                            requests.into_iter().for_each(|r| self.queue.add_later(r));
                        }
                    }
                }
                effects.changed.extend(ingested.changed);
                Ok(effects)
            }
            SourceEvent::End {
                rows,
                rows_of_groups,
                refused,
            } => {
                self.redo_matching()?;
                let changed = self
                    .ingest
                    .end(rows, &rows_of_groups, refused, &mut self.journal)?;
                let groups = self.ingest.total();
                tracing::info!(rows, groups, "source read");
                // Missing pictures are known only now.
                self.exports.update(&mut self.journal)?;
                self.emit_notices();
                let tally = self.exports.tally(&mut self.journal)?;
                Ok(Effects {
                    changed,
                    ..Effects::event(Event::SourceRead {
                        rows,
                        groups,
                        pictures: self.moved_pictures(tally),
                    })
                })
            }
            SourceEvent::Failed(error) => Err(error),
        }
    }

    fn preprocess_event(&mut self, event: PreprocessEvent) -> Result<Effects> {
        match event {
            PreprocessEvent::Ready {
                ticket,
                request,
                measured,
                request_text,
                preprocess_ms,
            } => {
                let colors = measured.as_ref().map(|measured| &measured.colors);
                let prepared = self
                    .queue
                    .prepared(ticket, colors, request_text, preprocess_ms);
                let Some(job) = prepared else {
                    return Ok(Effects::default());
                };
                let (group, urgent) = (job.group, job.purpose != Purpose::First);
                let measured = measured.map(|measured| (group, measured));
                let measured = measured.as_slice();
                let changed = self
                    .journal
                    .with(|journal| journal.set_measured(measured))?;
                self.workers.send_to_model(*request, urgent);
                Ok(Effects::changed(changed))
            }
            PreprocessEvent::Measured(measured) => {
                self.ingest.end_measuring();
                self.examples
                    .mark_stale(measured.iter().map(|(group, _)| *group));
                let changed = self
                    .journal
                    .with(|journal| journal.set_measured(&measured))?;
                let groups = measured.iter().map(|(group, _)| *group);
                self.with_families(|families, scheduler| families.measured(groups, scheduler))?;
                Ok(Effects::changed(changed))
            }
            PreprocessEvent::Recolored {
                from,
                to,
                recoloring,
            } => {
                let derived = match recoloring {
                    Some(recoloring) => {
                        let journal = &mut self.journal;
                        self.results.derived(to, from, &recoloring, journal)?
                    }
                    None => None,
                };
                self.families
                    .derived(to, derived.is_some(), &mut self.queue);
                Ok(derived.unwrap_or_default())
            }
            PreprocessEvent::Failed { ticket, failure } => match self.queue.finish(ticket) {
                Some(job) => self.results.not_prepared(&job, failure, &mut self.journal),
                None => Ok(Effects::default()),
            },
        }
    }

    fn model_event(&mut self, event: ModelEvent) -> Result<Effects> {
        Ok(match event {
            ModelEvent::Ready(info) => {
                tracing::info!(?info, "model ready");
                self.queue.model_ready(info.slots);
                self.results.model_ready(&info);
                Effects::event(Event::ModelReady(info))
            }
            ModelEvent::Broken(error) => {
                tracing::error!(error = %error, "no model");
                Effects {
                    changed: self.queue.model_lost(),
                    ..Effects::event(Event::ModelFailed(error))
                }
            }
            ModelEvent::Started(ticket) => match self.queue.started(ticket) {
                Some(group) => {
                    self.results.started();
                    Effects::changed(vec![group])
                }
                None => Effects::default(),
            },
            ModelEvent::Answered { ticket, answer } => match self.queue.finish(ticket) {
                Some(job) => self.results.answered(&job, &answer, &mut self.journal)?,
                None => Effects::default(),
            },
            ModelEvent::Refused { ticket, detail } => match self.queue.finish(ticket) {
                Some(job) => self.results.refused(&job, detail, &mut self.journal)?,
                None => Effects::default(),
            },
            ModelEvent::Notice(notice) => {
                tracing::warn!(?notice, "server");
                Effects::event(Event::Warning(Warning::Server(notice)))
            }
            ModelEvent::ModelNotice(notice) => {
                tracing::warn!(?notice, "model");
                Effects::event(Event::Warning(Warning::Model(notice)))
            }
        })
    }

    fn apply_effects(&mut self, effects: Effects) -> Result<()> {
        if let Some(vocabulary) = effects.vocabulary {
            self.journal
                .opened()
                .set_vocabulary(Arc::clone(&vocabulary));
            self.results.set_vocabulary(Arc::clone(&vocabulary));
            self.front.emit(Event::Vocabulary(vocabulary));
        }
        for request in effects.requests {
            self.queue.add_urgent(request);
        }
        for group in effects.finished {
            self.with_families(|families, scheduler| families.finished(group, scheduler))?;
        }
        if effects.export {
            self.exports
                .request(&mut self.journal, self.ingest.missing_images())?;
        }
        self.emit_groups(&effects.changed)?;
        for event in effects.events {
            self.front.emit(event);
        }
        // Must be last: the message about a step would hide the notices of its export.
        self.emit_notices();
        Ok(())
    }

    /// Counts the records and edits whose pictures have moved or been replaced.
    fn moved_pictures(&self, tally: ExportIssues) -> MovedPictures {
        MovedPictures {
            moved: self.ingest.moved(),
            withheld: tally.withheld,
            withheld_edits: tally.withheld_edits,
            paths: tally.withheld_paths,
        }
    }

    fn emit_notices(&mut self) {
        for notice in self.exports.take_notices() {
            tracing::warn!(?notice, "export");
            self.front.emit(Event::Warning(Warning::Export(notice)));
        }
    }

    fn emit_groups(&mut self, groups: &[GroupId]) -> Result<()> {
        self.examples.mark_stale(groups.iter().copied());
        let queue = &self.queue;
        self.journal
            .emit_groups(groups, |group| queue.is_running(group))
    }

    fn progress(&self) -> Progress {
        let mut progress = Progress {
            total: self.ingest.total(),
            reading: !self.ingest.has_ended(),
            measuring: self.ingest.is_measuring(),
            queued: self.queue.waiting(),
            following: self.families.following(),
            ..Progress::default()
        };
        self.results.add_to_progress(&mut progress);
        self.results
            .metrics()
            .measure(Instant::now(), &mut progress);
        if self.queue.is_paused() {
            progress.stage = Stage::Paused;
        }
        progress
    }

    fn publish_progress(&self) {
        self.front.progress.set(self.progress());
    }

    /// Stops the workers and saves the answers they had finished.
    fn shut_down(&mut self, by_error: bool) -> Result<()> {
        let last_messages = self.workers.shut_down(Shutdown {
            cancel: self.queue.has_outstanding(),
            is_loading: self.queue.is_loading(),
            by_error,
        });
        let mut saved = Ok(());
        for message in last_messages {
            let is_finished = matches!(
                message,
                WorkerMessage::Model(ModelEvent::Answered { .. } | ModelEvent::Refused { .. })
            );
            if is_finished && saved.is_ok() {
                saved = self.message(message);
            }
        }
        saved
    }

    /// Writes the final exports and builds the summary.
    fn summarize(&mut self) -> Result<Summary> {
        // Required even if the source was not read to its end: every line must be in a file.
        self.exports.update(&mut self.journal)?;
        let tally = self.exports.tally(&mut self.journal)?;
        self.emit_notices();
        self.publish_progress();
        let counts = self.journal.with(|journal| journal.counts())?;
        Ok(Summary {
            files: self.exports.output_files(self.results.has_failures()),
            rows: self.ingest.rows(),
            refused: self.ingest.refused(),
            damaged: tally.damaged.len() as u64,
            pictures: self.moved_pictures(tally),
            committed: counts.records,
            uncertain: counts.flagged,
            unmarked: counts.unmarked,
            by_reason: counts.by_reason,
            interrupted: self.interrupted,
            seconds: self.started_at.elapsed().as_secs_f64(),
            stage_seconds: self.results.metrics().stage_seconds(),
            remote: self.front.progress.get().remote,
            ..self.results.summary(self.ingest.total())
        })
    }
}
