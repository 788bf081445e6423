//! A log of all that this run has done, in lines that need no journal: written to a file if the
//! journal is damaged under the program's hands.

use crate::engine::messages::Command;
use crate::record::{Change, GroupId, GroupSummary, Labels};
use crate::text::utc;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Grows with the run: a line of text for each answer and step.
#[derive(Debug, Default)]
pub struct RunLog {
    lines: Vec<String>,
    /// The journal may not be able to say any more which image a group is.
    paths: HashMap<GroupId, String>,
}

impl RunLog {
    /// Remembers the paths of these groups' images.
    pub fn know(&mut self, groups: &[GroupSummary]) {
        for group in groups {
            self.paths
                .entry(group.id)
                .or_insert_with(|| group.image_path.clone());
        }
    }

    /// Notes a saved step of the operator.
    pub fn step(&mut self, step: &str, change: Option<&Change>, groups: &[GroupId]) {
        self.write_step(true, step, change, groups);
    }

    /// Notes a command whose step could not be saved.
    pub fn unsaved(&mut self, command: &Command) {
        match command {
            Command::Apply { groups, change } => {
                self.write_step(false, &change.name(), Some(change), groups);
            }
            Command::Undo => self.write_step(false, "undo", None, &[]),
            Command::Redo => self.write_step(false, "redo", None, &[]),
            _ => {}
        }
    }

    /// Notes an answer of the model, or an answer merged with its retry.
    pub fn answer(&mut self, group: GroupId, labels: &Labels) {
        let image = self.image(group);
        self.write(json!({ "at": now(), "step": "answer", "image": image, "labels": labels }));
    }

    /// Notes that the last answer became the record.
    pub fn commit(&mut self, group: GroupId) {
        let image = self.image(group);
        self.write(json!({ "at": now(), "step": "commit", "image": image }));
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn write_step(&mut self, saved: bool, step: &str, change: Option<&Change>, groups: &[GroupId]) {
        let images: Vec<Value> = groups.iter().map(|group| self.image(*group)).collect();
        self.write(json!({
            "at": now(), "step": step, "change": change, "images": images, "saved": saved,
        }));
    }

    fn image(&self, group: GroupId) -> Value {
        match self.paths.get(&group) {
            Some(path) => path.as_str().into(),
            None => json!({ "group": group.0 }),
        }
    }

    fn write(&mut self, line: Value) {
        self.lines.push(line.to_string());
    }
}

fn now() -> String {
    utc(Timestamp::now())
}
