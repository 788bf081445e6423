//! A log of all that this run has done, in lines that need no journal: written to a file if the
//! journal is damaged under the program's hands, and brought back by `journal restore`.

use crate::engine::messages::Command;
use crate::record::{Attempt, Change, GroupId, Labels};
use crate::store::{Merged, RunStep, RunStepKind};
use crate::text::utc;
use jiff::Timestamp;
use std::collections::HashMap;

/// Grows with the run: a line of text for each answer and step.
#[derive(Debug, Default)]
pub struct RunLog {
    lines: Vec<String>,
    /// The journal may not be able to say any more which image a group is.
    paths: HashMap<GroupId, String>,
}

impl RunLog {
    /// Remembers the path of a group's image.
    pub fn know(&mut self, group: GroupId, image_path: &str) {
        self.paths
            .entry(group)
            .or_insert_with(|| image_path.to_owned());
    }

    /// Notes a saved change of the operator; `text` is what it took from another version.
    pub fn change(
        &mut self,
        name: &str,
        change: &Change,
        text: Option<Labels>,
        groups: &[GroupId],
    ) {
        let mut step = self.step(RunStepKind::Change, name, groups);
        step.change = Some(change.clone());
        step.text = text;
        self.write(&step);
    }

    /// Notes that a step was undone or redone.
    pub fn back(&mut self, kind: RunStepKind, name: &str, groups: &[GroupId]) {
        let step = self.step(kind, name, groups);
        self.write(&step);
    }

    /// Notes a command whose step could not be saved.
    pub fn unsaved(&mut self, command: &Command) {
        let mut step = match command {
            Command::Apply { groups, change } => {
                let mut step = self.step(RunStepKind::Change, &change.name(), groups);
                step.change = Some(change.clone());
                step
            }
            Command::Undo => self.step(RunStepKind::Undo, "undo", &[]),
            Command::Redo => self.step(RunStepKind::Redo, "redo", &[]),
            _ => return,
        };
        step.saved = false;
        self.write(&step);
    }

    /// Notes an answer of the model, and what it and the one before it were merged into.
    pub fn answer(&mut self, group: GroupId, attempt: &Attempt, merged: Option<&Merged>) {
        let mut step = self.step(RunStepKind::Answer, "answer", &[group]);
        step.attempt = Some(Box::new(Attempt {
            // The longest part, of which the labels are what counts.
            raw_text: String::new(),
            ..attempt.clone()
        }));
        step.merged = merged.cloned();
        self.write(&step);
    }

    /// Notes labels that were derived from the record of another group.
    pub fn derived(&mut self, group: GroupId, from: GroupId, labels: Labels) {
        let mut step = self.step(RunStepKind::Derived, "derived record", &[group, from]);
        step.text = Some(labels);
        self.write(&step);
    }

    /// Notes that the last answer became the record.
    pub fn commit(&mut self, group: GroupId) {
        let step = self.step(RunStepKind::Commit, "commit", &[group]);
        self.write(&step);
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn step(&self, kind: RunStepKind, name: &str, groups: &[GroupId]) -> RunStep {
        let image = |group: &GroupId| match self.paths.get(group) {
            Some(path) => path.clone(),
            None => format!("group {}", group.0),
        };
        RunStep {
            at: utc(Timestamp::now()),
            kind,
            step: name.to_owned(),
            images: groups.iter().map(image).collect(),
            saved: true,
            change: None,
            text: None,
            attempt: None,
            merged: None,
        }
    }

    fn write(&mut self, step: &RunStep) {
        match serde_json::to_string(step) {
            Ok(line) => self.lines.push(line),
            Err(error) => tracing::error!(%error, "a step cannot be written down"),
        }
    }
}
