//! Keeps the journal through trouble: what cannot be saved waits until it can be, and is never
//! taken for saved.

use super::diary::Diary;
use super::handle::EngineEnd;
use super::messages::{Blocked, Command, Cure, Event};
use crate::error::{Error, ErrorKind, Result};
use crate::record::GroupId;
use crate::store::{Journal, Misplaced, RunStepKind, rescue_text};
use crossbeam_channel::{Receiver, Sender, select};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// Between tries that nobody asked for.
const PAUSE: Duration = Duration::from_secs(2);

/// What to do where the journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Conduct {
    /// Wait for better times.
    Wait,
    /// The run ends; its files are gone for this reason, and what is open of them is used to the
    /// end.
    Adrift(String),
    /// The run ends; the error is told.
    GiveUp,
}

pub struct Keeper {
    journal: Journal,
    commands: Receiver<Command>,
    events: Sender<Event>,
    conduct: Conduct,
    /// The operator's command that is being carried out, where it decides something.
    doing: Option<Command>,
    /// Commands that came meanwhile, in order.
    deferred: VecDeque<Command>,
    pub diary: Diary,
    rescued: Option<PathBuf>,
}

impl Keeper {
    pub fn new(journal: Journal, front: &EngineEnd) -> Self {
        Self {
            journal,
            commands: front.commands.clone(),
            events: front.events.clone(),
            conduct: Conduct::Wait,
            doing: None,
            deferred: VecDeque::new(),
            diary: Diary::default(),
            rescued: None,
        }
    }

    /// The journal without any waiting: before the run has begun, an error ends it.
    pub fn opened(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Uses the journal. Where that fails, the front end is told, and it is tried again, by itself
    /// and where asked for, until it works or the run is stopped. `work` runs again as a whole.
    pub fn with<T>(&mut self, mut work: impl FnMut(&mut Journal) -> Result<T>) -> Result<T> {
        match self.once(&mut work) {
            Ok(done) => Ok(done),
            Err(blocked) if self.waits_for(&blocked.error) => self.wait(blocked, work),
            Err(blocked) => Err(blocked.error),
        }
    }

    /// As [`Self::with`], for a command that decides something.
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

    /// What was asked for while nothing could be saved.
    pub fn next_deferred(&mut self) -> Option<Command> {
        self.deferred.pop_front()
    }

    /// At the end of a run whose journal is no more: saves all that is still open of it beside
    /// where it was, and gives the error that says so.
    pub fn rescue(&mut self) -> Option<Error> {
        let Conduct::Adrift(gone) = &self.conduct else {
            return None;
        };
        Some(match self.journal.rescue() {
            Ok(path) => Error::new(
                ErrorKind::Store,
                format!("{gone}; all that it held is in {}", path.display()),
            )
            .with_hint(format!(
                "`labeler-tui journal restore {} --outdir {}` goes on from it",
                path.display(),
                self.journal.outdir().display()
            )),
            Err(error) => error.context(format!("{gone}, and it could not be saved elsewhere")),
        })
    }

    fn waits_for(&self, error: &Error) -> bool {
        self.conduct == Conduct::Wait && error.kind == ErrorKind::Store
    }

    fn once<T>(
        &mut self,
        work: &mut impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T, Box<Blocked>> {
        if !matches!(self.conduct, Conduct::Adrift(_)) {
            self.journal.verify().map_err(|misplaced| {
                let (error, cure) = match misplaced {
                    Misplaced::Gone(error) => (error, Cure::Rewrite),
                    Misplaced::Damaged(error) => (error, Cure::None),
                    Misplaced::Busy(error) => (error, Cure::Wait),
                };
                Box::new(Blocked { error, cure })
            })?;
        }
        let done = work(&mut self.journal).map_err(|error| {
            let cure = Cure::Wait;
            Box::new(Blocked { error, cure })
        });
        self.journal.remember_files();
        done
    }

    fn wait<T>(
        &mut self,
        mut blocked: Box<Blocked>,
        mut work: impl FnMut(&mut Journal) -> Result<T>,
    ) -> Result<T> {
        self.tell_blocked(&mut blocked);
        loop {
            let mut rewriting = false;
            select! {
                recv(self.commands) -> command => match command {
                    Ok(Command::TryAgain) => rewriting = blocked.cure == Cure::Rewrite,
                    Ok(Command::Stop) | Err(_) => {
                        self.deferred.push_back(Command::Stop);
                        if blocked.cure != Cure::Rewrite {
                            return Err(self.give_up(blocked.error));
                        }
                        tracing::warn!("the run ends with a journal that has no file any more");
                        self.conduct = Conduct::Adrift(blocked.error.cause.clone());
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
                    self.tell(Event::Unblocked);
                    return Ok(done);
                }
                Err(again) if self.waits_for(&again.error) => {
                    if again != blocked {
                        blocked = again;
                        self.tell_blocked(&mut blocked);
                    }
                }
                Err(other) => {
                    self.tell(Event::Unblocked);
                    return Err(other.error);
                }
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), Box<Blocked>> {
        match self.journal.rewrite() {
            Ok(aside) => {
                let text = match aside {
                    Some(path) => format!(
                        "journal.sqlite was rewritten; what was in its place is now {}",
                        path.display()
                    ),
                    None => "journal.sqlite was rewritten".to_owned(),
                };
                tracing::warn!(%text, "journal");
                self.tell(Event::Warning(text));
                Ok(())
            }
            Err(error) => {
                let cure = Cure::Rewrite;
                Err(Box::new(Blocked { error, cure }))
            }
        }
    }

    /// Looking goes on; whatever else is asked for comes when it can be done.
    fn meanwhile(&mut self, command: Command) {
        let Command::Open(group) = command else {
            if let Some(groups) = decided(&command) {
                self.show_stored(groups);
            }
            self.deferred.push_back(command);
            return;
        };
        // What cannot be read now is asked for again by whoever still wants it.
        if let Ok(Some(detail)) = self.journal.detail(group) {
            self.tell(Event::Detail(Box::new(detail)));
        }
    }

    fn tell_blocked(&mut self, blocked: &mut Blocked) {
        tracing::error!(error = %blocked.error, "the journal cannot be used");
        if blocked.cure == Cure::None && self.rescued.is_none() {
            blocked.error = self.write_diary(blocked.error.clone());
        }
        self.tell(Event::Blocked(blocked.clone()));
        let decisions = self.doing.iter().chain(&self.deferred);
        let groups: Vec<GroupId> = decisions.filter_map(decided).flatten().copied().collect();
        self.show_stored(&groups);
    }

    /// A front end may have shown a decision already that is not saved.
    fn show_stored(&self, groups: &[GroupId]) {
        if let Ok(summaries) = self.journal.summaries_of(groups)
            && !summaries.is_empty()
        {
            self.tell(Event::Groups(summaries));
        }
    }

    /// The run is stopped with decisions that could not be saved.
    fn give_up(&mut self, error: Error) -> Error {
        self.conduct = Conduct::GiveUp;
        let unsaved: Vec<Command> = self.doing.iter().chain(&self.deferred).cloned().collect();
        let mut words = Vec::new();
        for command in &unsaved {
            let Some(groups) = decided(command) else {
                continue;
            };
            let word = match command {
                Command::Apply { change, .. } => {
                    let word = super::operator::describe(change);
                    self.diary.change(false, &word, change, None, groups);
                    word
                }
                Command::Undo => {
                    self.diary.back(false, RunStepKind::Undo, "undo", groups);
                    "undo".to_owned()
                }
                _ => {
                    self.diary.back(false, RunStepKind::Redo, "redo", groups);
                    "redo".to_owned()
                }
            };
            words.push(word);
        }
        let damaged = self.rescued.is_some();
        if words.is_empty() && !damaged {
            return error;
        }
        let error = match words.is_empty() {
            true => error,
            false => Error {
                cause: format!("{}; not saved: {}", error.cause, words.join(", ")),
                hint: Some(
                    "when it can be written again, start again and decide that again".into(),
                ),
                ..error
            },
        };
        self.write_diary(error)
    }

    /// Writes down all that this run has brought about; the error says where.
    fn write_diary(&mut self, error: Error) -> Error {
        let written = rescue_text(
            self.journal.outdir(),
            self.rescued.as_deref(),
            &self.diary.text(),
        );
        match written {
            Ok(path) => {
                let named = path.display().to_string();
                self.rescued = Some(path);
                match error.cause.contains(&named) {
                    true => error,
                    false => Error {
                        cause: format!("{}; what this run did is in {named}", error.cause),
                        ..error
                    },
                }
            }
            Err(other) => Error {
                cause: format!(
                    "{}; what this run did could not be written down either: {}",
                    error.cause, other.cause
                ),
                ..error
            },
        }
    }

    fn tell(&self, event: Event) {
        // Without a front end the wait ends by the closed command channel.
        let _ = self.events.send(event);
    }
}

/// The groups that a command decides about; those of a step back are known when it is done.
fn decided(command: &Command) -> Option<&[GroupId]> {
    match command {
        Command::Apply { groups, .. } => Some(groups),
        Command::Undo | Command::Redo => Some(&[]),
        _ => None,
    }
}
