//! What an operator asks of the engine: looking, editing, undo, new attempts, pause, stop.

use super::messages::{Command, Event, Match, Retry};
use super::pipeline::{Model, Pipeline, REMEMBERED};
use super::prepare::Purpose;
use crate::error::{ErrorKind, Result};
use crate::record::{AttemptSettings, Change, GroupId};
use crate::store::StepOutcome;

impl Pipeline {
    pub(super) fn command(&mut self, command: Command) -> Result<()> {
        tracing::debug!(?command, "command");
        match command {
            Command::Open(group) => {
                let detail = self.journal.with(|journal| journal.detail(group))?;
                if let Some(detail) = detail {
                    self.tell(Event::Detail(Box::new(detail)));
                }
            }
            Command::Apply {
                ref groups,
                ref change,
            } => {
                let words = describe(change);
                let applied = self
                    .journal
                    .decide(&command, |journal| journal.apply(groups, change, &words));
                match applied {
                    Ok(Some(step)) => {
                        let diary = &mut self.journal.diary;
                        diary.step(true, &step.done, Some(change), groups);
                        self.stepped(Some(step), *change == Change::Commit)?;
                    }
                    Ok(None) => self.nothing_done(groups)?,
                    // A change that cannot be done to these groups; the journal is as it was.
                    Err(error) if error.kind == ErrorKind::Usage => {
                        self.tell(Event::Warning(error.cause));
                    }
                    Err(error) => return Err(error),
                }
            }
            Command::Undo => {
                let step = self.journal.decide(&command, |journal| journal.undo())?;
                self.gone_back("undone", step)?;
            }
            Command::Redo => {
                let step = self.journal.decide(&command, |journal| journal.redo())?;
                self.gone_back("done again", step)?;
            }
            Command::Retry { groups, how } => self.retry(&groups, &how),
            Command::Find { text } => {
                let matches = self.journal.with(|journal| journal.find(&text))?;
                let matches = matches.into_iter().map(|found| Match {
                    group: found.group,
                    field: found.field,
                    text: found.text,
                });
                let matches = matches.collect();
                self.tell(Event::Found { text, matches });
            }
            Command::Remember { key, value } => {
                let key = format!("{REMEMBERED}{key}");
                self.journal
                    .with(|journal| journal.meta_set(&key, &value))?;
            }
            Command::Pause => self.pause(true),
            Command::Resume => self.pause(false),
            // Nothing is blocked.
            Command::TryAgain => {}
            Command::Stop => self.stop(),
        }
        Ok(())
    }

    fn gone_back(&mut self, what: &str, step: Option<StepOutcome>) -> Result<()> {
        let step = step.map(|step| told(what, step));
        if let Some(step) = &step {
            let diary = &mut self.journal.diary;
            diary.step(true, &step.done, None, &step.changed);
        }
        self.stepped(step, true)
    }

    fn stepped(&mut self, step: Option<StepOutcome>, exports: bool) -> Result<()> {
        let Some(step) = step else {
            return Ok(());
        };
        if exports {
            self.export()?;
        }
        self.show(&step.changed)?;
        let done = match left(&step) {
            Some(left) => format!("{}, {left}", step.done),
            None => step.done,
        };
        self.tell(Event::Stepped {
            done,
            undo: step.undo,
            redo: step.redo,
        });
        Ok(())
    }

    /// A front end may have shown the change already.
    fn nothing_done(&mut self, groups: &[GroupId]) -> Result<()> {
        self.show(groups)?;
        let (undo, redo) = self.journal.with(|journal| journal.next_steps())?;
        let done = "nothing to change".to_owned();
        self.tell(Event::Stepped { done, undo, redo });
        Ok(())
    }

    fn retry(&mut self, groups: &[GroupId], how: &Retry) {
        if matches!(self.state.model, Model::None | Model::Broken) {
            let text = "no attempt can be made: there is no model".to_owned();
            self.tell(Event::Warning(text));
            return;
        }
        let settings = AttemptSettings {
            strict: how.strict || self.settings.strict,
            upscale: how.upscale.unwrap_or(self.settings.upscale).clamp(1, 8),
            background: how.background.unwrap_or(self.settings.background),
            with_image: how.with_image.unwrap_or(self.settings.with_image),
            hint: how.hint.clone(),
            ..self.settings.clone()
        };
        for &group in groups {
            let waits = self.state.urgent.iter().any(|(id, ..)| *id == group);
            if !waits {
                // It will be asked now instead of in its turn.
                self.state.todo.retain(|id| *id != group);
                let job = (group, settings.clone(), Purpose::Operator);
                self.state.urgent.push_back(job);
            }
        }
        self.state.idle_told = false;
    }

    fn pause(&mut self, paused: bool) {
        self.state.paused = paused;
        self.crew.ready.pause(paused);
    }

    pub(super) fn stop(&mut self) {
        self.state.interrupted = !self.is_idle();
        self.state.stopping = true;
    }
}

/// Says that a step of before was taken back or done again: its name alone could mean either.
fn told(what: &str, mut step: StepOutcome) -> StepOutcome {
    step.done = format!("{what}: {}", step.done);
    step
}

/// What a step left as it was, and why.
fn left(step: &StepOutcome) -> Option<String> {
    let (refused, why) = match &step.refused {
        Some((groups, error)) => (*groups, error.cause.as_str()),
        None => (0, ""),
    };
    let mut parts = vec![
        (step.without_draft, "without a draft"),
        (step.untouched, "so already"),
        (refused, why),
    ];
    parts.retain(|(groups, _)| *groups > 0);
    let all = step.without_draft + step.untouched + refused;
    let were = if all == 1 { "it was" } else { "they were" };
    let why = match parts[..] {
        [] => return None,
        [(_, why)] => why.to_owned(),
        _ => {
            let each = parts.iter().map(|(groups, why)| format!("{groups} {why}"));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    Some(format!("{all} left as {were}: {why}"))
}

/// A step in words, for undo and the log.
pub(super) fn describe(change: &Change) -> String {
    match change {
        Change::Set { field, .. } => format!("edit {}", field.key()),
        Change::Add { field, value } => format!("add {value:?} to {}", field.key()),
        Change::Remove { field, value } => format!("remove {value:?} from {}", field.key()),
        Change::Rename { from, to, .. } => format!("rename {from:?} to {to:?}"),
        Change::Replace { find, with } => format!("replace {find:?} by {with:?}"),
        Change::TakeAttempt { .. } => "take an attempt".to_owned(),
        Change::TakeField { field, .. } => format!("take {} from an attempt", field.key()),
        Change::SetNote { .. } => "note".to_owned(),
        Change::Accept => "accept".to_owned(),
        Change::Reject { .. } => "reject".to_owned(),
        Change::Reopen => "reopen".to_owned(),
        Change::Commit => "commit".to_owned(),
    }
}
