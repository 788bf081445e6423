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
                if let Some(detail) = self.journal.detail(group)? {
                    self.tell(Event::Detail(Box::new(detail)));
                }
            }
            Command::Apply { groups, change } => {
                let done = describe(&change, groups.len());
                match self.journal.apply(&groups, &change, &done) {
                    Ok(step) => self.stepped(step, change == Change::Commit)?,
                    // A change that cannot be done to these groups; the journal is as it was.
                    Err(error) if error.kind == ErrorKind::Usage => {
                        self.tell(Event::Warning(error.cause));
                    }
                    Err(error) => return Err(error),
                }
            }
            Command::Undo => {
                let step = self.journal.undo()?;
                self.stepped(step.map(|step| told("undone", step)), true)?;
            }
            Command::Redo => {
                let step = self.journal.redo()?;
                self.stepped(step.map(|step| told("done again", step)), true)?;
            }
            Command::Retry { groups, how } => self.retry(&groups, &how),
            Command::Find { text } => {
                let matches = self.journal.find(&text)?;
                let matches = matches.into_iter().map(|found| Match {
                    group: found.group,
                    field: found.field,
                    text: found.text,
                });
                let matches = matches.collect();
                self.tell(Event::Found { text, matches });
            }
            Command::Remember { key, value } => {
                self.journal
                    .meta_set(&format!("{REMEMBERED}{key}"), &value)?;
            }
            Command::Pause => self.pause(true),
            Command::Resume => self.pause(false),
            Command::Stop => self.stop(),
        }
        Ok(())
    }

    fn stepped(&mut self, step: Option<StepOutcome>, exports: bool) -> Result<()> {
        let Some(step) = step else {
            return Ok(());
        };
        if exports {
            self.journal.export(self.options.parquet)?;
        }
        self.show(&step.changed)?;
        if let Some((groups, why)) = step.refused {
            let records = match groups {
                1 => "1 record is".to_owned(),
                n => format!("{n} records are"),
            };
            let text = format!("{records} left as before: {}", why.cause);
            self.tell(Event::Warning(text));
        }
        self.tell(Event::Stepped {
            done: step.done,
            undo: step.undo,
            redo: step.redo,
        });
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

/// A step in words, for undo and the log.
fn describe(change: &Change, groups: usize) -> String {
    let what = match change {
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
    };
    match groups {
        1 => what,
        n => format!("{what} ({n} records)"),
    }
}
