//! Wraps the journal to survive outages: work that cannot be saved waits until it can be.

mod exporting;
mod run_log;

pub use exporting::Exporting;

use super::handle::EngineEnd;
use super::messages::{Blocked, Broken, Command, Cure, Event, Rescued, Warning};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{GroupId, GroupState};
use crate::store::{Journal, UnusableJournal, write_rescued_text};
use crossbeam_channel::select;
use run_log::RunLog;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::slice;
use std::time::Duration;

/// Groups per event.
const GROUPS_PER_EVENT: usize = 512;
/// Time between automatic retries.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How to react when the journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OutagePolicy {
    /// Wait until it can be used.
    Wait,
    /// End the run, but keep using the open files of the journal, which were deleted or replaced
    /// (see the error).
    Detached(Error),
    /// End the run with the error.
    GiveUp,
}

/// Why the journal could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outage {
    error: Error,
    cure: Cure,
}

pub struct JournalAccess {
    journal: Journal,
    front: EngineEnd,
    /// Whether a front end shows groups; a batch does not.
    is_watched: bool,
    policy: OutagePolicy,
    /// The operator's decision that is being executed.
    deciding: Option<Command>,
    /// Commands received during an outage, in order.
    deferred: VecDeque<Command>,
    /// Decisions that could not be saved before the run ended.
    unsaved: Vec<Command>,
    log: RunLog,
    /// The file of the log, once it has been written.
    log_file: Option<PathBuf>,
    /// Result of the last attempt to write the log.
    log_rescued: Option<Rescued>,
}

impl JournalAccess {
    pub fn new(journal: Journal, front: EngineEnd, is_watched: bool) -> Self {
        Self {
            journal,
            front,
            is_watched,
            policy: OutagePolicy::Wait,
            deciding: None,
            deferred: VecDeque::new(),
            unsaved: Vec::new(),
            log: RunLog::default(),
            log_file: None,
            log_rescued: None,
        }
    }

    /// Returns the journal without handling outages. Meant for the start of a run, which an error ends.
    pub fn opened(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Runs `work` on the journal. If that fails, reports the outage to the front end and repeats
    /// `work`, automatically and on command, until it succeeds or the run is stopped.
    pub fn with<T>(&mut self, mut work: impl FnMut(&mut Journal) -> Result<T>) -> Result<T> {
        match self.try_once(&mut work) {
            Ok(done) => Ok(done),
            Err(outage) if self.waits_for(&outage.error) => self.retry(outage, work),
            Err(outage) => Err(outage.error),
        }
    }

    /// [`with`](Self::with) for a command that is a decision of the operator.
    pub fn decide<T>(
        &mut self,
        command: &Command,
        work: impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T> {
        self.deciding = Some(command.clone());
        let done = self.with(work);
        self.deciding = None;
        done
    }

    pub fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Sends the current summary of each group once, if a front end shows groups.
    pub fn emit_groups(
        &mut self,
        groups: &[GroupId],
        is_running: impl Fn(GroupId) -> bool,
    ) -> Result<()> {
        if !self.is_watched {
            return Ok(());
        }
        let mut seen = HashSet::new();
        let unique = groups.iter().copied().filter(|id| seen.insert(*id));
        let unique: Vec<GroupId> = unique.collect();
        for part in unique.chunks(GROUPS_PER_EVENT) {
            let mut summaries = self.with(|journal| journal.summaries_of(part))?;
            for summary in &mut summaries {
                if is_running(summary.id) {
                    summary.state = GroupState::Running;
                }
            }
            if !summaries.is_empty() {
                self.front.emit(Event::Groups(summaries));
            }
        }
        Ok(())
    }

    /// Sends the summaries of all groups in batches, at the start of a run.
    pub fn emit_all(&mut self) -> Result<()> {
        if !self.is_watched {
            return Ok(());
        }
        let Self {
            journal,
            front,
            log,
            ..
        } = self;
        journal.each_image(|group, path, sha256| log.remember_image(group, path, sha256))?;
        journal.each_summary(GROUPS_PER_EVENT, |groups| {
            front.emit(Event::Groups(groups));
            Ok(())
        })
    }

    /// The log that records every change to the journal.
    pub fn log(&mut self) -> &mut RunLog {
        &mut self.log
    }

    /// Takes the next command received during an outage.
    pub fn next_deferred(&mut self) -> Option<Command> {
        self.deferred.pop_front()
    }

    /// Ends a run. If the journal's files are gone, saves its open content beside them and returns an
    /// error whatever the result of the run.
    pub fn close<T>(&mut self, ended: Result<T>) -> Result<T, Box<Broken>> {
        if let OutagePolicy::Detached(gone) = &self.policy {
            let journal = match self.journal.rescue() {
                Ok(path) => Rescued::To(path),
                Err(error) => Rescued::Failed(error),
            };
            return Err(Box::new(Broken {
                journal: Some(journal),
                ..Broken::from(gone.clone())
            }));
        }
        ended.map_err(|error| {
            Box::new(Broken {
                unsaved: std::mem::take(&mut self.unsaved),
                run_log: self.log_rescued.take(),
                ..Broken::from(error)
            })
        })
    }

    fn waits_for(&self, error: &Error) -> bool {
        self.policy == OutagePolicy::Wait && error.kind == ErrorKind::Store
    }

    fn try_once<T>(
        &mut self,
        work: &mut impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T, Box<Outage>> {
        if !matches!(self.policy, OutagePolicy::Detached(_)) {
            self.journal.verify().map_err(|misplaced| {
                let (error, cure) = match misplaced {
                    UnusableJournal::Gone(error) => (error, Cure::Rewrite),
                    UnusableJournal::Damaged(error) => (error, Cure::None),
                    UnusableJournal::Busy(error) => (error, Cure::Wait),
                };
                Box::new(Outage { error, cure })
            })?;
        }
        let done = work(&mut self.journal).map_err(|error| {
            let cure = Cure::Wait;
            Box::new(Outage { error, cure })
        });
        self.journal.remember_files();
        done
    }

    fn retry<T>(
        &mut self,
        mut outage: Box<Outage>,
        mut work: impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T> {
        self.report(&outage);
        loop {
            let mut rewriting = false;
            select! {
                recv(self.front.commands) -> command => match command {
                    Ok(Command::TryAgain) => rewriting = outage.cure == Cure::Rewrite,
                    Ok(Command::Stop) | Err(_) => {
                        self.deferred.push_back(Command::Stop);
                        if outage.cure != Cure::Rewrite {
                            self.give_up();
                            return Err(outage.error);
                        }
                        tracing::warn!("ending the run although the journal's file is gone");
                        self.policy = OutagePolicy::Detached(outage.error.clone());
                    }
                    Ok(command) => {
                        self.handle_during_outage(command);
                        continue;
                    }
                },
                default(RETRY_INTERVAL) => {}
            }
            let ready = match rewriting {
                true => self.rewrite(),
                false => Ok(()),
            };
            match ready.and_then(|()| self.try_once(&mut work)) {
                Ok(done) => {
                    tracing::info!("the journal is usable again");
                    self.front.emit(Event::Unblocked);
                    return Ok(done);
                }
                Err(again) if self.waits_for(&again.error) => {
                    if again != outage {
                        outage = again;
                        self.report(&outage);
                    }
                }
                Err(other) => {
                    self.front.emit(Event::Unblocked);
                    return Err(other.error);
                }
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), Box<Outage>> {
        match self.journal.rewrite() {
            Ok(set_aside) => {
                tracing::warn!(?set_aside, "the journal was rewritten");
                self.front
                    .emit(Event::Warning(Warning::JournalRewritten { set_aside }));
                Ok(())
            }
            Err(error) => {
                let cure = Cure::Rewrite;
                Err(Box::new(Outage { error, cure }))
            }
        }
    }

    /// Answers `Open` and defers every other command.
    fn handle_during_outage(&mut self, command: Command) {
        let Command::Open(group) = command else {
            if let Some(groups) = decided_groups(&command) {
                self.emit_stored(groups);
            }
            self.deferred.push_back(command);
            return;
        };
        match self.journal.detail(group) {
            Ok(Some(detail)) => self.front.emit(Event::Detail(Box::new(detail))),
            Ok(None) => {}
            // Read again once the journal can be used.
            Err(_) => self.deferred.push_back(command),
        }
    }

    fn report(&mut self, outage: &Outage) {
        let Outage { error, cure } = outage.clone();
        tracing::error!(error = %error, "the journal cannot be used");
        if cure == Cure::None && self.log_file.is_none() {
            self.write_log();
        }
        self.front.emit(Event::Blocked(Blocked {
            error,
            cure,
            run_log: self.log_rescued.clone(),
        }));
        let decisions = self.deciding.iter().chain(&self.deferred);
        let groups: Vec<GroupId> = decisions
            .filter_map(decided_groups)
            .flatten()
            .copied()
            .collect();
        self.emit_stored(&groups);
    }

    /// Sends the stored summaries of groups, since a front end may already show a decision that is
    /// not saved.
    fn emit_stored(&self, groups: &[GroupId]) {
        if let Ok(summaries) = self.journal.summaries_of(groups)
            && !summaries.is_empty()
        {
            self.front.emit(Event::Groups(summaries));
        }
    }

    /// Ends the run and records the decisions that could not be saved.
    fn give_up(&mut self) {
        self.policy = OutagePolicy::GiveUp;
        let decisions = self.deciding.iter().chain(&self.deferred);
        let decisions = decisions.filter(|command| decided_groups(command).is_some());
        self.unsaved = decisions.cloned().collect();
        for command in &self.unsaved {
            let version = command.version();
            // The journal may be unreadable.
            let text = version.and_then(|(group, version)| {
                self.journal.version_text(group, version).ok().flatten()
            });
            self.log.unsaved(command, text);
        }
        if !self.unsaved.is_empty() || self.log_file.is_some() {
            self.write_log();
        }
    }

    /// Writes the log of this run to a file beside the journal.
    fn write_log(&mut self) {
        let previous = self.log_file.as_deref();
        let unread = |error| Error::new(ErrorKind::Store, format!("reading the run log: {error}"));
        let text = self.log.text().map_err(unread);
        let written =
            text.and_then(|text| write_rescued_text(self.journal.outdir(), previous, &text));
        self.log_rescued = Some(match written {
            Ok(path) => {
                self.log_file = Some(path.clone());
                Rescued::To(path)
            }
            Err(error) => Rescued::Failed(error),
        });
    }
}

/// The groups of a decision; empty for undo and redo, whose groups are known only afterwards. `None`
/// if the command is not a decision.
fn decided_groups(command: &Command) -> Option<&[GroupId]> {
    match command {
        Command::Apply { groups, .. } => Some(groups),
        Command::Judge { group, .. } => Some(slice::from_ref(group)),
        Command::Undo | Command::Redo => Some(&[]),
        _ => None,
    }
}
