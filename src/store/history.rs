//! What operators do, step by step. Undo and redo add steps of their own.

use super::edit_context::EditContext;
use super::errors::doing;
use super::tables::meta::{Content, bump};
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

/// What a step did, and what the next ones would be.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    pub done: String,
    /// The groups that the step itself changed.
    pub groups: Vec<GroupId>,
    /// Every group that looks different now, twins of its old and new label included.
    pub changed: Vec<GroupId>,
    /// What was undone or redone.
    pub change: Option<Change>,
    /// What the change did to whom; `None` for undo and redo.
    pub report: Option<StepReport>,
    pub undo: Option<PastStep>,
    pub redo: Option<PastStep>,
}

/// The steps that undo and redo would take next.
#[derive(Debug, Default)]
pub struct History {
    /// Newest last.
    undo: Vec<i64>,
    redo: Vec<i64>,
}

impl History {
    /// Reads from the journal which steps can be undone and redone.
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

    /// Does one change to all these groups, as one step; see [`super::Journal::apply`].
    pub fn apply(
        &mut self,
        db: &mut Connection,
        vocabulary: &Vocabulary,
        groups: &[GroupId],
        change: &Change,
        done: &str,
    ) -> Result<StepOutcome> {
        let transaction = db.transaction().map_err(doing("saving a step"))?;
        let mut states = StateWriter::new(&transaction);
        let mut entries = Vec::new();
        let mut report = StepReport::new(change.clone());
        let mut refused: Option<Error> = None;
        let mut once = HashSet::new();
        for &group in groups.iter().filter(|group| once.insert(**group)) {
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
        let done = match (once.len(), entries.len()) {
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
        let mut touched = Touched::default();
        for (group, entry) in &entries {
            touched.add(&entry.before, &entry.after);
            insert_entry(&transaction, step, *group, entry)?;
        }
        touched.count(&transaction)?;
        let changed = states.finish()?;
        transaction.commit().map_err(doing("saving a step"))?;
        self.undo.push(step);
        self.redo.clear();
        let done = StoredStep {
            done,
            groups: entries.into_iter().map(|(group, _)| group).collect(),
            changed,
        };
        self.outcome(db, done, Some(report))
    }

    /// Takes the newest step back; `None` where there is none.
    pub fn undo(&mut self, db: &mut Connection) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.undo.last() else {
            return Ok(None);
        };
        let done = go_back_to(db, step, Direction::Undo)?;
        self.undo.pop();
        self.redo.push(step);
        let change = read_change(db, step)?;
        let outcome = self.outcome(db, done, None)?;
        Ok(Some(StepOutcome { change, ..outcome }))
    }

    /// Does the step that was undone last again; `None` where there is none.
    pub fn redo(&mut self, db: &mut Connection) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.redo.last() else {
            return Ok(None);
        };
        let done = go_back_to(db, step, Direction::Redo)?;
        self.redo.pop();
        self.undo.push(step);
        let change = read_change(db, step)?;
        let outcome = self.outcome(db, done, None)?;
        Ok(Some(StepOutcome { change, ..outcome }))
    }

    /// What undo and redo would do next.
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

/// A step as the journal has it; the fields are those of [`StepOutcome`].
struct StoredStep {
    done: String,
    groups: Vec<GroupId>,
    changed: Vec<GroupId>,
}

/// Puts the groups of a step back to before it, or again to after it, as a step of its own.
fn go_back_to(db: &mut Connection, step: i64, direction: Direction) -> Result<StoredStep> {
    let transaction = db.transaction().map_err(doing("saving a step"))?;
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
    let mut touched = Touched::default();
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
        touched.add(&back.before, &back.after);
        insert_entry(&transaction, own, group, &back)?;
    }
    touched.count(&transaction)?;
    let changed = states.finish()?;
    transaction.commit().map_err(doing("saving a step"))?;
    Ok(StoredStep {
        done,
        groups,
        changed,
    })
}

/// Which exports a step changes.
#[derive(Default)]
struct Touched {
    records: bool,
    /// Whether an item is one without labels.
    errors: bool,
}

impl Touched {
    fn add(&mut self, before: &ReviewState, after: &ReviewState) {
        self.records |= before.line != after.line;
        self.errors |= before.draft.is_some() != after.draft.is_some()
            || before.line.is_some() != after.line.is_some();
    }

    fn count(&self, db: &Connection) -> Result<()> {
        if self.records {
            bump(db, Content::Records)?;
        }
        if self.errors {
            bump(db, Content::Failures)?;
        }
        Ok(())
    }
}
