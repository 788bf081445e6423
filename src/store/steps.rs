//! What an operator does, step by step; undo and redo add steps of their own.

use super::contents::{Content, bump};
use super::fault::doing;
use super::groups::read_group;
use super::head::{
    Decision, DraftRow, Head, Heads, MadeBy, Standing, from_json, insert_draft, read_draft, to_json,
};
use super::journal::{Journal, insert_record, now_text};
use super::rules::{Facts, edit, reasons};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{
    Attempt, Change, ColorHistogram, Field, GroupId, Labels, Origin, StepReport, Vocabulary,
};
use rusqlite::{Connection, OptionalExtension, params};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Undo,
    Redo,
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
            let standing = heads.read(group)?;
            let mut next = standing.clone();
            let desk = Desk {
                db: &transaction,
                vocabulary: &self.vocabulary,
                group,
                now: heads.now,
            };
            let edited = match desk.change(&mut next.head, &standing, change) {
                Ok(edited) => edited,
                Err(error) if error.kind == ErrorKind::Usage => {
                    report.refused(&error.cause);
                    refused.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if next.head == standing.head {
                let needs_draft = !matches!(
                    change,
                    Change::Reject { .. } | Change::Reopen | Change::SetNote { .. }
                );
                if needs_draft && standing.head.draft.is_none() {
                    report.without_draft += 1;
                } else {
                    report.untouched += 1;
                }
                continue;
            }
            match edited {
                Some((draft, fields)) => {
                    report.changed(&fields);
                    heads.write_draft(group, &next, Some(&draft))?;
                }
                None => {
                    report.changed(&[]);
                    heads.write(group, &next)?;
                }
            }
            entries.push((group, standing, next));
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
            &now_text(heads.now),
            "do",
            None,
            Some(change),
            &done,
        )?;
        let mut touched = Touched::default();
        for (group, before, after) in &entries {
            touched.add(&before.head, &after.head);
            insert_entry(&transaction, step, *group, before, &after.head)?;
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
        let (done, changed) = self.go_back_to(step, Way::Undo)?;
        self.undo.pop();
        self.redo.push(step);
        self.outcome(done, changed, None).map(Some)
    }

    /// Does the step that was undone last again; `None` where there is none.
    pub fn redo(&mut self) -> Result<Option<StepOutcome>> {
        let Some(&step) = self.redo.last() else {
            return Ok(None);
        };
        let (done, changed) = self.go_back_to(step, Way::Redo)?;
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
    fn go_back_to(&mut self, step: i64, way: Way) -> Result<(String, Vec<GroupId>)> {
        let transaction = self.db.transaction().map_err(doing("saving a step"))?;
        let mut heads = Heads::new(&transaction);
        let done = describe(&transaction, step)?;
        let kind = match way {
            Way::Undo => "undo",
            Way::Redo => "redo",
        };
        let own = insert_step(
            &transaction,
            &now_text(heads.now),
            kind,
            Some(step),
            None,
            &done,
        )?;
        let mut touched = Touched::default();
        for (group, entry) in read_entries(&transaction, step)? {
            let standing = heads.read(group)?;
            let mut next = standing.clone();
            next.head = entry.restored(&standing, way);
            touched.add(&standing.head, &next.head);
            insert_entry(&transaction, own, group, &standing, &next.head)?;
            heads.write(group, &next)?;
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
    fn add(&mut self, before: &Head, after: &Head) {
        self.records |= before.record != after.record;
        self.errors |= before.draft.is_some() != after.draft.is_some()
            || before.record.is_some() != after.record.is_some();
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

/// What a step did to one group.
struct Entry {
    before: Head,
    after: Head,
    /// The newest answer when the step was done.
    model_draft: Option<i64>,
}

impl Entry {
    /// The head that undoing or redoing this leaves. What models and `--batch` have brought since
    /// is no part of the step and stays.
    fn restored(self, now: &Standing, way: Way) -> Head {
        let (mut to, from) = match way {
            Way::Undo => (self.before, self.after),
            Way::Redo => (self.after, self.before),
        };
        if now.head.record != from.record {
            to.record = now.head.record;
        }
        let undecided = !to.edited && to.decision == Decision::Open;
        if undecided && now.model_draft != self.model_draft {
            to.draft = now.model_draft;
        }
        to
    }
}

/// One group on the operator's desk.
struct Desk<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    group: GroupId,
    now: jiff::Timestamp,
}

impl Desk<'_> {
    /// Changes the head; gives the draft back where it made a new one, and the fields that differ.
    fn change(
        &self,
        head: &mut Head,
        standing: &Standing,
        change: &Change,
    ) -> Result<Option<(DraftRow, Vec<Field>)>> {
        match change {
            Change::Set { .. }
            | Change::Add { .. }
            | Change::Remove { .. }
            | Change::Rename { .. }
            | Change::Replace { .. }
            | Change::Canonicalize { .. }
            | Change::TakeField { .. } => return self.edit(head, change),
            Change::TakeAttempt { attempt } => self.take(head, standing, *attempt, change)?,
            Change::SetNote { note } => head.note.clone_from(note),
            Change::Accept => {
                if head.draft.is_some() {
                    head.decision = Decision::Accepted;
                }
            }
            Change::Reject { reason } => head.decision = Decision::Rejected(reason.clone()),
            Change::Reopen => head.decision = Decision::Open,
            Change::Commit => self.commit(head)?,
        }
        Ok(None)
    }

    fn edit(&self, head: &mut Head, change: &Change) -> Result<Option<(DraftRow, Vec<Field>)>> {
        let (field, attempt) = match change {
            Change::TakeField { attempt, field } => (Some(*field), self.attempt(*attempt)?),
            Change::Set { field, .. } => (Some(*field), None),
            Change::Add { field, .. }
            | Change::Remove { field, .. }
            | Change::Rename { field, .. } => (Some(*field), None),
            _ => (None, None),
        };
        let begins = matches!(field, Some(Field::LabelKo)) || attempt.is_some();
        let old = match head.draft {
            Some(draft) => Some(read_draft(self.db, draft)?),
            // A tag given to many is no draft of those that wait for the model: it would stand in
            // the way of its answer.
            None if !begins => return Ok(None),
            None => None,
        };
        let empty = Labels::default();
        let before = old.as_ref().map_or(&empty, |old| &old.labels);
        let Some(labels) = edit(before, change, attempt.as_ref(), self.vocabulary)? else {
            return Ok(None);
        };
        let fields = before.differing(&labels);
        let group = read_group(self.db, self.group)?;
        let at = now_text(self.now);
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
        // What a person has written is not in doubt; what another answer brings is as firm as
        // it was there.
        draft.confidence.retain(|held| match field {
            Some(field) => held.field != field,
            None => labels.values(held.field) == draft.labels.values(held.field),
        });
        if let Some(attempt) = &attempt {
            let taken = attempt
                .confidence
                .iter()
                .filter(|held| Some(held.field) == field);
            draft.confidence.extend(taken.cloned());
        }
        // Whoever writes a whole field has mended it; a word in or out, perhaps over thousands
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
        head.draft = Some(insert_draft(self.db, self.group, &draft)?);
        head.edited = true;
        head.decision = Decision::Open;
        Ok(Some((draft, fields)))
    }

    /// Makes an answer the draft again, as it was stored.
    fn take(
        &self,
        head: &mut Head,
        standing: &Standing,
        attempt: i64,
        change: &Change,
    ) -> Result<()> {
        let origin = to_json(&Origin::Attempt(attempt))?;
        let draft: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT id FROM drafts WHERE group_id = ?1 AND origin = ?2 ORDER BY id LIMIT 1",
            )
            .and_then(|mut select| {
                select
                    .query_row(params![self.group.0, origin], |row| row.get(0))
                    .optional()
            })
            .map_err(doing("reading an answer"))?;
        if draft.is_none() {
            // Says why it cannot be done.
            edit(&Labels::default(), change, None, self.vocabulary)?;
        }
        if draft.is_none() || draft == head.draft {
            return Ok(());
        }
        head.edited = draft != standing.model_draft;
        head.draft = draft;
        head.decision = Decision::Open;
        Ok(())
    }

    /// The draft becomes the record. A rejected group's record is withdrawn instead.
    fn commit(&self, head: &mut Head) -> Result<()> {
        if matches!(head.decision, Decision::Rejected(_)) {
            head.record = None;
            return Ok(());
        }
        let Some(draft) = head.draft else {
            return Ok(());
        };
        let unchanged = match head.record {
            Some(record) => committed_by_hand(self.db, record)? == Some(draft),
            None => false,
        };
        if !unchanged {
            let record = insert_record(self.db, self.group, draft, self.now, MadeBy::Operator)?;
            head.record = Some(record);
        }
        head.edited = false;
        head.decision = Decision::Open;
        Ok(())
    }

    /// An answer of this very group that has labels.
    fn attempt(&self, id: i64) -> Result<Option<Attempt>> {
        let text: Option<String> = self
            .db
            .prepare_cached("SELECT attempt FROM attempts WHERE id = ?1 AND group_id = ?2")
            .and_then(|mut select| {
                select
                    .query_row(params![id, self.group.0], |row| row.get(0))
                    .optional()
            })
            .map_err(doing("reading an answer"))?;
        let attempt: Option<Attempt> = match text {
            Some(text) => Some(from_json(&text)?),
            None => None,
        };
        Ok(attempt.filter(|attempt| attempt.labels.is_some()))
    }
}

/// The draft of a record that an operator committed.
fn committed_by_hand(db: &Connection, record: i64) -> Result<Option<i64>> {
    db.prepare_cached("SELECT draft FROM records WHERE id = ?1 AND made_by = ?2")
        .and_then(|mut select| {
            select
                .query_row(params![record, MadeBy::Operator.name()], |row| row.get(0))
                .optional()
        })
        .map_err(doing("reading a record"))
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

fn insert_entry(
    db: &Connection,
    step: i64,
    group: GroupId,
    before: &Standing,
    after: &Head,
) -> Result<()> {
    let (was, is) = (to_json(&before.head)?, to_json(after)?);
    db.prepare_cached(
        "INSERT OR REPLACE INTO step_entries (step, group_id, before, after, model_draft)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.execute(params![step, group.0, was, is, before.model_draft]))
    .map_err(doing("saving a step"))?;
    Ok(())
}

fn read_entries(db: &Connection, step: i64) -> Result<Vec<(GroupId, Entry)>> {
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
        .map(|(group, before, after, model_draft)| {
            let entry = Entry {
                before: from_json(&before)?,
                after: from_json(&after)?,
                model_draft,
            };
            Ok((GroupId(group), entry))
        })
        .collect()
}
