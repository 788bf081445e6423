//! Gives access to the journal and keeps its work through trouble: what cannot be saved waits
//! until it can be, and is never taken for saved.

mod exporting;
mod run_log;

pub use exporting::Exporting;

use super::handle::EngineEnd;
use super::messages::{Blocked, Broken, Command, Cure, Event, Rescued, Warning};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{GroupId, GroupState};
use crate::store::{Journal, Misplaced, rescue_text};
use crossbeam_channel::select;
use run_log::RunLog;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

/// Groups in one event.
const GROUPS: usize = 512;
/// Between tries that nobody asked for.
const PAUSE: Duration = Duration::from_secs(2);

/// How to go on while the journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Conduct {
    /// Wait until it can be.
    Wait,
    /// The run ends. The journal's files are gone by this error; what is still open of them is
    /// used to the end.
    Adrift(Error),
    /// The run ends by the error.
    GiveUp,
}

/// Why one use of the journal failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    error: Error,
    cure: Cure,
}

pub struct JournalAccess {
    journal: Journal,
    front: EngineEnd,
    /// A batch shows no groups.
    is_watched: bool,
    conduct: Conduct,
    /// The operator's command that is being carried out, if it decides something.
    doing: Option<Command>,
    /// Commands that came meanwhile, in order.
    deferred: VecDeque<Command>,
    /// Decisions that the run ends without.
    unsaved: Vec<Command>,
    log: RunLog,
    /// The file of the log, once it has been written.
    log_file: Option<PathBuf>,
    /// How writing it went the last time.
    log_rescued: Option<Rescued>,
}

impl JournalAccess {
    pub fn new(journal: Journal, front: EngineEnd, is_watched: bool) -> Self {
        Self {
            journal,
            front,
            is_watched,
            conduct: Conduct::Wait,
            doing: None,
            deferred: VecDeque::new(),
            unsaved: Vec::new(),
            log: RunLog::default(),
            log_file: None,
            log_rescued: None,
        }
    }

    /// The journal without any waiting: before the run has begun, an error ends it.
    pub fn opened(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Uses the journal. If that fails, the front end hears of it, and it is tried again, by itself
    /// and on command, until it works or the run is stopped. `work` runs again as a whole.
    pub fn with<T>(&mut self, mut work: impl FnMut(&mut Journal) -> Result<T>) -> Result<T> {
        match self.once(&mut work) {
            Ok(done) => Ok(done),
            Err(trouble) if self.waits_for(&trouble.error) => self.wait(trouble, work),
            Err(trouble) => Err(trouble.error),
        }
    }

    /// Uses the journal for a command that decides something.
    pub fn decide<T>(
        &mut self,
        command: &Command,
        work: impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T> {
        self.doing = Some(command.clone());
        let done = self.with(work);
        self.doing = None;
        done
    }

    /// Sends the current summary of each group, once, where somebody looks at them.
    pub fn show(&mut self, groups: &[GroupId], is_running: impl Fn(GroupId) -> bool) -> Result<()> {
        if !self.is_watched {
            return Ok(());
        }
        let mut seen = HashSet::new();
        let once = groups.iter().copied().filter(|id| seen.insert(*id));
        let once: Vec<GroupId> = once.collect();
        for part in once.chunks(GROUPS) {
            let mut summaries = self.with(|journal| journal.summaries_of(part))?;
            for summary in &mut summaries {
                self.log.know(summary.id, &summary.image_path);
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

    /// Sends the summaries of all groups, some at a time, before the run has begun.
    pub fn show_all(&mut self) -> Result<()> {
        if !self.is_watched {
            return Ok(());
        }
        let Self {
            journal,
            front,
            log,
            ..
        } = self;
        journal.each_summary(GROUPS, |groups| {
            for group in &groups {
                log.know(group.id, &group.image_path);
            }
            front.emit(Event::Groups(groups));
            Ok(())
        })
    }

    /// Where all that is done to the journal is noted as well.
    pub fn log(&mut self) -> &mut RunLog {
        &mut self.log
    }

    /// The next command that came while nothing could be saved.
    pub fn next_deferred(&mut self) -> Option<Command> {
        self.deferred.pop_front()
    }

    /// Closes a run. If the journal's files are gone, everything that is still open of them is
    /// saved beside them, and the run ends by an error whatever it came to.
    pub fn close<T>(&mut self, ended: Result<T>) -> Result<T, Box<Broken>> {
        if let Conduct::Adrift(gone) = &self.conduct {
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
        self.conduct == Conduct::Wait && error.kind == ErrorKind::Store
    }

    fn once<T>(
        &mut self,
        work: &mut impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T, Box<Trouble>> {
        if !matches!(self.conduct, Conduct::Adrift(_)) {
            self.journal.verify().map_err(|misplaced| {
                let (error, cure) = match misplaced {
                    Misplaced::Gone(error) => (error, Cure::Rewrite),
                    Misplaced::Damaged(error) => (error, Cure::None),
                    Misplaced::Busy(error) => (error, Cure::Wait),
                };
                Box::new(Trouble { error, cure })
            })?;
        }
        let done = work(&mut self.journal).map_err(|error| {
            let cure = Cure::Wait;
            Box::new(Trouble { error, cure })
        });
        self.journal.remember_files();
        done
    }

    fn wait<T>(
        &mut self,
        mut trouble: Box<Trouble>,
        mut work: impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T> {
        self.report(&trouble);
        loop {
            let mut rewriting = false;
            select! {
                recv(self.front.commands) -> command => match command {
                    Ok(Command::TryAgain) => rewriting = trouble.cure == Cure::Rewrite,
                    Ok(Command::Stop) | Err(_) => {
                        self.deferred.push_back(Command::Stop);
                        if trouble.cure != Cure::Rewrite {
                            self.give_up();
                            return Err(trouble.error);
                        }
                        tracing::warn!("the run ends with a journal that has no file any more");
                        self.conduct = Conduct::Adrift(trouble.error.clone());
                    }
                    Ok(command) => {
                        self.meanwhile(command);
                        continue;
                    }
                },
                default(PAUSE) => {}
            }
            let ready = match rewriting {
                true => self.rewrite(),
                false => Ok(()),
            };
            match ready.and_then(|()| self.once(&mut work)) {
                Ok(done) => {
                    tracing::info!("the journal can be used again");
                    self.front.emit(Event::Unblocked);
                    return Ok(done);
                }
                Err(again) if self.waits_for(&again.error) => {
                    if again != trouble {
                        trouble = again;
                        self.report(&trouble);
                    }
                }
                Err(other) => {
                    self.front.emit(Event::Unblocked);
                    return Err(other.error);
                }
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), Box<Trouble>> {
        match self.journal.rewrite() {
            Ok(set_aside) => {
                tracing::warn!(?set_aside, "the journal was rewritten");
                self.front
                    .emit(Event::Warning(Warning::JournalRewritten { set_aside }));
                Ok(())
            }
            Err(error) => {
                let cure = Cure::Rewrite;
                Err(Box::new(Trouble { error, cure }))
            }
        }
    }

    /// Reading goes on; whatever else is commanded is done once it can be saved.
    fn meanwhile(&mut self, command: Command) {
        let Command::Open(group) = command else {
            if let Some(groups) = decided(&command) {
                self.show_stored(groups);
            }
            self.deferred.push_back(command);
            return;
        };
        // What cannot be read now is requested again by whoever still wants it.
        if let Ok(Some(detail)) = self.journal.detail(group) {
            self.front.emit(Event::Detail(Box::new(detail)));
        }
    }

    fn report(&mut self, trouble: &Trouble) {
        let Trouble { error, cure } = trouble.clone();
        tracing::error!(error = %error, "the journal cannot be used");
        if cure == Cure::None && self.log_file.is_none() {
            self.write_log();
        }
        self.front.emit(Event::Blocked(Blocked {
            error,
            cure,
            run_log: self.log_rescued.clone(),
        }));
        let decisions = self.doing.iter().chain(&self.deferred);
        let groups: Vec<GroupId> = decisions.filter_map(decided).flatten().copied().collect();
        self.show_stored(&groups);
    }

    /// A front end may have shown a decision already that is not saved.
    fn show_stored(&self, groups: &[GroupId]) {
        if let Ok(summaries) = self.journal.summaries_of(groups)
            && !summaries.is_empty()
        {
            self.front.emit(Event::Groups(summaries));
        }
    }

    /// The run is stopped, perhaps with decisions that could not be saved.
    fn give_up(&mut self) {
        self.conduct = Conduct::GiveUp;
        let decisions = self.doing.iter().chain(&self.deferred);
        let decisions = decisions.filter(|command| decided(command).is_some());
        self.unsaved = decisions.cloned().collect();
        for command in &self.unsaved {
            self.log.unsaved(command);
        }
        if !self.unsaved.is_empty() || self.log_file.is_some() {
            self.write_log();
        }
    }

    /// Writes down all that this run has done, beside the journal.
    fn write_log(&mut self) {
        let before = self.log_file.as_deref();
        let written = rescue_text(self.journal.outdir(), before, &self.log.text());
        self.log_rescued = Some(match written {
            Ok(path) => {
                self.log_file = Some(path.clone());
                Rescued::To(path)
            }
            Err(error) => Rescued::Failed(error),
        });
    }
}

/// The groups that a command decides about; those of undo and redo are known when it is done.
fn decided(command: &Command) -> Option<&[GroupId]> {
    match command {
        Command::Apply { groups, .. } => Some(groups),
        Command::Undo | Command::Redo => Some(&[]),
        _ => None,
    }
}
