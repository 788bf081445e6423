//! The items that share an image, as the review sees them.

use super::{Attempt, Failure, FieldConfidence, Item, Labels, Reason, Record, SourceType};
use serde::{Deserialize, Serialize};

/// A group's number in the journal, the same in every run on one outdir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub i64);

/// Where a group stands. `Accepted` drafts wait for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    Waiting,
    Running,
    /// A model's answer without a reason for doubt.
    Draft,
    /// A model's answer, or a record that no operator has committed, with reasons.
    Uncertain,
    /// Changed by the operator since the last attempt or commit.
    Edited,
    Accepted,
    Committed,
    Rejected,
    Failed,
}

impl GroupState {
    pub const ALL: &'static [GroupState] = &[
        Self::Waiting,
        Self::Running,
        Self::Draft,
        Self::Uncertain,
        Self::Edited,
        Self::Accepted,
        Self::Committed,
        Self::Rejected,
        Self::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Draft => "draft",
            Self::Uncertain => "uncertain",
            Self::Edited => "edited",
            Self::Accepted => "accepted",
            Self::Committed => "committed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// What the queue shows, filters and sorts by; small, because all of them are held.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSummary {
    pub id: GroupId,
    /// Position in the source.
    pub order: u64,
    pub image_path: String,
    pub name: String,
    pub source_type: SourceType,
    pub part: Option<String>,
    pub state: GroupState,
    /// Whether `labels.jsonl` holds a record of this group (also an uncertain or since edited one).
    pub has_record: bool,
    pub reasons: Vec<Reason>,
    /// 0 (nothing speaks against it) to 1; orders the queue.
    pub doubt: f32,
    pub label_ko: String,
    pub tags_ko: Vec<String>,
    pub colors: Vec<String>,
    pub theme: Vec<String>,
    pub material: Vec<String>,
    pub vibe: Vec<String>,
    pub item_type: Option<String>,
    /// Unix milliseconds of the newest attempt, edit or decision.
    pub changed_at: i64,
}

/// Where a draft's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The attempt with this number in the journal.
    Attempt(i64),
    /// An operator's edit.
    Edit,
    /// Taken in from an earlier `labels.jsonl`.
    Import,
}

/// The attempt or edit now shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub labels: Labels,
    pub reasons: Vec<Reason>,
    pub origin: Origin,
    pub model: String,
    pub prompt_version: String,
    pub generated_at: String,
    pub confidence: Vec<FieldConfidence>,
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
    pub draft: Option<Draft>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// The newest failure, unless an answer came after it.
    pub failure: Option<Failure>,
    pub committed: Option<Record>,
    pub rejected: Option<String>,
    pub note: Option<String>,
}

impl GroupDetail {
    /// The place of the attempt that the draft is, where it is one as it came.
    pub fn drafted_attempt(&self) -> Option<usize> {
        let Origin::Attempt(id) = self.draft.as_ref()?.origin else {
            return None;
        };
        self.attempts.iter().position(|attempt| attempt.id == id)
    }
}
