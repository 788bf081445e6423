//! Records everything that this run does in lines that are independent of the journal. The log is
//! written to a file if the journal is damaged during the run, and `journal restore` applies it.

use crate::engine::messages::Command;
use crate::record::{Attempt, Change, GroupId, Labels, Verdict};
use crate::store::{Merged, RunJudgment, RunStep, RunStepKind};
use crate::text::utc;
use jiff::Timestamp;
use std::collections::HashMap;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use tempfile::{SpooledTempFile, spooled_tempfile};

/// Bytes of the log kept in memory. The rest is in a temporary file without a name.
const IN_MEMORY: usize = 4 << 20;

/// One line of text for each answer and step.
#[derive(Debug)]
pub struct RunLog {
    lines: SpooledTempFile,
    /// Path and hash of each group's image, since the journal may become unreadable.
    images: HashMap<GroupId, (String, Option<String>)>,
}

impl Default for RunLog {
    fn default() -> Self {
        Self {
            lines: spooled_tempfile(IN_MEMORY),
            images: HashMap::new(),
        }
    }
}

impl RunLog {
    /// Remembers the path of a group's image, and its hash once that is known.
    pub fn remember_image(&mut self, group: GroupId, path: &str, sha256: Option<&str>) {
        let image = self.images.entry(group).or_default();
        path.clone_into(&mut image.0);
        if let Some(sha256) = sha256 {
            image.1 = Some(sha256.to_owned());
        }
    }

    /// Records a saved change of the operator. `text` are the labels that it took from another version.
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

    /// Records that a step was undone or redone.
    pub fn history_step(&mut self, kind: RunStepKind, name: &str, groups: &[GroupId]) {
        let step = self.step(kind, name, groups);
        self.write(&step);
    }

    /// Records a verdict on a version of a group's text.
    pub fn judgment(
        &mut self,
        seed: u64,
        group: GroupId,
        text: Option<Labels>,
        verdict: Option<Verdict>,
    ) {
        let step = self.judgment_step(seed, group, text, verdict);
        self.write(&step);
    }

    fn judgment_step(
        &self,
        seed: u64,
        group: GroupId,
        text: Option<Labels>,
        verdict: Option<Verdict>,
    ) -> RunStep {
        let mut step = self.step(RunStepKind::Judgment, "judgment", &[group]);
        step.text = text;
        step.judgment = Some(RunJudgment { seed, verdict });
        step
    }

    /// Records a command whose step could not be saved. `text` are the labels of the version that
    /// it names.
    pub fn unsaved(&mut self, command: &Command, text: Option<Labels>) {
        let mut step = match command {
            Command::Apply { groups, change } => {
                let mut step = self.step(RunStepKind::Change, &change.name(), groups);
                step.change = Some(change.clone());
                step.text = text;
                step
            }
            Command::Judge {
                seed,
                group,
                verdict,
                ..
            } => self.judgment_step(*seed, *group, text, *verdict),
            Command::Undo => self.step(RunStepKind::Undo, "undo", &[]),
            Command::Redo => self.step(RunStepKind::Redo, "redo", &[]),
            _ => return,
        };
        step.saved = false;
        self.write(&step);
    }

    /// Records an answer of the model, and the result of merging it with the previous one.
    pub fn answer(&mut self, group: GroupId, attempt: &Attempt, merged: Option<&Merged>) {
        let mut step = self.step(RunStepKind::Answer, "answer", &[group]);
        step.attempt = Some(Box::new(Attempt {
            // Omitted because it is long; the labels are enough.
            raw_text: String::new(),
            ..attempt.clone()
        }));
        step.merged = merged.cloned();
        self.write(&step);
    }

    /// Records labels that were derived from the record of another group.
    pub fn derived(&mut self, group: GroupId, from: GroupId, labels: Labels) {
        let mut step = self.step(RunStepKind::Derived, "derived record", &[group, from]);
        step.text = Some(labels);
        self.write(&step);
    }

    /// Records that the last answer became the record.
    pub fn commit(&mut self, group: GroupId) {
        let step = self.step(RunStepKind::Commit, "commit", &[group]);
        self.write(&step);
    }

    pub fn text(&mut self) -> Result<String> {
        let mut text = String::new();
        self.lines.seek(SeekFrom::Start(0))?;
        self.lines.read_to_string(&mut text)?;
        Ok(text)
    }

    fn step(&self, kind: RunStepKind, name: &str, groups: &[GroupId]) -> RunStep {
        let image = |group: &GroupId| match self.images.get(group) {
            Some(image) => image.clone(),
            None => (format!("group {}", group.0), None),
        };
        let (images, hashes) = groups.iter().map(image).unzip();
        RunStep {
            at: utc(Timestamp::now()),
            kind,
            step: name.to_owned(),
            images,
            hashes,
            saved: true,
            change: None,
            text: None,
            attempt: None,
            merged: None,
            judgment: None,
        }
    }

    fn write(&mut self, step: &RunStep) {
        let written = serde_json::to_string(step)
            .map_err(Into::into)
            .and_then(|line| writeln!(self.lines, "{line}"));
        if let Err(error) = written {
            tracing::error!(%error, "cannot write a step to the run log");
        }
    }
}
