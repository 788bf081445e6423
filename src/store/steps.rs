//! What an operator does, step by step; undo and redo add steps of their own.

use super::contents::{Content, bump};
use super::fault::doing;
use super::groups::read_group;
use super::head::{
    DraftRow, Heads, from_json, insert_draft, read_draft, read_draft_of, read_review, review_json,
    to_json,
};
use super::journal::{Journal, insert_record};
use super::rules::{Facts, edit, reasons};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{
    Change, ColorHistogram, CurrentState, Direction, Field, GroupId, Labels, Origin, ReviewState,
    ReviewStep, StepReport, Vocabulary,
};
use crate::text::utc;
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// Written as the model of a record that no model has had a part in.
const BY_HAND: &str = "operator";

/// What a step did, and what the next ones would be.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    pub done: String,
    /// Every group that looks different now, twins of its old and new label included.
    pub changed: Vec<GroupId>,
    /// What the change did to whom; `None` for undo and redo.
    pub report: Option<StepReport>,
    pub undo: Option<String>,
    pub redo: Option<String>,
}

impl Journal {
    /// Does one change to all these groups, as one step; no step where it changes nothing at all,
    /// an error of kind `Usage` where it can be done to none of them.
    /// `done` says in words what the step does, for the log and for undo; of how many records,
    /// where more than one was asked for, is added to it.
    pub fn apply(
        &mut self,
        groups: &[GroupId],
        change: &Change,
        done: &str,
    ) -> Result<StepOutcome> {
        let transaction = self.db.transaction().map_err(doing("saving a step"))?;
        let mut heads = Heads::new(&transaction);
        let mut entries = Vec::new();
        let mut report = StepReport::new(change.clone());
        let mut refused: Option<Error> = None;
        let mut once = HashSet::new();
        for &group in groups.iter().filter(|group| once.insert(**group)) {
            let current = heads.read(group)?;
            let context = EditContext {
                db: &transaction,
                vocabulary: &self.vocabulary,
                group,
                now: heads.now,
            };
            let (review, edited) = match context.change(&current, change) {
                Ok(done) => done,
                Err(error) if error.kind == ErrorKind::Usage => {
                    report.refused(&error.cause);
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
                    heads.write_draft(group, &next, Some(&edited.draft))?;
                }
                None => {
                    report.changed(&[]);
                    heads.write(group, &next)?;
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
            drop(heads);
            drop(transaction);
            return match refused {
                Some(error) => Err(error),
                None => self.outcome(done.to_owned(), Vec::new(), Some(report)),
            };
        }
        let done = match (once.len(), entries.len()) {
            (1, _) => done.to_owned(),
            (_, 1) => format!("{done} (1 record)"),
            (_, n) => format!("{done} ({n} records)"),
        };
        let step = insert_step(
            &transaction,
            &utc(heads.now),
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
        let changed = heads.finish()?;
        transaction.commit().map_err(doing("saving a step"))?;
        self.undo.push(step);
        self.redo.clear();
        self.outcome(done, changed, Some(report))
    }

    /// Takes the newest step back; `None` where there is none.
    pub fn undo(&mut self) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.undo.last() else {
            return Ok(None);
        };
        let (done, changed) = self.go_back_to(step, Direction::Undo)?;
        self.undo.pop();
        self.redo.push(step);
        self.outcome(done, changed, None).map(Some)
    }

    /// Does the step that was undone last again; `None` where there is none.
    pub fn redo(&mut self) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.redo.last() else {
            return Ok(None);
        };
        let (done, changed) = self.go_back_to(step, Direction::Redo)?;
        self.redo.pop();
        self.undo.push(step);
        self.outcome(done, changed, None).map(Some)
    }

    /// What undo and redo would do next.
    pub fn next_steps(&self) -> Result<(Option<String>, Option<String>)> {
        let words = |step: Option<&i64>| match step {
            Some(&step) => describe(&self.db, step).map(Some),
            None => Ok(None),
        };
        Ok((words(self.undo.last())?, words(self.redo.last())?))
    }

    fn outcome(
        &self,
        done: String,
        changed: Vec<GroupId>,
        report: Option<StepReport>,
    ) -> Result<StepOutcome> {
        let (undo, redo) = self.next_steps()?;
        Ok(StepOutcome {
            done,
            changed,
            report,
            undo,
            redo,
        })
    }

    /// Puts the groups of a step back to before it, or again to after it, as a step of its own.
    fn go_back_to(&mut self, step: i64, direction: Direction) -> Result<(String, Vec<GroupId>)> {
        let transaction = self.db.transaction().map_err(doing("saving a step"))?;
        let mut heads = Heads::new(&transaction);
        let done = describe(&transaction, step)?;
        let kind = match direction {
            Direction::Undo => "undo",
            Direction::Redo => "redo",
        };
        let own = insert_step(&transaction, &utc(heads.now), kind, Some(step), None, &done)?;
        let mut touched = Touched::default();
        for (group, entry) in read_entries(&transaction, step)? {
            let current = heads.read(group)?;
            let next = CurrentState {
                review: entry.restored(&current, direction),
                ..current.clone()
            };
            heads.write(group, &next)?;
            let back = ReviewStep {
                before: current.review,
                after: next.review,
                answer: next.answer,
            };
            touched.add(&back.before, &back.after);
            insert_entry(&transaction, own, group, &back)?;
        }
        touched.count(&transaction)?;
        let changed = heads.finish()?;
        transaction.commit().map_err(doing("saving a step"))?;
        Ok((done, changed))
    }

    /// Reads from the log which steps can be undone and redone.
    pub(super) fn read_lines_of_undo(&mut self) -> Result<()> {
        let steps: Vec<(i64, String, Option<i64>)> = self
            .db
            .prepare("SELECT id, kind, target FROM steps ORDER BY id")
            .and_then(|mut select| {
                select
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect()
            })
            .map_err(doing("reading the steps"))?;
        for (id, kind, target) in steps {
            match (kind.as_str(), target) {
                ("undo", Some(target)) => {
                    self.undo.pop();
                    self.redo.push(target);
                }
                ("redo", Some(target)) => {
                    self.redo.pop();
                    self.undo.push(target);
                }
                _ => {
                    self.undo.push(id);
                    self.redo.clear();
                }
            }
        }
        Ok(())
    }
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

/// Does a change to one group.
struct EditContext<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    group: GroupId,
    now: jiff::Timestamp,
}

/// A new version, stored.
struct EditedText {
    number: i64,
    draft: DraftRow,
    /// Those that differ from the version before it.
    fields: Vec<Field>,
}

impl EditContext<'_> {
    /// The state afterwards; the text too where it is a new one.
    fn change(
        &self,
        current: &CurrentState,
        change: &Change,
    ) -> Result<(ReviewState, Option<EditedText>)> {
        let text = match change {
            Change::Set { .. }
            | Change::Add { .. }
            | Change::Remove { .. }
            | Change::Rename { .. }
            | Change::Replace { .. }
            | Change::Canonicalize { .. }
            | Change::TakeField { .. } => self.edit(&current.review, change)?,
            Change::TakeVersion { version } => {
                if self.version(*version)?.is_none() {
                    // Says why it cannot be done.
                    edit(&Labels::default(), change, None, self.vocabulary)?;
                }
                None
            }
            _ => None,
        };
        let number = text.as_ref().map(|text| text.number);
        let mut next = current.apply(change, number);
        if let Some(line) = &mut next.line
            && line.record.is_none()
        {
            let record = insert_record(self.db, self.group, line.version, self.now, line.by)?;
            line.record = Some(record);
        }
        Ok((next, text))
    }

    /// A version of this very group.
    fn version(&self, number: i64) -> Result<Option<DraftRow>> {
        read_draft_of(self.db, self.group, number)
    }

    /// Stores the text that an edit gives, as a new version; `None` where it changes nothing.
    fn edit(&self, review: &ReviewState, change: &Change) -> Result<Option<EditedText>> {
        let (field, taken) = match change {
            Change::TakeField { version, field } => (Some(*field), self.version(*version)?),
            Change::Set { field, .. }
            | Change::Add { field, .. }
            | Change::Remove { field, .. }
            | Change::Rename { field, .. } => (Some(*field), None),
            _ => (None, None),
        };
        let old = match review.draft {
            Some(draft) => Some(read_draft(self.db, draft)?),
            None if !change.begins_draft() => return Ok(None),
            None => None,
        };
        let empty = Labels::default();
        let before = old.as_ref().map_or(&empty, |old| &old.labels);
        let taken_labels = taken.as_ref().map(|taken| &taken.labels);
        let Some(labels) = edit(before, change, taken_labels, self.vocabulary)? else {
            return Ok(None);
        };
        let fields = before.differing(&labels);
        let group = read_group(self.db, self.group)?;
        let at = utc(self.now);
        let mut draft = old.unwrap_or_else(|| DraftRow {
            origin: Origin::Edit,
            labels: Labels::default(),
            reasons: Vec::new(),
            kept: Vec::new(),
            confidence: Vec::new(),
            with_image: true,
            with_metadata: true,
            model: BY_HAND.into(),
            prompt_version: BY_HAND.into(),
            generated_at: at.clone(),
        });
        // What a person has written is certain; what another answer brings is as firm as
        // it was there.
        draft.confidence.retain(|held| match field {
            Some(field) => held.field != field,
            None => labels.values(held.field) == draft.labels.values(held.field),
        });
        if let Some(taken) = &taken {
            let confidence = taken.confidence.iter();
            let confidence = confidence.filter(|held| Some(held.field) == field);
            draft.confidence.extend(confidence.cloned());
        }
        // Whoever writes a whole field has fixed it; a word in or out, perhaps over thousands
        // of records, says nothing of the rest.
        if matches!(change, Change::Set { .. } | Change::TakeField { .. }) {
            draft.kept.clear();
        }
        draft.origin = Origin::Edit;
        draft.labels = labels;
        draft.generated_at = at;
        let histogram: Option<ColorHistogram> = match &group.histogram {
            Some(text) => Some(from_json(text)?),
            None => None,
        };
        draft.reasons = reasons(
            &draft.labels,
            &Facts {
                vocabulary: self.vocabulary,
                item_name: &group.item.item_name,
                histogram: histogram.as_ref(),
                confidence: &draft.confidence,
                with_image: draft.with_image,
                with_metadata: draft.with_metadata,
                kept: &draft.kept,
            },
        );
        let number = insert_draft(self.db, self.group, &draft)?;
        Ok(Some(EditedText {
            number,
            draft,
            fields,
        }))
    }
}

fn describe(db: &Connection, step: i64) -> Result<String> {
    db.prepare_cached("SELECT done FROM steps WHERE id = ?1")
        .and_then(|mut select| select.query_row([step], |row| row.get(0)))
        .map_err(doing("reading a step"))
}

fn insert_step(
    db: &Connection,
    at: &str,
    kind: &str,
    target: Option<i64>,
    change: Option<&Change>,
    done: &str,
) -> Result<i64> {
    let change = change.map(to_json).transpose()?;
    db.prepare_cached(
        "INSERT INTO steps (at, kind, target, change, done) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.insert(params![at, kind, target, change, done]))
    .map_err(doing("saving a step"))
}

fn insert_entry(db: &Connection, step: i64, group: GroupId, entry: &ReviewStep) -> Result<()> {
    let (was, is) = (review_json(&entry.before)?, review_json(&entry.after)?);
    db.prepare_cached(
        "INSERT OR REPLACE INTO step_entries (step, group_id, before, after, model_draft)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.execute(params![step, group.0, was, is, entry.answer]))
    .map_err(doing("saving a step"))?;
    Ok(())
}

fn read_entries(db: &Connection, step: i64) -> Result<Vec<(GroupId, ReviewStep)>> {
    let rows: Vec<(i64, String, String, Option<i64>)> = db
        .prepare_cached(
            "SELECT group_id, before, after, model_draft FROM step_entries WHERE step = ?1",
        )
        .and_then(|mut select| {
            select
                .query_map([step], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })
        .map_err(doing("reading a step"))?;
    rows.into_iter()
        .map(|(group, before, after, answer)| {
            let step = ReviewStep {
                before: read_review(db, &before)?,
                after: read_review(db, &after)?,
                answer,
            };
            Ok((GroupId(group), step))
        })
        .collect()
}
