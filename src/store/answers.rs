//! Stores model answers, failures that came before a request, and the records that `--batch`
//! commits.

use super::errors::journal_error;
use super::tables::answers::{
    attempts_of, insert_attempt, insert_failure, read_attempt, read_failure,
};
use super::tables::drafts::{DraftRow, current_draft, insert_draft};
use super::tables::groups::read_group;
use super::tables::meta::{Content, bump_version};
use super::tables::records::insert_record;
use super::tables::states::{StateWriter, read_current};
use crate::error::Result;
use crate::record::{
    Attempt, CommittedBy, CurrentState, Failure, FieldConfidence, GroupId, Labels, Line, Origin,
    Reason, ReasonSource, ReviewState,
};
use crate::text::utc;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Result of storing an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttempt {
    /// Row id of the attempt.
    pub id: i64,
    /// Whether the attempt became the draft rather than an offer.
    pub is_draft: bool,
    /// Every group whose summary changed, including those that share its old or new label.
    pub changed: Vec<GroupId>,
}

/// The attempt that most of a [`Merged`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    Earlier(i64),
    /// The retry that is stored in the same call.
    Retry,
}

/// Result of merging an answer with its retry, field by field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    pub basis: Basis,
    pub labels: Labels,
    pub reasons: Vec<Reason>,
    pub confidence: Vec<FieldConfidence>,
}

/// Stores an attempt, and the merge with the answer before it, in one transaction.
pub fn add(
    db: &mut Connection,
    group: GroupId,
    attempt: &Attempt,
    merged: Option<&Merged>,
) -> Result<StoredAttempt> {
    let saving = journal_error("saving an answer");
    let transaction = db.transaction().map_err(&saving)?;
    let id = insert_attempt(&transaction, group, attempt)?;
    let mut states = StateWriter::new(&transaction);
    let mut current = states.read(group)?;
    let texts = Texts {
        db: &transaction,
        group,
        item_name: read_group(&transaction, group)?.item.item_name,
    };
    let is_draft = match attempt.opinion_of {
        // A second opinion is a version that an operator may take. It never replaces the draft.
        Some(_) => {
            if let Some(labels) = &attempt.labels {
                texts.insert_answer(id, attempt, labels)?;
            }
            false
        }
        None => {
            let answered = texts.add_answer(id, attempt, &mut current)?;
            match merged {
                Some(merged) => {
                    let version = texts.insert_merged(id, attempt, merged)?;
                    texts.show_or_offer(version, &merged.labels, &mut current)?
                }
                None => answered,
            }
        }
    };
    states.write(group, &current)?;
    let changed = states.finish()?;
    transaction.commit().map_err(&saving)?;
    Ok(StoredAttempt {
        id,
        is_draft,
        changed,
    })
}

/// Stores the texts of a group's attempts as drafts.
struct Texts<'a> {
    db: &'a Connection,
    group: GroupId,
    item_name: String,
}

impl Texts<'_> {
    /// Stores the text or the failure of an attempt. Returns whether the text became the draft.
    fn add_answer(&self, id: i64, attempt: &Attempt, current: &mut CurrentState) -> Result<bool> {
        let had_failure = current.failure.is_some();
        if let Some(labels) = &attempt.labels {
            let version = self.insert_answer(id, attempt, labels)?;
            if had_failure {
                // The item leaves `labels_errors.jsonl`.
                bump_version(self.db, Content::Failures)?;
            }
            return self.show_or_offer(version, labels, current);
        }
        if let Some(failure) = &attempt.failure {
            let failure = insert_failure(self.db, self.group, &attempt.at, failure)?;
            current.failure = Some(failure);
        }
        Ok(false)
    }

    /// Makes an answer the draft, or offers it unless it is equal to the draft. Returns whether it
    /// became the draft.
    fn show_or_offer(
        &self,
        version: i64,
        labels: &Labels,
        current: &mut CurrentState,
    ) -> Result<bool> {
        let is_draft = current.answered(version);
        if !is_draft
            && let Some(draft) = current_draft(self.db, &current.review)?
            && draft.labels == *labels
        {
            current.dismiss_answer();
        }
        Ok(is_draft)
    }

    /// Stores the text of an attempt and returns its number.
    fn insert_answer(&self, id: i64, attempt: &Attempt, labels: &Labels) -> Result<i64> {
        let confidence = attempt.confidence.clone();
        let draft = draft_of(
            attempt,
            id,
            &self.item_name,
            labels,
            &attempt.reasons,
            confidence,
        );
        insert_draft(self.db, self.group, &draft)
    }

    /// Stores the merge of `retry` with an earlier attempt and returns the number of its text.
    fn insert_merged(&self, retry_id: i64, retry: &Attempt, merged: &Merged) -> Result<i64> {
        let (basis, basis_id) = match merged.basis {
            Basis::Earlier(id) => (read_attempt(self.db, self.group, id)?, id),
            Basis::Retry => (retry.clone(), retry_id),
        };
        let confidence = merged.confidence.clone();
        let draft = draft_of(
            &basis,
            basis_id,
            &self.item_name,
            &merged.labels,
            &merged.reasons,
            confidence,
        );
        insert_draft(self.db, self.group, &draft)
    }
}

/// Returns the attempt whose answer is the draft; `None` if something else is.
fn answer_behind(db: &Connection, review: &ReviewState) -> Result<Option<i64>> {
    let draft = current_draft(db, review)?;
    Ok(draft.and_then(|draft| match draft.origin {
        Origin::Attempt(id) => Some(id),
        Origin::Derived(_) | Origin::Edit | Origin::Import => None,
    }))
}

/// Returns the answer that [`commit`] would commit, unless it is a retry or already has one.
pub fn without_retry(db: &Connection, group: GroupId) -> Result<Option<Attempt>> {
    let current = read_current(db, group)?.unwrap_or_default();
    if current.uncommitted().is_none() {
        return Ok(None);
    }
    let Some(id) = answer_behind(db, &current.review)? else {
        return Ok(None);
    };
    let mut attempts = attempts_of(db, group)?;
    if attempts.iter().any(|other| other.retry_of == Some(id)) {
        return Ok(None);
    }
    attempts.retain(|attempt| attempt.id == id && attempt.retry_of.is_none());
    Ok(attempts.pop())
}

/// Returns the answer behind an undecided, unedited draft, and its number of second opinions,
/// including failed ones.
pub fn to_review(db: &Connection, group: GroupId) -> Result<Option<(Attempt, u32)>> {
    let current = read_current(db, group)?.unwrap_or_default();
    let review = &current.review;
    if review.edited || review.is_decided() {
        return Ok(None);
    }
    let Some(id) = answer_behind(db, review)? else {
        return Ok(None);
    };
    let mut attempts = attempts_of(db, group)?;
    let opinions = attempts.iter().filter(|other| other.opinion_of == Some(id));
    let opinions = opinions.count() as u32;
    attempts.retain(|attempt| attempt.id == id);
    Ok(attempts.pop().map(|answer| (answer, opinions)))
}

/// Stores failures that came before any request to the model, in one transaction. A failure that is
/// known already keeps its time.
pub fn add_failures(db: &mut Connection, failures: &[(GroupId, Failure)]) -> Result<Vec<GroupId>> {
    let transaction = db
        .transaction()
        .map_err(journal_error("saving a failure"))?;
    let mut states = StateWriter::new(&transaction);
    let at = utc(states.now);
    for (group, failure) in failures {
        let mut current = states.read(*group)?;
        if let Some(known) = current.failure
            && read_failure(&transaction, known)? == *failure
        {
            continue;
        }
        current.failure = Some(insert_failure(&transaction, *group, &at, failure)?);
        states.write(*group, &current)?;
    }
    let changed = states.finish()?;
    transaction
        .commit()
        .map_err(journal_error("saving a failure"))?;
    Ok(changed)
}

/// Commits the draft unless an operator has edited it or decided about it.
pub fn commit(db: &mut Connection, group: GroupId) -> Result<Vec<GroupId>> {
    let transaction = db.transaction().map_err(journal_error("saving a record"))?;
    let mut states = StateWriter::new(&transaction);
    let mut current = states.read(group)?;
    let Some(version) = current.uncommitted() else {
        return Ok(Vec::new());
    };
    let by = CommittedBy::Batch;
    let record = insert_record(&transaction, group, version, states.now, by)?;
    current.review.line = Some(Line {
        record: Some(record),
        version,
        by,
    });
    states.write(group, &current)?;
    let changed = states.finish()?;
    bump_version(&transaction, Content::Records)?;
    transaction
        .commit()
        .map_err(journal_error("saving a record"))?;
    Ok(changed)
}

/// Builds a draft from `labels`, with the model and settings of `basis`.
fn draft_of(
    basis: &Attempt,
    id: i64,
    item_name: &str,
    labels: &Labels,
    reasons: &[Reason],
    confidence: Vec<FieldConfidence>,
) -> DraftRow {
    DraftRow {
        origin: Origin::Attempt(id),
        item_name: item_name.to_owned(),
        labels: labels.clone(),
        reasons: without_duplicate(reasons),
        kept: kept(reasons),
        confidence,
        with_image: basis.settings.with_image,
        with_metadata: basis.settings.with_metadata,
        model: basis.model.clone(),
        prompt_version: basis.prompt_version.clone(),
        generated_at: basis.at.clone(),
    }
}

fn without_duplicate(reasons: &[Reason]) -> Vec<Reason> {
    let mut reasons = reasons.to_vec();
    reasons.retain(|reason| *reason != Reason::DuplicateLabel);
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

fn kept(reasons: &[Reason]) -> Vec<Reason> {
    let mut reasons = without_duplicate(reasons);
    reasons.retain(|reason| reason.source() == ReasonSource::Attempt);
    reasons
}
