//! What this run has done, step by step, as text that needs no journal: written out where the
//! journal is damaged under the program's hands, and brought back by `journal restore`.

use crate::record::{Attempt, Change, GroupId, GroupSummary, Labels};
use crate::store::{Merged, RunStep, RunStepKind};
use crate::text::utc;
use jiff::Timestamp;
use std::collections::HashMap;

/// Grows with the run: a line of text for each answer and step.
#[derive(Debug, Default)]
pub struct Diary {
    lines: Vec<String>,
    /// The journal may not be able to say any more which image a group is.
    paths: HashMap<GroupId, String>,
}

impl Diary {
    pub fn know(&mut self, groups: &[GroupSummary]) {
        for group in groups {
            self.paths
                .entry(group.id)
                .or_insert_with(|| group.image_path.clone());
        }
    }

    /// A step of an operator's that is saved, or could not be. `text`: what a change takes from
    /// another version.
    pub fn change(
        &mut self,
        saved: bool,
        words: &str,
        change: &Change,
        text: Option<Labels>,
        groups: &[GroupId],
    ) {
        let mut step = self.step(RunStepKind::Change, words, groups);
        step.saved = saved;
        step.change = Some(change.clone());
        step.text = text;
        self.write(&step);
    }

    /// A step was undone or redone, or could not be.
    pub fn back(&mut self, saved: bool, kind: RunStepKind, words: &str, groups: &[GroupId]) {
        let mut step = self.step(kind, words, groups);
        step.saved = saved;
        self.write(&step);
    }

    /// An answer of the model, and what it and the one before it come to.
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

    /// The answer before became the record.
    pub fn commit(&mut self, group: GroupId) {
        let step = self.step(RunStepKind::Commit, "commit", &[group]);
        self.write(&step);
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn step(&self, kind: RunStepKind, words: &str, groups: &[GroupId]) -> RunStep {
        let image = |group: &GroupId| match self.paths.get(group) {
            Some(path) => path.clone(),
            None => format!("group {}", group.0),
        };
        RunStep {
            at: utc(Timestamp::now()),
            kind,
            step: words.to_owned(),
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
