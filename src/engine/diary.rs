//! What this run has brought about, in words that need no journal: written out where the journal
//! is damaged under the program's hands.

use crate::record::{Change, GroupId, GroupSummary, Labels};
use crate::text::utc;
use jiff::Timestamp;
use serde_json::{Value, json};
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

    /// A step of the operator's that is saved, or could not be.
    pub fn step(&mut self, saved: bool, step: &str, change: Option<&Change>, groups: &[GroupId]) {
        let images: Vec<Value> = groups.iter().map(|group| self.image(*group)).collect();
        self.write(json!({
            "at": now(), "step": step, "change": change, "images": images, "saved": saved,
        }));
    }

    /// An answer of the model, or what it and its retry come to.
    pub fn answer(&mut self, group: GroupId, labels: &Labels) {
        let image = self.image(group);
        self.write(json!({ "at": now(), "step": "answer", "image": image, "labels": labels }));
    }

    /// The answer before became the record.
    pub fn commit(&mut self, group: GroupId) {
        let image = self.image(group);
        self.write(json!({ "at": now(), "step": "commit", "image": image }));
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
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
