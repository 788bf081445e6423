//! What an operator asks of the engine: looking, editing, undo, new attempts, pause, stop.

use super::messages::{Command, Event, Match, Retry};
use super::pipeline::{Model, Pipeline, REMEMBERED};
use super::prepare::Purpose;
use crate::error::{ErrorKind, Result};
use crate::record::{AttemptSettings, Change, GroupId};
use crate::store::{LineEffects, StepOutcome};

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
                match self.journal.apply(&groups, &change, &describe(&change)) {
                    Ok(Some(mut step)) => {
                        if let Some(lines) = of_lines(&change, step.lines) {
                            step.done = format!("{}: {lines}", step.done);
                        }
                        self.stepped(Some(step), change == Change::Commit)?;
                    }
                    Ok(None) => self.nothing_done(&groups)?,
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
        let (undo, redo) = self.journal.next_steps()?;
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

/// What a decision means for lines that stand in labels.jsonl.
fn of_lines(change: &Change, effects: LineEffects) -> Option<String> {
    let (verb, when) = match change {
        Change::Commit => ("", ""),
        _ => ("will be ", " by the commit"),
    };
    let count = |n: usize| match n {
        1 => "1 committed line".to_owned(),
        n => format!("{n} committed lines"),
    };
    let parts = [
        (effects.confirmed, "confirmed", "", ""),
        (effects.replaced, "replaced", verb, when),
        (effects.removed, "removed", verb, when),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, verb, when)| format!("{} {verb}{what}{when}", count(n)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
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
fn describe(change: &Change) -> String {
    match change {
        Change::Set { field, .. } => format!("edit {}", field.key()),
        Change::Add { field, value } => format!("add {value:?} to {}", field.key()),
        Change::Remove { field, value } => format!("remove {value:?} from {}", field.key()),
        Change::Rename { from, to, .. } => format!("rename {from:?} to {to:?}"),
        Change::Replace { find, with } => format!("replace {find:?} by {with:?}"),
        Change::TakeVersion { .. } => "take a version".to_owned(),
        Change::TakeField { field, .. } => format!("take {} from a version", field.key()),
        Change::SetNote { .. } => "note".to_owned(),
        Change::Accept => "accept".to_owned(),
        Change::Reject { .. } => "reject".to_owned(),
        Change::Reopen => "reopen".to_owned(),
        Change::Commit => "commit".to_owned(),
    }
}
