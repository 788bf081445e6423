//! A group: the items that share an image, with their drafts and review state.

use super::fixes::Fix;
use super::{
    Attempt, Change, ColorHistogram, CurrentState, Decision, Failure, FieldConfidence, GroupId,
    GroupState, Item, Labels, Names, NextCommit, Reason, Record, ReviewState, Signal, SourceType,
    Verdict, Vocabulary, edit,
};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The data that the queue shows, filters and sorts by. Kept small, because all summaries stay in
/// memory.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSummary {
    pub id: GroupId,
    /// Position in the source.
    pub order: u64,
    pub image_path: String,
    /// Empty if the source gives no name.
    pub name: String,
    pub source_type: SourceType,
    pub part: Option<String>,
    /// The recolor family of its image: the smallest id among the groups that show the same
    /// drawing. `None` if no other group does or the image is not read yet.
    pub family: Option<GroupId>,
    pub state: GroupState,
    /// Whether `labels.jsonl` has a record of this group, even if it is uncertain or edited since.
    pub has_record: bool,
    /// Whether a new answer waits to be compared with the draft.
    pub offered: bool,
    pub reasons: Vec<Reason>,
    pub signals: Vec<Signal>,
    /// Number of unexplained words in the label, see [`Labels::unexplained_words`].
    pub unexplained: usize,
    /// Estimated probability that a person changes the record, 0-1. The queue is sorted by it.
    pub uncertainty: f32,
    /// The labels of the draft; empty if there is none.
    pub labels: Labels,
    /// The operator's note on the item.
    pub note: Option<String>,
    /// The verdict on the committed text in an audit.
    pub judged: Option<Verdict>,
    /// Time of the latest attempt, edit or decision, in Unix milliseconds.
    pub changed_at: i64,
}

impl GroupSummary {
    /// Display name: the item's name, or the file name if it has none.
    pub fn title(&self) -> &str {
        match self.name.is_empty() {
            true => self.image_path.rsplit('/').next().unwrap_or_default(),
            false => &self.name,
        }
    }

    /// Whether it is rejected although `labels.jsonl` has its line: a commit removes the line.
    pub fn loses_line(&self) -> bool {
        self.state == GroupState::Rejected && self.has_record
    }

    /// Whether an operator must look at it: it is uncertain, edited, failed or has a new answer.
    pub fn needs_review(&self) -> bool {
        self.offered || self.state.needs_review()
    }
}

/// The origin of a draft's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The attempt with this journal id.
    Attempt(i64),
    /// The record of another group that shows the same drawing in other colors.
    Derived(GroupId),
    /// An operator's edit.
    Edit,
    /// Imported from an earlier `labels.jsonl`.
    Import,
}

/// The text of a version with the reasons that the rules find in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub labels: Labels,
    pub reasons: Vec<Reason>,
    /// Details of the reasons that have any: the words or fields that caused them.
    #[serde(default)]
    pub about: Vec<(Reason, Vec<String>)>,
    /// The item's name when the labels were written. The item may have been renamed since.
    pub item_name: String,
    pub origin: Origin,
    pub model: String,
    pub prompt_version: String,
    pub generated_at: String,
    pub confidence: Vec<FieldConfidence>,
}

/// A text that a group has or had. Versions are never changed or removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Journal id; later versions have larger ids.
    pub number: i64,
    pub text: Draft,
    /// When it was last committed to `labels.jsonl`.
    pub committed: Option<String>,
    /// Whether it is an edit that the operator has undone.
    pub undone: bool,
}

/// An entry of a group's history: a version, or an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HistoryEntry<'a> {
    Version(&'a Version),
    Failed(&'a Attempt),
}

/// Everything about one group, for the panes that show the current record.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDetail {
    pub summary: GroupSummary,
    /// The group's first source row, whose metadata is used.
    pub item: Item,
    pub image_sha256: Option<String>,
    /// Distinct names of the group's other rows.
    pub other_names: Vec<String>,
    /// How many rows of the source share the image.
    pub rows: u64,
    /// `None` until the image has been read.
    pub colors: Option<ColorHistogram>,
    pub current: CurrentState,
    /// The version that is the draft in `current`, including reasons that depend on other groups.
    pub draft: Option<Draft>,
    /// Name of the item whose record the latest derived version comes from.
    pub derived_from: Option<String>,
    /// Fixes for the draft's reasons: those for the record as a whole, then field by field.
    pub fixes: Vec<Fix>,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// The latest failure, unless an answer followed it.
    pub failure: Option<Failure>,
    pub committed: Option<Record>,
    /// Records that the operator committed for the most similar icons, most similar first.
    pub neighbors: Vec<Neighbor>,
    /// The record that a search by the label finds instead of this one.
    pub confused: Option<Neighbor>,
}

/// A similar record, shown beside this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    pub group: GroupId,
    pub image_path: String,
    pub item_name: String,
    pub label: String,
}

impl Draft {
    /// The words or fields that caused a reason.
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

    /// Why the operator rejected it; `None` if it is not rejected.
    pub fn rejection_reason(&self) -> Option<&str> {
        match &self.current.review.decision {
            Decision::Rejected(reason) => Some(reason),
            Decision::Open | Decision::Accepted => None,
        }
    }

    pub fn next_commit(&self) -> NextCommit {
        self.current.review.next_commit()
    }

    /// Index of the attempt that the draft comes from.
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

    /// Applies an operator's change to this copy, as the journal will. Returns `false` if nothing
    /// changes. Reasons of a new text are unknown until the journal has checked it.
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
            undone: false,
        }));
        Ok(self.show(self.current.apply(change, number)))
    }

    /// The draft with the fix that a change names applied.
    fn fixed(&self, change: &Change) -> Option<Labels> {
        let Change::Fix { reason, kind } = change else {
            return None;
        };
        let mut fixes = self.fixes.iter();
        let fix = fixes.find(|fix| fix.reason == *reason && fix.kind == *kind)?;
        Some(fix.applied(&self.draft.as_ref()?.labels))
    }

    /// Sets the review state and its draft. Returns `false` if nothing changes.
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
            // The journal computes fixes for the new text.
            self.fixes.clear();
        }
        let reasons = self.draft.as_ref().map(|draft| draft.reasons.as_slice());
        self.summary.state = self
            .current
            .state(reasons.is_some_and(|all| !all.is_empty()));
        self.summary.has_record = self.current.review.record_line().is_some();
        self.summary.offered = self.current.offer().is_some();
        self.summary.note.clone_from(&self.current.review.note);
        true
    }
}

/// The draft that an operator's first edit starts from.
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
