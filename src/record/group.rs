//! The items that share an image, as the review sees them.

use super::fixes::Fix;
use super::{
    Attempt, Change, ColorHistogram, CurrentState, Decision, Failure, FieldConfidence, GroupId,
    GroupState, Item, Labels, Names, NextCommit, Reason, Record, ReviewState, Signal, SourceType,
    Verdict, Vocabulary, edit,
};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What the queue shows, filters and sorts by; small, because all of them are held.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSummary {
    pub id: GroupId,
    /// Position in the source.
    pub order: u64,
    pub image_path: String,
    /// Empty where the source tells none.
    pub name: String,
    pub source_type: SourceType,
    pub part: Option<String>,
    /// The recolor family of its image: the smallest number among the groups that show the same
    /// drawing. `None` while it is alone, or not read yet.
    pub family: Option<GroupId>,
    pub state: GroupState,
    /// Whether `labels.jsonl` holds a record of this group (also an uncertain or since edited one).
    pub has_record: bool,
    /// A model's new answer waits to be compared with the draft.
    pub offered: bool,
    pub reasons: Vec<Reason>,
    pub signals: Vec<Signal>,
    /// How likely a person changes what it says, 0-1, by the decisions so far; orders the queue.
    pub uncertainty: f32,
    /// The texts of the draft; empty where there is none.
    pub labels: Labels,
    /// What the operator noted on the item.
    pub note: Option<String>,
    /// What a person said of the committed text in an audit.
    pub judged: Option<Verdict>,
    /// Unix milliseconds of the newest attempt, edit or decision.
    pub changed_at: i64,
}

impl GroupSummary {
    /// What it is called on a screen: its name, else that of its file.
    pub fn title(&self) -> &str {
        match self.name.is_empty() {
            true => self.image_path.rsplit('/').next().unwrap_or_default(),
            false => &self.name,
        }
    }

    /// Whether an operator has to look: at an uncertain, half edited or failed record, or at a new
    /// answer.
    pub fn needs_review(&self) -> bool {
        self.offered || self.state.needs_review()
    }
}

/// Where a draft's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The attempt with this number in the journal.
    Attempt(i64),
    /// The record of this other group, whose image is the same drawing in other colors.
    Derived(GroupId),
    /// An operator's edit.
    Edit,
    /// Imported from an earlier `labels.jsonl`.
    Import,
}

/// The text of a version, and what the rules say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub labels: Labels,
    pub reasons: Vec<Reason>,
    /// What those of the reasons point at that point at something.
    #[serde(default)]
    pub about: Vec<(Reason, Vec<String>)>,
    /// The name of the item that the labels were made under; it may have another one now.
    pub item_name: String,
    pub origin: Origin,
    pub model: String,
    pub prompt_version: String,
    pub generated_at: String,
    pub confidence: Vec<FieldConfidence>,
}

/// One of the texts that a group has had. None is ever changed or removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its number in the journal; later ones are larger.
    pub number: i64,
    pub text: Draft,
    /// When it last became the line in `labels.jsonl`.
    pub committed: Option<String>,
}

/// A version, or an attempt that gave none, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HistoryEntry<'a> {
    Version(&'a Version),
    Failed(&'a Attempt),
}

/// Everything about one group, for the panes of the record in hand.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDetail {
    pub summary: GroupSummary,
    /// The first row: its metadata labels the group.
    pub item: Item,
    pub image_sha256: Option<String>,
    /// Names of the group's other rows, without repeats.
    pub other_names: Vec<String>,
    /// How many rows of the source share the image.
    pub rows: u64,
    /// `None` until somebody has looked at the image.
    pub colors: Option<ColorHistogram>,
    pub current: CurrentState,
    /// The version that `current` names, with the reasons that depend on other groups.
    pub draft: Option<Draft>,
    /// The name of the item whose record the newest derived version comes from.
    pub derived_from: Option<String>,
    /// What would clear the draft's reasons: first of the record as a whole, then field by field.
    pub fixes: Vec<Fix>,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// The newest failure, unless an answer came after it.
    pub failure: Option<Failure>,
    pub committed: Option<Record>,
    /// Records that the operator has committed about the icons most like this one, nearest first.
    pub neighbors: Vec<Neighbor>,
    /// What a search by the label finds instead, where it does not find this one.
    pub confused: Option<Neighbor>,
}

/// Another record beside this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    pub group: GroupId,
    pub image_path: String,
    pub item_name: String,
    pub label: String,
}

impl Draft {
    /// What one of its reasons points at: the words at fault, the fields that are empty.
    pub fn about(&self, reason: Reason) -> &[String] {
        let mut all = self.about.iter();
        let found = all.find(|(other, _)| *other == reason);
        found.map_or(&[], |(_, about)| about)
    }
}

impl GroupDetail {
    pub fn note(&self) -> Option<&str> {
        self.current.review.note.as_deref()
    }

    /// Why the operator has rejected it.
    pub fn rejection_reason(&self) -> Option<&str> {
        match &self.current.review.decision {
            Decision::Rejected(reason) => Some(reason),
            Decision::Open | Decision::Accepted => None,
        }
    }

    pub fn next_commit(&self) -> NextCommit {
        self.current.review.next_commit()
    }

    /// The place of the attempt that the draft is, where it is one as it came.
    pub fn draft_attempt(&self) -> Option<usize> {
        self.attempt_of(self.draft.as_ref()?)
    }

    pub fn attempt_of(&self, text: &Draft) -> Option<usize> {
        let Origin::Attempt(id) = text.origin else {
            return None;
        };
        self.attempts.iter().position(|attempt| attempt.id == id)
    }

    pub fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|have| have.number == number)
    }

    /// All versions and failed attempts, oldest first.
    pub fn history(&self) -> Vec<HistoryEntry<'_>> {
        let failed = |attempt: &&Attempt| attempt.labels.is_none();
        let mut failed = self.attempts.iter().filter(failed).peekable();
        let mut all = Vec::with_capacity(self.versions.len());
        for version in &self.versions {
            let is_later = |attempt: &Attempt| match version.text.origin {
                Origin::Attempt(id) => attempt.id < id,
                Origin::Edit | Origin::Derived(_) => attempt.at < version.text.generated_at,
                Origin::Import => false,
            };
            while let Some(attempt) = failed.next_if(|attempt| is_later(attempt)) {
                all.push(HistoryEntry::Failed(attempt));
            }
            all.push(HistoryEntry::Version(version));
        }
        all.extend(failed.map(HistoryEntry::Failed));
        all
    }

    /// Does a step of the operator here, as the journal will; `false` where it changes nothing.
    /// What the rules say of a new text is not known until the journal has asked them.
    pub fn apply(&mut self, change: &Change, vocabulary: &Vocabulary) -> Result<bool> {
        let taken = match change {
            Change::TakeVersion { version } | Change::TakeField { version, .. } => {
                self.version(*version).map(|version| &version.text)
            }
            _ => None,
        };
        let fixed = self.fixed(change);
        let taken = fixed.as_ref().or(taken.map(|text| &text.labels));
        let old = match &self.draft {
            Some(old) => old.clone(),
            None if change.starts_draft() => empty_draft(&self.item.item_name),
            None => return Ok(self.show(self.current.apply(change, None))),
        };
        let names = Names {
            original: &old.item_name,
            current: &self.item.item_name,
        };
        let edited = edit(&old.labels, names, change, taken, vocabulary)?;
        let edited = edited.filter(|_| !matches!(change, Change::TakeVersion { .. }));
        let text = edited.map(|edited| {
            let last = self.versions.last().map_or(0, |version| version.number);
            let text = Draft {
                labels: edited.labels,
                item_name: edited.item_name,
                origin: Origin::Edit,
                ..old
            };
            (last + 1, text)
        });
        let number = text.as_ref().map(|(number, _)| *number);
        self.versions.extend(text.map(|(number, text)| Version {
            number,
            text,
            committed: None,
        }));
        Ok(self.show(self.current.apply(change, number)))
    }

    /// What the fix that a change names makes of the draft.
    fn fixed(&self, change: &Change) -> Option<Labels> {
        let Change::Fix { reason, kind } = change else {
            return None;
        };
        let mut fixes = self.fixes.iter();
        let fix = fixes.find(|fix| fix.reason == *reason && fix.kind == *kind)?;
        Some(fix.applied(&self.draft.as_ref()?.labels))
    }

    /// Makes this the state, with the draft that it names; whether it is another one.
    pub fn show(&mut self, review: ReviewState) -> bool {
        if review == self.current.review {
            return false;
        }
        let other_draft = review.draft != self.current.review.draft;
        self.current.review = review;
        if other_draft {
            let number = self.current.review.draft;
            let version = number.and_then(|number| self.version(number));
            self.draft = version.map(|version| version.text.clone());
            // Those of the new text are computed by the journal.
            self.fixes.clear();
        }
        let reasons = self.draft.as_ref().map(|draft| draft.reasons.as_slice());
        self.summary.state = self
            .current
            .state(reasons.is_some_and(|all| !all.is_empty()));
        self.summary.has_record = self.current.review.line.is_some();
        self.summary.offered = self.current.offer().is_some();
        self.summary.note.clone_from(&self.current.review.note);
        true
    }
}

/// What the first text that an operator writes is written into.
fn empty_draft(item_name: &str) -> Draft {
    Draft {
        labels: Labels::default(),
        reasons: Vec::new(),
        about: Vec::new(),
        item_name: item_name.to_owned(),
        origin: Origin::Edit,
        model: String::new(),
        prompt_version: String::new(),
        generated_at: String::new(),
        confidence: Vec::new(),
    }
}
