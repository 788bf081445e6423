//! What an operator asks of the engine: looking, editing, undo, new attempts, pause, stop.

use super::messages::{Command, Event, Match, Retry, Step};
use super::pipeline::{Model, Pipeline, REMEMBERED};
use super::prepare::Purpose;
use crate::error::{ErrorKind, Result};
use crate::record::{AttemptSettings, Change, GroupId, Labels};
use crate::store::{RunStepKind, StepOutcome};

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
                    Ok(outcome) => {
                        if outcome.changed.is_empty() {
                            // A front end may have shown the change already.
                            self.show(groups)?;
                        } else {
                            let text = self.taken_text(change, groups)?;
                            let diary = &mut self.journal.diary;
                            diary.change(true, &words, change, text, groups);
                        }
                        let step = outcome.report.clone().map(Step::Done);
                        self.stepped(outcome, step, *change == Change::Commit)?;
                    }
                    // A change that cannot be done to these groups; the journal is as it was.
                    Err(error) if error.kind == ErrorKind::Usage => {
                        self.tell(Event::Warning(error.cause));
                    }
                    Err(error) => return Err(error),
                }
            }
            Command::Undo => {
                let undone = self.journal.decide(&command, |journal| journal.undo())?;
                self.gone_back(undone, RunStepKind::Undo, Step::Undone)?;
            }
            Command::Redo => {
                let redone = self.journal.decide(&command, |journal| journal.redo())?;
                self.gone_back(redone, RunStepKind::Redo, Step::Redone)?;
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
            Command::PreviewVocabulary { groups } => {
                let preview = self
                    .journal
                    .with(|journal| journal.vocabulary_preview(&groups))?;
                self.tell(Event::VocabularyPreview { groups, preview });
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

    /// What a change takes from another version, for the diary.
    fn taken_text(&mut self, change: &Change, groups: &[GroupId]) -> Result<Option<Labels>> {
        let (Change::TakeVersion { version } | Change::TakeField { version, .. }) = change else {
            return Ok(None);
        };
        let [group] = groups else {
            return Ok(None);
        };
        self.journal
            .with(|journal| journal.version_text(*group, *version))
    }

    fn gone_back(
        &mut self,
        outcome: Option<StepOutcome>,
        kind: RunStepKind,
        step: fn(String) -> Step,
    ) -> Result<()> {
        let Some(outcome) = outcome else {
            return Ok(());
        };
        let diary = &mut self.journal.diary;
        diary.back(true, kind, &outcome.done, &outcome.changed);
        let step = step(outcome.done.clone());
        self.stepped(outcome, Some(step), true)
    }

    fn stepped(&mut self, outcome: StepOutcome, step: Option<Step>, exports: bool) -> Result<()> {
        if exports {
            self.update_exports()?;
        }
        self.show(&outcome.changed)?;
        self.tell(Event::Stepped {
            step,
            undo: outcome.undo,
            redo: outcome.redo,
        });
        // Last: what a front end shows of the step would hide what the export had to keep aside.
        self.tell_notices();
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

/// A step in words, for undo and the log.
pub(super) fn describe(change: &Change) -> String {
    match change {
        Change::Set { field, .. } => format!("edit {}", field.key()),
        Change::Add { field, value } => format!("add {value:?} to {}", field.key()),
        Change::Remove { field, value } => format!("remove {value:?} from {}", field.key()),
        Change::Rename { from, to, .. } => format!("rename {from:?} to {to:?}"),
        Change::Replace { find, with } => format!("replace {find:?} by {with:?}"),
        Change::Canonicalize {
            drop_unknown: false,
        } => "translate into the vocabulary".to_owned(),
        Change::Canonicalize { drop_unknown: true } => {
            "translate into the vocabulary and drop unknown words".to_owned()
        }
        Change::TakeVersion { .. } => "take a version".to_owned(),
        Change::TakeField { field, .. } => format!("take {} from a version", field.key()),
        Change::SetNote { .. } => "note".to_owned(),
        Change::Accept => "accept".to_owned(),
        Change::Reject { .. } => "reject".to_owned(),
        Change::Reopen => "reopen".to_owned(),
        Change::Commit => "commit".to_owned(),
    }
}
