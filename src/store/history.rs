//! Applies, undoes and redoes operators' steps. Undo and redo are stored as steps of their own.
//!
//! Nothing fails after a commit, because the caller repeats what failed. So each function reads all
//! that it returns before the commit, and updates the stacks last.

use super::edit_context::EditContext;
use super::errors::journal_error;
use super::tables::meta::{self, ChangedContents};
use super::tables::states::StateWriter;
use super::tables::steps::{
    all_steps, describe, insert_entry, insert_step, read_change, read_entries, read_past_step,
};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{
    Change, CurrentState, Direction, GroupId, PastStep, ReviewStep, StepReport, Vocabulary,
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

/// A key of `meta` with its value.
pub type Mark<'a> = (&'a str, &'a str);

/// The effect of a change on the groups so far.
struct Applied {
    /// The changed groups.
    entries: Vec<(GroupId, ReviewStep)>,
    report: StepReport,
    /// Why the change could not be applied to the first group that refused it.
    refused: Option<Error>,
}

impl Applied {
    fn nothing(change: &Change) -> Self {
        Self {
            entries: Vec::new(),
            report: StepReport::new(change.clone()),
            refused: None,
        }
    }

    /// Applies the change to the group of `context`.
    fn add(
        &mut self,
        change: &Change,
        context: &EditContext<'_>,
        states: &mut StateWriter<'_>,
    ) -> Result<()> {
        let current = states.read(context.group)?;
        let (review, edited) = match context.change(&current, change) {
            Ok(done) => done,
            Err(error) if error.kind == ErrorKind::Usage => {
                self.report.refused(&error);
                self.refused.get_or_insert(error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if review == current.review {
            let needs_draft = !matches!(
                change,
                Change::Reject { .. } | Change::Reopen | Change::SetNote { .. }
            );
            match needs_draft && current.review.draft.is_none() {
                true => self.report.without_draft += 1,
                false => self.report.untouched += 1,
            }
            return Ok(());
        }
        let next = CurrentState {
            review,
            ..current.clone()
        };
        match edited {
            Some(edited) => {
                self.report.changed(&edited.fields);
                states.write_draft(context.group, &next, Some(&edited.draft))?;
            }
            None => {
                self.report.changed(&[]);
                states.write(context.group, &next)?;
            }
        }
        self.report.lines.add(change, &current.review, &next.review);
        let step = ReviewStep {
            before: current.review,
            after: next.review,
            answer: next.answer,
        };
        self.entries.push((context.group, step));
        Ok(())
    }
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
        let mut applied = Applied::nothing(change);
        let mut distinct = HashSet::new();
        for &group in groups.iter().filter(|group| distinct.insert(**group)) {
            let context = EditContext {
                db: &transaction,
                vocabulary,
                group,
                now: states.now,
            };
            applied.add(change, &context, &mut states)?;
        }
        let Applied {
            entries,
            report,
            refused,
        } = applied;
        if entries.is_empty() {
            if let Some(error) = refused {
                return Err(error);
            }
            let (undo, redo) = self.next_steps(&transaction)?;
            return Ok(StepOutcome {
                done: done.to_owned(),
                groups: Vec::new(),
                changed: Vec::new(),
                change: None,
                report: Some(report),
                undo,
                redo,
            });
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
        let mut contents = ChangedContents::default();
        for (group, entry) in &entries {
            add_change(&mut contents, entry);
            insert_entry(&transaction, step, *group, entry)?;
        }
        contents.bump_versions(&transaction)?;
        let changed = states.finish()?;
        let (undo, redo) = past_steps(&transaction, Some(step), None)?;
        transaction
            .commit()
            .map_err(journal_error("saving a step"))?;
        self.undo.push(step);
        self.redo.clear();
        Ok(StepOutcome {
            done,
            groups: entries.into_iter().map(|(group, _)| group).collect(),
            changed,
            change: None,
            report: Some(report),
            undo,
            redo,
        })
    }

    /// Undoes the newest step; `None` if there is none. Stores `mark` in `meta` in the same
    /// transaction.
    pub fn undo(&mut self, db: &mut Connection, mark: Option<Mark>) -> Result<Option<StepOutcome>> {
        let Some((&step, earlier)) = self.undo.split_last() else {
            return Ok(None);
        };
        let next = (earlier.last().copied(), Some(step));
        let undone = undo_or_redo(db, step, Direction::Undo, next, mark)?;
        self.undo.pop();
        self.redo.push(step);
        Ok(Some(undone))
    }

    /// Redoes the step that was undone last, like [`Self::undo`].
    pub fn redo(&mut self, db: &mut Connection, mark: Option<Mark>) -> Result<Option<StepOutcome>> {
        let Some((&step, earlier)) = self.redo.split_last() else {
            return Ok(None);
        };
        let next = (Some(step), earlier.last().copied());
        let redone = undo_or_redo(db, step, Direction::Redo, next, mark)?;
        self.redo.pop();
        self.undo.push(step);
        Ok(Some(redone))
    }

    /// Returns the steps that undo and redo would take next.
    pub fn next_steps(&self, db: &Connection) -> Result<(Option<PastStep>, Option<PastStep>)> {
        past_steps(db, self.undo.last().copied(), self.redo.last().copied())
    }
}

fn past_steps(
    db: &Connection,
    undo: Option<i64>,
    redo: Option<i64>,
) -> Result<(Option<PastStep>, Option<PastStep>)> {
    let past = |step: Option<i64>| step.map(|step| read_past_step(db, step)).transpose();
    Ok((past(undo)?, past(redo)?))
}

/// Restores the groups of a step to their states before it (undo) or after it (redo), and stores
/// that as a step. `next` are the steps that undo and redo would take afterwards.
fn undo_or_redo(
    db: &mut Connection,
    step: i64,
    direction: Direction,
    next: (Option<i64>, Option<i64>),
    mark: Option<Mark>,
) -> Result<StepOutcome> {
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
    let mut contents = ChangedContents::default();
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
        add_change(&mut contents, &back);
        insert_entry(&transaction, own, group, &back)?;
    }
    contents.bump_versions(&transaction)?;
    let changed = states.finish()?;
    let change = read_change(&transaction, step)?;
    let (undo, redo) = past_steps(&transaction, next.0, next.1)?;
    if let Some((key, value)) = mark {
        meta::set(&transaction, key, value)?;
    }
    transaction
        .commit()
        .map_err(journal_error("saving a step"))?;
    Ok(StepOutcome {
        done,
        groups,
        changed,
        change,
        report: None,
        undo,
        redo,
    })
}

/// Notes what a step changes in one group.
fn add_change(contents: &mut ChangedContents, step: &ReviewStep) {
    let ReviewStep { before, after, .. } = step;
    contents.records |= before.line != after.line;
    contents.failures |= before.draft.is_some() != after.draft.is_some()
        || before.line.is_some() != after.line.is_some()
        || before.is_unread() != after.is_unread();
}
