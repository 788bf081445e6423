//! Applies, undoes and redoes operators' steps. Undo and redo are stored as steps of their own.

use super::edit_context::EditContext;
use super::errors::journal_error;
use super::tables::meta::{Content, bump_version};
use super::tables::states::StateWriter;
use super::tables::steps::{
    all_steps, describe, insert_entry, insert_step, read_change, read_entries, read_past_step,
};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{
    Change, CurrentState, Direction, GroupId, PastStep, ReviewState, ReviewStep, StepReport,
    Vocabulary,
};
use crate::text::utc;
use rusqlite::Connection;
use std::collections::HashSet;

/// Result of a step, and what undo and redo would do next.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    pub done: String,
    /// Groups that the step itself changed.
    pub groups: Vec<GroupId>,
    /// All groups whose summaries changed, including those that share an old or new label.
    pub changed: Vec<GroupId>,
    /// The change that was undone or redone.
    pub change: Option<Change>,
    /// Effect of the change on each group; `None` for undo and redo.
    pub report: Option<StepReport>,
    pub undo: Option<PastStep>,
    pub redo: Option<PastStep>,
}

/// The stacks of steps to undo and to redo.
#[derive(Debug, Default)]
pub struct History {
    /// Newest last.
    undo: Vec<i64>,
    redo: Vec<i64>,
}

impl History {
    /// Rebuilds the stacks from the journal.
    pub fn read(db: &Connection) -> Result<Self> {
        let mut history = Self::default();
        for (id, kind, target) in all_steps(db)? {
            match (kind.as_str(), target) {
                ("undo", Some(target)) => {
                    history.undo.pop();
                    history.redo.push(target);
                }
                ("redo", Some(target)) => {
                    history.redo.pop();
                    history.undo.push(target);
                }
                _ => {
                    history.undo.push(id);
                    history.redo.clear();
                }
            }
        }
        Ok(history)
    }

    /// Applies a change to all these groups as one step, see [`super::Journal::apply`].
    pub fn apply(
        &mut self,
        db: &mut Connection,
        vocabulary: &Vocabulary,
        groups: &[GroupId],
        change: &Change,
        done: &str,
    ) -> Result<StepOutcome> {
        let transaction = db.transaction().map_err(journal_error("saving a step"))?;
        let mut states = StateWriter::new(&transaction);
        let mut entries = Vec::new();
        let mut report = StepReport::new(change.clone());
        let mut refused: Option<Error> = None;
        let mut distinct = HashSet::new();
        for &group in groups.iter().filter(|group| distinct.insert(**group)) {
            let current = states.read(group)?;
            let context = EditContext {
                db: &transaction,
                vocabulary,
                group,
                now: states.now,
            };
            let (review, edited) = match context.change(&current, change) {
                Ok(done) => done,
                Err(error) if error.kind == ErrorKind::Usage => {
                    report.refused(&error);
                    refused.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if review == current.review {
                let needs_draft = !matches!(
                    change,
                    Change::Reject { .. } | Change::Reopen | Change::SetNote { .. }
                );
                if needs_draft && current.review.draft.is_none() {
                    report.without_draft += 1;
                } else {
                    report.untouched += 1;
                }
                continue;
            }
            let next = CurrentState {
                review,
                ..current.clone()
            };
            match edited {
                Some(edited) => {
                    report.changed(&edited.fields);
                    states.write_draft(group, &next, Some(&edited.draft))?;
                }
                None => {
                    report.changed(&[]);
                    states.write(group, &next)?;
                }
            }
            report.lines.add(change, &current.review, &next.review);
            let step = ReviewStep {
                before: current.review,
                after: next.review,
                answer: next.answer,
            };
            entries.push((group, step));
        }
        if entries.is_empty() {
            drop(states);
            drop(transaction);
            return match refused {
                Some(error) => Err(error),
                None => {
                    let unchanged = StoredStep {
                        done: done.to_owned(),
                        groups: Vec::new(),
                        changed: Vec::new(),
                    };
                    self.outcome(db, unchanged, Some(report))
                }
            };
        }
        let done = match (distinct.len(), entries.len()) {
            (1, _) => done.to_owned(),
            (_, 1) => format!("{done} (1 record)"),
            (_, n) => format!("{done} ({n} records)"),
        };
        let step = insert_step(
            &transaction,
            &utc(states.now),
            "do",
            None,
            Some(change),
            &done,
        )?;
        let mut changes = ExportChanges::default();
        for (group, entry) in &entries {
            changes.add(&entry.before, &entry.after);
            insert_entry(&transaction, step, *group, entry)?;
        }
        changes.bump_versions(&transaction)?;
        let changed = states.finish()?;
        transaction
            .commit()
            .map_err(journal_error("saving a step"))?;
        self.undo.push(step);
        self.redo.clear();
        let done = StoredStep {
            done,
            groups: entries.into_iter().map(|(group, _)| group).collect(),
            changed,
        };
        self.outcome(db, done, Some(report))
    }

    /// Undoes the newest step; `None` if there is none.
    pub fn undo(&mut self, db: &mut Connection) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.undo.last() else {
            return Ok(None);
        };
        let done = undo_or_redo(db, step, Direction::Undo)?;
        self.undo.pop();
        self.redo.push(step);
        let change = read_change(db, step)?;
        let outcome = self.outcome(db, done, None)?;
        Ok(Some(StepOutcome { change, ..outcome }))
    }

    /// Redoes the step that was undone last; `None` if there is none.
    pub fn redo(&mut self, db: &mut Connection) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.redo.last() else {
            return Ok(None);
        };
        let done = undo_or_redo(db, step, Direction::Redo)?;
        self.redo.pop();
        self.undo.push(step);
        let change = read_change(db, step)?;
        let outcome = self.outcome(db, done, None)?;
        Ok(Some(StepOutcome { change, ..outcome }))
    }

    /// Returns the steps that undo and redo would take next.
    pub fn next_steps(&self, db: &Connection) -> Result<(Option<PastStep>, Option<PastStep>)> {
        let past = |step: Option<&i64>| step.map(|&step| read_past_step(db, step)).transpose();
        Ok((past(self.undo.last())?, past(self.redo.last())?))
    }

    fn outcome(
        &self,
        db: &Connection,
        stored: StoredStep,
        report: Option<StepReport>,
    ) -> Result<StepOutcome> {
        let (undo, redo) = self.next_steps(db)?;
        let StoredStep {
            done,
            groups,
            changed,
        } = stored;
        Ok(StepOutcome {
            done,
            groups,
            changed,
            change: None,
            report,
            undo,
            redo,
        })
    }
}

/// A stored step. The fields are those of [`StepOutcome`].
struct StoredStep {
    done: String,
    groups: Vec<GroupId>,
    changed: Vec<GroupId>,
}

/// Restores the groups of a step to their states before it (undo) or after it (redo), and stores
/// that as a step.
fn undo_or_redo(db: &mut Connection, step: i64, direction: Direction) -> Result<StoredStep> {
    let transaction = db.transaction().map_err(journal_error("saving a step"))?;
    let mut states = StateWriter::new(&transaction);
    let done = describe(&transaction, step)?;
    let kind = match direction {
        Direction::Undo => "undo",
        Direction::Redo => "redo",
    };
    let own = insert_step(
        &transaction,
        &utc(states.now),
        kind,
        Some(step),
        None,
        &done,
    )?;
    let mut changes = ExportChanges::default();
    let mut groups = Vec::new();
    for (group, entry) in read_entries(&transaction, step)? {
        groups.push(group);
        let current = states.read(group)?;
        let next = CurrentState {
            review: entry.restored(&current, direction),
            ..current.clone()
        };
        states.write(group, &next)?;
        let back = ReviewStep {
            before: current.review,
            after: next.review,
            answer: next.answer,
        };
        changes.add(&back.before, &back.after);
        insert_entry(&transaction, own, group, &back)?;
    }
    changes.bump_versions(&transaction)?;
    let changed = states.finish()?;
    transaction
        .commit()
        .map_err(journal_error("saving a step"))?;
    Ok(StoredStep {
        done,
        groups,
        changed,
    })
}

/// Which exports a step changes.
#[derive(Default)]
struct ExportChanges {
    records: bool,
    /// `labels_errors.jsonl`.
    errors: bool,
}

impl ExportChanges {
    fn add(&mut self, before: &ReviewState, after: &ReviewState) {
        self.records |= before.line != after.line;
        self.errors |= before.draft.is_some() != after.draft.is_some()
            || before.line.is_some() != after.line.is_some();
    }

    fn bump_versions(&self, db: &Connection) -> Result<()> {
        if self.records {
            bump_version(db, Content::Records)?;
        }
        if self.errors {
            bump_version(db, Content::Failures)?;
        }
        Ok(())
    }
}
