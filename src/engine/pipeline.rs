//! The engine's own thread: owns the journal, decides what is asked of the model and what becomes
//! of its answers.

use super::diary::Diary;
use super::handle::EngineEnd;
use super::judge::Judge;
use super::keeper::Keeper;
use super::messages::{Event, MovedPictures, Progress, RetryCounts, Stage};
use super::meter::Meter;
use super::model_worker::FromModel;
use super::prepare::{FromPrepare, Job, Purpose, Work};
use super::reader::FromSource;
use super::ready::Ready;
use crate::error::{Error, Result};
use crate::export::Exports;
use crate::record::{AttemptSettings, Failure, FailureCode, GroupId, GroupState, GroupSummary};
use crate::settings::EngineOptions;
use crate::store::rescued_files;
use crossbeam_channel::{Receiver, Sender, never, select};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Progress is published, and lagging exports are written, at least this often.
const TICK: Duration = Duration::from_millis(200);
/// Groups in one `Event::Groups`.
const GROUPS: usize = 512;
/// Requests prepared ahead, besides those in flight.
const AHEAD: usize = 8;

/// Everything that the engine's other threads tell it.
#[derive(Debug)]
pub enum Input {
    Source(FromSource),
    Prepare(FromPrepare),
    Model(FromModel),
    /// A thread that the run cannot go on without.
    Panicked(Error),
}

impl From<FromModel> for Input {
    fn from(message: FromModel) -> Self {
        Self::Model(message)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// Review only.
    None,
    Loading,
    Ready,
    Broken,
}

/// The threads around the pipeline, and how to end them.
pub struct Crew {
    pub ready: Arc<Ready>,
    /// `None` once nothing more is to be prepared.
    pub prepare: Option<Sender<Work>>,
    pub stop_reading: Arc<std::sync::atomic::AtomicBool>,
    pub threads: Vec<JoinHandle<()>>,
    pub model: Option<JoinHandle<()>>,
}

pub struct Pipeline {
    pub options: EngineOptions,
    /// What an attempt is asked with, unless an operator or a retry says otherwise.
    pub settings: AttemptSettings,
    pub journal: Keeper,
    pub exports: Exports,
    pub judge: Judge,
    pub front: EngineEnd,
    pub inputs: Receiver<Input>,
    pub meter: Arc<Meter>,
    pub crew: Crew,
    pub state: State,
}

/// What changes while the pipeline runs.
pub struct State {
    pub(super) began: Instant,
    pub(super) model: Model,
    pub(super) slots: usize,
    pub(super) paused: bool,
    pub(super) stopping: bool,
    pub(super) source_read: bool,
    pub(super) idle_told: bool,
    pub(super) next_ticket: u64,
    pub(super) urgent: VecDeque<(GroupId, AttemptSettings, Purpose)>,
    pub(super) todo: VecDeque<GroupId>,
    pub(super) outstanding: HashMap<u64, Job>,
    pub(super) running: HashSet<GroupId>,
    pub(super) rows: u64,
    /// The groups of this reading of the source.
    pub(super) by_order: Vec<GroupId>,
    pub(super) progress: Progress,
    /// Known groups whose picture no run has looked at (those of an earlier file), and whether
    /// some are being looked at.
    pub(super) colorless: VecDeque<GroupId>,
    pub(super) coloring: bool,
    pub(super) new_records: u64,
    /// Of this run; what is withheld is known at its end.
    pub(super) pictures: MovedPictures,
    pub(super) failures: BTreeMap<FailureCode, u64>,
    /// Answered, with an edit or a rejection of the operator's that a batch does not commit over.
    pub(super) open: u64,
    pub(super) asked: u64,
    pub(super) retries: RetryCounts,
    pub(super) interrupted: bool,
}

impl State {
    pub fn new(with_model: bool) -> Self {
        Self {
            began: Instant::now(),
            model: if with_model {
                Model::Loading
            } else {
                Model::None
            },
            slots: 1,
            paused: false,
            stopping: false,
            source_read: false,
            idle_told: false,
            next_ticket: 1,
            urgent: VecDeque::new(),
            todo: VecDeque::new(),
            outstanding: HashMap::new(),
            running: HashSet::new(),
            rows: 0,
            by_order: Vec::new(),
            progress: Progress {
                reading: true,
                ..Progress::default()
            },
            colorless: VecDeque::new(),
            coloring: false,
            new_records: 0,
            pictures: MovedPictures::default(),
            failures: BTreeMap::new(),
            open: 0,
            asked: 0,
            retries: RetryCounts::default(),
            interrupted: false,
        }
    }
}

impl Pipeline {
    /// Runs until it is stopped or cannot go on; the last event says which.
    pub fn run(mut self, start_reading: Sender<()>) {
        let ended = self.work(start_reading);
        let dismissed = self.dismiss(ended.is_err());
        let ended = ended.and(dismissed).and_then(|()| self.conclude());
        let ended = match self.journal.rescue() {
            Some(error) => Err(error),
            None => ended,
        };
        match ended {
            Ok(summary) => self.tell(Event::Stopped(Box::new(summary))),
            Err(error) => {
                tracing::error!(error = %error, "the engine could not go on");
                self.tell(Event::Broken(error));
            }
        }
    }

    fn work(&mut self, start_reading: Sender<()>) -> Result<()> {
        // Thousands of earlier labels take their time, and a screen does not wait for them.
        self.exports.catch_up(self.journal.opened())?;
        self.tell_notices();
        for path in rescued_files(self.journal.opened(), &self.options.outdir)? {
            tracing::warn!(path = %path.display(), "of a run whose journal was lost");
            self.tell(Event::Rescued(path));
        }
        self.show_journal()?;
        self.journal.opened().begin_source();
        self.journal.opened().remember_files();
        // The reader waits for this, so that the first groups come from the journal.
        drop(start_reading);
        while !self.state.stopping {
            self.feed()?;
            self.publish();
            if self.is_idle() && !self.state.idle_told {
                self.state.idle_told = true;
                self.export()?;
                self.tell(Event::Idle);
            }
            if let Some(command) = self.journal.next_deferred() {
                self.command(command)?;
                continue;
            }
            let commands = self.front.commands.clone();
            let inputs = self.inputs.clone();
            select! {
                recv(commands) -> command => match command {
                    Ok(command) => self.command(command)?,
                    Err(_) => self.stop(),
                },
                recv(inputs) -> input => match input {
                    Ok(input) => {
                        self.input(input)?;
                        // A burst is taken in before the next look around, but a person who asks
                        // for something does not wait for the rest of a source.
                        for input in self.inputs.clone().try_iter().take(GROUPS) {
                            self.input(input)?;
                            if !commands.is_empty() {
                                break;
                            }
                        }
                    }
                    // Every thread has ended: only commands can come.
                    Err(_) => self.inputs = never(),
                },
                default(TICK) => {}
            }
            let (exports, settled) = (&mut self.exports, self.state.source_read);
            self.journal
                .with(|journal| exports.update_if_due(journal, settled))?;
            self.tell_notices();
        }
        Ok(())
    }

    /// Brings every export up to date.
    pub(super) fn export(&mut self) -> Result<()> {
        self.update_exports()?;
        self.tell_notices();
        Ok(())
    }

    /// Exports without telling what was noticed on the way.
    pub(super) fn update_exports(&mut self) -> Result<()> {
        let (exports, settled) = (&mut self.exports, self.state.source_read);
        self.journal
            .with(|journal| exports.update(journal, settled))
    }

    pub(super) fn tell_notices(&mut self) {
        for text in self.exports.take_notices() {
            tracing::warn!(%text, "export");
            self.tell(Event::Warning(text));
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // Without a front end the pipeline stops by the closed command channel.
        let _ = self.front.events.send(event);
    }

    fn show_journal(&mut self) -> Result<()> {
        for (key, value) in self.journal.opened().meta_with_prefix(REMEMBERED)? {
            self.tell(Event::Remembered { key, value });
        }
        let (undo, redo) = self.journal.opened().next_steps()?;
        if undo.is_some() || redo.is_some() {
            let step = None;
            self.tell(Event::Stepped { step, undo, redo });
        }
        let events = self.front.events.clone();
        let mut known = Diary::default();
        self.journal.opened().each_summary(GROUPS, |groups| {
            known.know(&groups);
            let _ = events.send(Event::Groups(groups));
            Ok(())
        })?;
        self.journal.diary = known;
        Ok(())
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = &self.state;
        let seen = state.colorless.is_empty() && !state.coloring;
        let done = state.urgent.is_empty() && state.todo.is_empty() && state.outstanding.is_empty();
        let no_model = matches!(state.model, Model::None | Model::Broken);
        state.source_read && seen && (done || no_model)
    }

    /// Prepares as much as the model will want next.
    fn feed(&mut self) -> Result<()> {
        self.look_at_colors()?;
        if matches!(self.state.model, Model::None | Model::Broken) {
            return Ok(());
        }
        let window = self.state.slots + AHEAD;
        while self.state.outstanding.len() < window {
            let (group, settings, purpose) = match self.state.urgent.pop_front() {
                Some(next) => next,
                None => match self.state.todo.pop_front() {
                    Some(group) => (group, self.settings.clone(), Purpose::First),
                    None => break,
                },
            };
            let (item, _) = self.journal.with(|journal| journal.item(group))?;
            let ticket = self.state.next_ticket;
            self.state.next_ticket += 1;
            let job = Job {
                ticket,
                group,
                item: Arc::new(item),
                settings,
                purpose,
                histogram: None,
                preprocess_ms: 0.0,
            };
            self.state.outstanding.insert(ticket, job.clone());
            self.have_prepared(Work::Attempt(Box::new(job)));
        }
        Ok(())
    }

    pub(super) fn have_prepared(&self, work: Work) {
        if let Some(prepare) = &self.crew.prepare {
            // The preparing thread lives as long as this sender.
            let _ = prepare.send(work);
        }
    }

    pub(super) fn input(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Source(message) => self.on_source(message),
            Input::Prepare(message) => self.on_prepare(message),
            Input::Model(message) => self.on_model(message),
            Input::Panicked(error) => Err(error),
        }
    }

    fn on_prepare(&mut self, message: FromPrepare) -> Result<()> {
        match message {
            FromPrepare::Ready {
                ticket,
                request,
                histogram,
                preprocess_ms,
            } => {
                let Some(job) = self.state.outstanding.get_mut(&ticket) else {
                    return Ok(());
                };
                job.preprocess_ms = preprocess_ms;
                let urgent = job.purpose != Purpose::First;
                let group = job.group;
                if let Some(histogram) = histogram {
                    job.histogram = Some(histogram.clone());
                    let colors = [(group, histogram)];
                    self.journal
                        .with(|journal| journal.set_histograms(&colors))?;
                }
                self.crew.ready.push(*request, urgent);
                Ok(())
            }
            FromPrepare::Colors(histograms) => {
                self.state.coloring = false;
                let changed = self
                    .journal
                    .with(|journal| journal.set_histograms(&histograms))?;
                self.show(&changed)
            }
            FromPrepare::Failed { ticket, failure } => self.finish_failed(ticket, failure, None),
        }
    }

    fn on_model(&mut self, message: FromModel) -> Result<()> {
        match message {
            FromModel::Ready(info) => {
                tracing::info!(?info, "model ready");
                self.state.model = Model::Ready;
                self.state.slots = info.slots.max(1);
                self.judge.model(&info);
                self.tell(Event::ModelReady(info));
            }
            FromModel::Broken(error) => {
                tracing::error!(error = %error, "no model");
                self.state.model = Model::Broken;
                let lost: Vec<GroupId> = self.state.running.drain().collect();
                self.state.outstanding.clear();
                self.show(&lost)?;
                self.tell(Event::ModelFailed(error));
            }
            FromModel::Started(ticket) => {
                if let Some(job) = self.state.outstanding.get(&ticket) {
                    let group = job.group;
                    self.state.asked += 1;
                    self.state.running.insert(group);
                    self.show(&[group])?;
                }
            }
            FromModel::Answered { ticket, answer } => {
                let Some(job) = self.state.outstanding.get(&ticket) else {
                    return Ok(());
                };
                let attempt = self.judge.attempt(job, &answer);
                self.finish(ticket, attempt)?;
            }
            FromModel::Refused { ticket, error } => {
                let Some(job) = self.state.outstanding.get(&ticket) else {
                    return Ok(());
                };
                let failure = Failure {
                    code: FailureCode::ModelError,
                    detail: error.cause,
                };
                let attempt = self.judge.failed_attempt(job, failure.clone());
                self.finish_failed(ticket, failure, Some(attempt))?;
            }
            FromModel::Notice(text) => {
                tracing::warn!(%text, "model");
                self.tell(Event::Warning(text));
            }
        }
        Ok(())
    }

    /// Sends how these groups look now.
    pub(super) fn show(&mut self, groups: &[GroupId]) -> Result<()> {
        let mut seen = HashSet::new();
        let once: Vec<GroupId> = groups
            .iter()
            .copied()
            .filter(|id| seen.insert(*id))
            .collect();
        for part in once.chunks(GROUPS) {
            let mut summaries = self.journal.with(|journal| journal.summaries_of(part))?;
            self.journal.diary.know(&summaries);
            for summary in &mut summaries {
                self.mark_running(summary);
            }
            if !summaries.is_empty() {
                self.tell(Event::Groups(summaries));
            }
        }
        Ok(())
    }

    fn mark_running(&self, summary: &mut GroupSummary) {
        if self.state.running.contains(&summary.id) {
            summary.state = GroupState::Running;
        }
    }

    pub(super) fn publish(&mut self) {
        let state = &mut self.state;
        let prepared = state.outstanding.len().saturating_sub(state.running.len());
        state.progress.queued = (state.todo.len() + state.urgent.len() + prepared) as u64;
        self.meter.measure(Instant::now(), &mut state.progress);
        if state.paused && state.model == Model::Ready {
            state.progress.stage = Stage::Paused;
        }
        self.front.progress.set(state.progress.clone());
    }
}

/// Front ends' settings in the journal.
pub(super) const REMEMBERED: &str = "front.";
