//! The review state machine of a group. Pure, no IO. The journal stores its states and the
//! workstation predicts with it.
//!
//! Texts never change: each model answer, imported line and edit is a *version* with an
//! ever-increasing number. A group shows one version, its *draft*, and may have one in
//! `labels.jsonl`, its *line*.
//!
//! **A model's answer is an offer.** It becomes the draft only if there is no draft, or if the
//! draft is the model's previous answer or the readable part of an unreadable line, and nobody has
//! edited, decided or committed it. Otherwise the draft stays until the operator takes the new version. Taking a version or
//! deciding again ends the offer.
//!
//! | the operator | draft is the line | there is no line | draft differs from the line | rejected |
//! |---|---|---|---|---|
//! | accepts | confirmed: counts as committed, the line is unchanged | accepted | accepted: the commit replaces the line | accepted again |
//! | commits | same as accepting | the draft becomes the line | the draft replaces the line | the line is removed |
//! | rejects | rejected: the commit removes the line | rejected | rejected: the commit removes the line | new reason |
//! | reopens | confirmation withdrawn | acceptance withdrawn | acceptance withdrawn | rejection withdrawn |
//! | edits, takes a version | edited: the commit replaces the line | edited | edited | edited |
//!
//! Taking the version that is the line restores the line's state. Taking the model's latest
//! answer while there is no line restores that answer's state. Only a commit changes a line.

use super::Change;
use serde::{Deserialize, Serialize};

/// The state of a group, as the queue shows it. `Accepted` drafts wait for the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    Waiting,
    Running,
    /// A model's answer with no reasons.
    Draft,
    /// A model's answer with reasons, or a line with reasons that no operator has committed or
    /// confirmed.
    Uncertain,
    /// The operator edited or chose the text but has not committed it.
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

    /// Whether a person has accepted, committed or rejected it.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Accepted | Self::Committed | Self::Rejected)
    }

    /// Whether an operator must look at it, regardless of later answers.
    pub fn needs_review(self) -> bool {
        matches!(self, Self::Uncertain | Self::Edited | Self::Failed)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    #[default]
    Open,
    Accepted,
    Rejected(String),
}

/// Who made a draft the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommittedBy {
    Batch,
    Operator,
    Import,
    /// Placeholder for an unreadable line of an earlier file. It is never exported.
    Unread,
}

impl CommittedBy {
    pub const ALL: &'static [CommittedBy] =
        &[Self::Batch, Self::Operator, Self::Import, Self::Unread];

    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Operator => "operator",
            Self::Import => "import",
            Self::Unread => "unread",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|by| by.name() == name)
    }
}

/// A group's line in `labels.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Journal id of its record; `None` until it is stored.
    pub record: Option<i64>,
    pub version: i64,
    pub by: CommittedBy,
}

impl Line {
    /// Whether it is a line of the export and not the placeholder of an unreadable one.
    fn is_readable(self) -> bool {
        self.by != CommittedBy::Unread
    }
}

/// The part of a group's state that an operator's steps change and undo restores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewState {
    /// The version shown.
    pub draft: Option<i64>,
    pub line: Option<Line>,
    /// Whether the operator chose the draft's text, by an edit or by taking a version.
    pub edited: bool,
    pub decision: Decision,
    pub note: Option<String>,
    /// The latest answer that the operator dismissed; it is no longer an offer.
    pub seen: Option<i64>,
}

/// A review state plus the model's latest answer and failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrentState {
    pub review: ReviewState,
    /// The model's latest answer.
    pub answer: Option<i64>,
    /// The latest failure, unless an answer followed it.
    pub failure: Option<i64>,
}

/// The effect of the next commit on `labels.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextCommit {
    Nothing,
    /// The line is unchanged and counts as committed by the operator.
    Confirms,
    Adds,
    Replaces,
    Removes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Undo,
    Redo,
}

/// The effect of a step on one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewStep {
    pub before: ReviewState,
    pub after: ReviewState,
    /// The model's latest answer at the time of the step.
    pub answer: Option<i64>,
}

impl ReviewState {
    /// Whether the draft's text is in `labels.jsonl`.
    pub fn is_committed(&self) -> bool {
        self.is_line() && self.record_line().is_some()
    }

    /// The line of the group's record; `None` if it has no record, only an unreadable line.
    pub fn record_line(&self) -> Option<Line> {
        self.line.filter(|line| line.is_readable())
    }

    /// Whether the draft is what could be read of an unreadable line, and the model still has to
    /// label the image. Not if a person took that text.
    pub fn is_unread(&self) -> bool {
        self.is_line()
            && self.record_line().is_none()
            && self.decision == Decision::Open
            && !self.edited
    }

    fn is_line(&self) -> bool {
        match (self.draft, self.line) {
            (Some(draft), Some(line)) => line.version == draft,
            _ => false,
        }
    }

    /// Whether a person committed the draft, or accepted it when it was already the line.
    fn is_confirmed(&self) -> bool {
        let by_operator = || matches!(self.line, Some(line) if line.by == CommittedBy::Operator);
        self.is_committed()
            && match self.decision {
                Decision::Accepted => true,
                Decision::Open => by_operator(),
                Decision::Rejected(_) => false,
            }
    }

    /// Whether a person has accepted or committed the draft.
    pub fn is_approved(&self) -> bool {
        self.decision == Decision::Accepted || self.is_confirmed()
    }

    /// Whether a person has approved or rejected the draft.
    pub fn is_decided(&self) -> bool {
        self.is_approved() || matches!(self.decision, Decision::Rejected(_))
    }

    pub fn next_commit(&self) -> NextCommit {
        match (&self.decision, self.draft, self.line) {
            (Decision::Rejected(_), _, Some(line)) if line.is_readable() => NextCommit::Removes,
            (Decision::Rejected(_), ..) | (_, None, _) => NextCommit::Nothing,
            _ if self.is_confirmed() => NextCommit::Nothing,
            _ if self.is_committed() => NextCommit::Confirms,
            (_, Some(_), Some(line)) if line.is_readable() => NextCommit::Replaces,
            (_, Some(_), _) => NextCommit::Adds,
        }
    }

    /// Whether a new answer becomes the draft, if `answer` was the latest before it.
    fn is_replaceable(&self, answer: Option<i64>) -> bool {
        self.draft.is_none()
            || self.is_unread()
            || self.draft == answer
                && !self.edited
                && self.decision == Decision::Open
                && !self.is_line()
    }

    /// Whether the text of a line that was written outside the program becomes the draft.
    fn follows_imports(&self, answer: Option<i64>) -> bool {
        self.is_replaceable(answer) || self.is_line() && self.decision == Decision::Open
    }

    /// Ends an acceptance or rejection and makes `version`, which the operator wrote, the draft.
    fn show_edit(&mut self, version: i64) {
        self.show(version);
        self.edited = true;
    }

    /// Ends an acceptance or rejection and makes `version` the draft.
    fn show(&mut self, version: i64) {
        self.draft = Some(version);
        self.decision = Decision::Open;
    }
}

impl CurrentState {
    /// The answer that is offered for comparison with the draft.
    pub fn offer(&self) -> Option<i64> {
        let review = &self.review;
        let dismissed = review.seen.or(review.draft).unwrap_or_default();
        self.answer.filter(|answer| {
            review.draft.is_some_and(|draft| draft != *answer) && *answer > dismissed
        })
    }

    /// The group's state. `uncertain` says whether the rules find any reason in the draft.
    pub fn state(&self, uncertain: bool) -> GroupState {
        let review = &self.review;
        if matches!(review.decision, Decision::Rejected(_)) {
            return GroupState::Rejected;
        }
        if review.draft.is_none() {
            return match self.failure {
                Some(_) => GroupState::Failed,
                None => GroupState::Waiting,
            };
        }
        // A person has decided: it does not return to the queue.
        if review.is_confirmed() {
            return GroupState::Committed;
        }
        match review.decision {
            Decision::Accepted => GroupState::Accepted,
            _ if review.edited => GroupState::Edited,
            _ if uncertain => GroupState::Uncertain,
            _ if review.is_committed() => GroupState::Committed,
            _ => GroupState::Draft,
        }
    }

    /// The state after an operator's change. `text` is the version number of the text that the
    /// change writes; without it, a change of the text has no effect.
    pub fn apply(&self, change: &Change, text: Option<i64>) -> ReviewState {
        let mut next = self.review.clone();
        match change {
            Change::Set { .. }
            | Change::Add { .. }
            | Change::Remove { .. }
            | Change::Rename { .. }
            | Change::Synonym { .. }
            | Change::Replace(_)
            | Change::Canonicalize { .. }
            | Change::UpdateName
            | Change::Fix { .. } => {
                let Some(version) = text else { return next };
                // An edit does not end an offer.
                next.seen = match self.offer() {
                    Some(_) => next.seen.or(next.draft),
                    None => self.answer,
                };
                next.show_edit(version);
            }
            Change::TakeField { .. } => {
                let Some(version) = text else { return next };
                next.seen = self.answer;
                next.show_edit(version);
            }
            Change::TakeVersion { version } => {
                if next.draft == Some(*version) {
                    return next;
                }
                next.seen = self.answer;
                next.show(*version);
                next.edited =
                    !next.is_committed() && (next.line.is_some() || self.answer != Some(*version));
            }
            Change::SetNote { note } => next.note.clone_from(note),
            Change::Accept => {
                if next.draft.is_some() {
                    self.dismiss_offer(&mut next);
                    self.accept(&mut next);
                }
            }
            Change::Reject { reason } => {
                self.dismiss_offer(&mut next);
                next.decision = Decision::Rejected(reason.clone());
            }
            Change::Reopen => next.decision = Decision::Open,
            Change::Commit => self.commit(&mut next),
        }
        next
    }

    fn dismiss_offer(&self, next: &mut ReviewState) {
        if self.offer().is_some() {
            next.seen = self.answer;
        }
    }

    /// Accepts the draft, unless an operator's commit has confirmed it already.
    fn accept(&self, next: &mut ReviewState) {
        next.decision = Decision::Open;
        if !next.is_confirmed() {
            next.decision = Decision::Accepted;
        }
    }

    fn commit(&self, next: &mut ReviewState) {
        if matches!(next.decision, Decision::Rejected(_)) {
            next.line = None;
            return;
        }
        let Some(version) = next.draft else { return };
        self.dismiss_offer(next);
        if next.is_committed() {
            return self.accept(next);
        }
        next.line = Some(Line {
            record: None,
            version,
            by: CommittedBy::Operator,
        });
        next.edited = false;
        next.decision = Decision::Open;
    }

    /// Records a model's answer. Returns whether it became the draft rather than an offer.
    pub fn answered(&mut self, version: i64) -> bool {
        let shown = self.review.is_replaceable(self.answer);
        if shown {
            self.review.draft = Some(version);
        }
        self.answer = Some(version);
        self.failure = None;
        shown
    }

    /// Does not offer the newest answer.
    pub fn dismiss_answer(&mut self) {
        self.review.seen = self.answer;
    }

    /// Records that a line written outside the program was imported as `version`. A text that the
    /// operator has decided about stays the draft.
    pub fn imported(&mut self, version: i64, record: i64, by: CommittedBy) {
        if self.review.follows_imports(self.answer) {
            self.review.draft = Some(version);
        }
        self.review.line = Some(Line {
            record: Some(record),
            version,
            by,
        });
        self.failure = None;
    }

    /// The version that `--batch` commits: a draft that the operator has not touched. It never
    /// replaces a line.
    pub fn uncommitted(&self) -> Option<i64> {
        let review = &self.review;
        let touched = review.edited || review.decision != Decision::Open;
        let is_kept = touched || review.record_line().is_some() || review.is_line();
        review.draft.filter(|_| !is_kept)
    }
}

/// The effects of a step on committed lines. A commit has them at once, an acceptance or
/// rejection at the next commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineEffects {
    /// Lines that are unchanged and no longer need review.
    pub confirmed: usize,
    pub replaced: usize,
    pub removed: usize,
}

impl LineEffects {
    /// Counts the effect on one group.
    pub fn add(&mut self, change: &Change, before: &ReviewState, after: &ReviewState) {
        let next = after.next_commit();
        match change {
            Change::Accept | Change::Commit if before.is_committed() && after.is_committed() => {
                self.confirmed += 1;
            }
            Change::Accept => self.replaced += usize::from(next == NextCommit::Replaces),
            Change::Reject { .. } => self.removed += usize::from(next == NextCommit::Removes),
            Change::Commit if before.record_line().is_some() => match after.line {
                Some(_) => self.replaced += 1,
                None => self.removed += 1,
            },
            _ => {}
        }
    }
}

impl ReviewStep {
    /// The state after undoing or redoing the step. Answers, imported lines and `--batch` commits
    /// since then are kept.
    pub fn restored(self, now: &CurrentState, direction: Direction) -> ReviewState {
        let (mut to, from) = match direction {
            Direction::Undo => (self.before, self.after),
            Direction::Redo => (self.after, self.before),
        };
        if now.review.line != from.line {
            let follows = to.follows_imports(self.answer);
            let is_shown = |line: &Line| now.review.draft == Some(line.version);
            let shown = now.review.line;
            let shown = shown.filter(|line| follows && (line.is_readable() || is_shown(line)));
            to.draft = shown.map(|line| line.version).or(to.draft);
            to.line = now.review.line;
        }
        if now.answer != self.answer && to.is_replaceable(self.answer) {
            to.draft = now.answer;
        }
        to
    }
}

#[cfg(test)]
mod tests;
