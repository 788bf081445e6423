//! The journal: one SQLite file that only grows and holds every answer, edit and decision.

use super::contents::{Content, bump, checksum_of};
use super::fault::doing;
use super::head::{
    DraftRow, Heads, codes, from_json, insert_draft, read_current, read_draft, to_json,
};
use super::lock::Lock;
use super::open::open;
use super::place::Files;
use super::rules::{Facts, label_key, reasons};
use crate::error::Result;
use crate::outdir::file;
use crate::record::{
    Attempt, ColorHistogram, CommittedBy, Failure, FieldConfidence, GroupId, Labels, Line, Origin,
    QualityFlags, Reason, Record, Vocabulary,
};
use crate::text::utc;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The journal of one outdir, owned by one thread of one process.
#[derive(Debug)]
pub struct Journal {
    pub(super) db: Connection,
    pub(super) outdir: PathBuf,
    pub(super) vocabulary: Arc<Vocabulary>,
    /// Steps that undo and redo would take next, newest last.
    pub(super) undo: Vec<i64>,
    pub(super) redo: Vec<i64>,
    /// Groups that the source being read has named already.
    pub(super) seen: HashSet<GroupId>,
    pub(super) files: Files,
    /// Last, so that it is let go of when the database is closed.
    pub(super) lock: Lock,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The attempt's number.
    pub id: i64,
    /// Whether it is the draft now, and not an offer.
    pub shown: bool,
    /// Every group that looks different now, twins of its old and new label included.
    pub changed: Vec<GroupId>,
}

/// The attempt that most of a [`Merged`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Earlier(i64),
    /// The retry that is being stored.
    Retry,
}

/// What an answer and its retry come to, field by field.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    pub basis: Basis,
    pub labels: Labels,
    pub reasons: Vec<Reason>,
    pub confidence: Vec<FieldConfidence>,
}

impl Journal {
    /// Locks an outdir and opens or creates its journal: all that can be refused, and nothing that
    /// takes long.
    pub fn lock(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        std::fs::create_dir_all(outdir).map_err(file("creating", outdir))?;
        Self::with(Lock::take(outdir)?, outdir, vocabulary)
    }

    /// The same where the lock is held already.
    pub(super) fn with(lock: Lock, outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        let db = open(outdir)?;
        let mut journal = Self {
            db,
            outdir: outdir.to_owned(),
            vocabulary,
            undo: Vec::new(),
            redo: Vec::new(),
            seen: HashSet::new(),
            files: Files::default(),
            lock,
        };
        journal.remember_files();
        journal.read_lines_of_undo()?;
        Ok(journal)
    }

    pub fn outdir(&self) -> &Path {
        &self.outdir
    }

    /// What the color rule compares a claim with; computed once for an image, saved in one
    /// transaction. A draft that the rules saw without it (one from an earlier file) is judged
    /// again; the groups that show a change are returned.
    pub fn set_histograms(
        &mut self,
        histograms: &[(GroupId, ColorHistogram)],
    ) -> Result<Vec<GroupId>> {
        let transaction = self.db.transaction().map_err(doing("saving colors"))?;
        let mut heads = Heads::new(&transaction);
        for (group, histogram) in histograms {
            let text = to_json(histogram)?;
            transaction
                .prepare_cached("UPDATE groups SET histogram = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute(params![group.0, text]))
                .map_err(doing("saving colors"))?;
            let current = heads.read(*group)?;
            let Some(id) = current.review.draft else {
                continue;
            };
            let draft = read_draft(&transaction, id)?;
            let row = super::groups::read_group(&transaction, *group)?;
            let item_name = match (&draft.origin, current.review.line) {
                // A line of an earlier file keeps its name as it is.
                (
                    Origin::Import,
                    Some(Line {
                        record: Some(record),
                        ..
                    }),
                ) => record_name(&transaction, record)?,
                _ => row.item.item_name,
            };
            let now = reasons(
                &draft.labels,
                &Facts {
                    vocabulary: &self.vocabulary,
                    item_name: &item_name,
                    histogram: Some(histogram),
                    confidence: &draft.confidence,
                    with_image: draft.with_image,
                    with_metadata: draft.with_metadata,
                    kept: &draft.kept,
                },
            );
            if now != draft.reasons {
                transaction
                    .prepare_cached("UPDATE drafts SET reasons = ?2 WHERE id = ?1")
                    .and_then(|mut update| update.execute(params![id, codes(&now)]))
                    .map_err(doing("saving colors"))?;
                heads.write(*group, &current)?;
            }
        }
        let changed = heads.finish()?;
        transaction.commit().map_err(doing("saving colors"))?;
        Ok(changed)
    }

    pub fn has_histogram(&self, group: GroupId) -> Result<bool> {
        self.db
            .prepare_cached("SELECT 1 FROM groups WHERE id = ?1 AND histogram IS NOT NULL")
            .and_then(|mut select| select.exists([group.0]))
            .map_err(doing("reading colors"))
    }

    /// Stores an answer, or a failed try, for good. An answer becomes the draft or an offer.
    pub fn add_attempt(&mut self, group: GroupId, attempt: &Attempt) -> Result<Added> {
        self.add(group, attempt, None)
    }

    /// Stores the retry of an earlier answer, or its failure, together with what both come to,
    /// which is the newest answer: at no moment does one stand without the other.
    pub fn add_retry(&mut self, group: GroupId, retry: &Attempt, merged: &Merged) -> Result<Added> {
        self.add(group, retry, Some(merged))
    }

    fn add(&mut self, group: GroupId, attempt: &Attempt, merged: Option<&Merged>) -> Result<Added> {
        let transaction = self.db.transaction().map_err(doing("saving an answer"))?;
        let id = insert_attempt(&transaction, group, attempt)?;
        let mut heads = Heads::new(&transaction);
        let mut current = heads.read(group)?;
        let mut shown = false;
        match (&attempt.labels, &attempt.failure) {
            (Some(labels), _) => {
                if current.failure.is_some() {
                    // It leaves the list of errors.
                    bump(&transaction, Content::Failures)?;
                }
                let draft = draft_of(
                    attempt,
                    id,
                    labels,
                    &attempt.reasons,
                    attempt.confidence.clone(),
                );
                shown = current.answered(insert_draft(&transaction, group, &draft)?);
            }
            (None, Some(failure)) => {
                current.failure = Some(insert_failure(&transaction, group, &attempt.at, failure)?);
            }
            (None, None) => {}
        }
        if let Some(merged) = merged {
            let (basis, basis_id) = match merged.basis {
                Basis::Earlier(id) => (read_attempt(&transaction, group, id)?, id),
                Basis::Retry => (attempt.clone(), id),
            };
            let confidence = merged.confidence.clone();
            let draft = draft_of(
                &basis,
                basis_id,
                &merged.labels,
                &merged.reasons,
                confidence,
            );
            shown = current.answered(insert_draft(&transaction, group, &draft)?);
        }
        heads.write(group, &current)?;
        let changed = heads.finish()?;
        transaction.commit().map_err(doing("saving an answer"))?;
        Ok(Added { id, shown, changed })
    }

    /// The answer that [`Self::commit_automatic`] would commit, where it is no retry and has had
    /// none: the run that asked for it may have ended before its retry.
    pub fn answer_without_retry(&self, group: GroupId) -> Result<Option<Attempt>> {
        let current = read_current(&self.db, group)?.unwrap_or_default();
        let Some(draft) = current.uncommitted() else {
            return Ok(None);
        };
        let Origin::Attempt(id) = read_draft(&self.db, draft)?.origin else {
            return Ok(None);
        };
        let mut attempts = self.attempts(group)?;
        if attempts.iter().any(|other| other.retry_of == Some(id)) {
            return Ok(None);
        }
        attempts.retain(|attempt| attempt.id == id && attempt.retry_of.is_none());
        Ok(attempts.pop())
    }

    /// Stores failures that came before any answer was asked for (a missing or broken image), in
    /// one transaction.
    pub fn add_failures(&mut self, failures: &[(GroupId, Failure)]) -> Result<Vec<GroupId>> {
        let transaction = self.db.transaction().map_err(doing("saving a failure"))?;
        let mut heads = Heads::new(&transaction);
        let at = utc(heads.now);
        for (group, failure) in failures {
            let mut current = heads.read(*group)?;
            current.failure = Some(insert_failure(&transaction, *group, &at, failure)?);
            heads.write(*group, &current)?;
        }
        let changed = heads.finish()?;
        transaction.commit().map_err(doing("saving a failure"))?;
        Ok(changed)
    }

    pub fn add_failure(&mut self, group: GroupId, failure: &Failure) -> Result<Vec<GroupId>> {
        self.add_failures(&[(group, failure.clone())])
    }

    /// `--batch`: the draft becomes the record, with its reasons. Nothing where the operator has
    /// edited or decided, or where the draft is the record already. Not a step of the operator.
    pub fn commit_automatic(&mut self, group: GroupId) -> Result<Vec<GroupId>> {
        let transaction = self.db.transaction().map_err(doing("saving a record"))?;
        let mut heads = Heads::new(&transaction);
        let mut current = heads.read(group)?;
        let Some(version) = current.uncommitted() else {
            return Ok(Vec::new());
        };
        let by = CommittedBy::Batch;
        let record = insert_record(&transaction, group, version, heads.now, by)?;
        current.review.line = Some(Line {
            record: Some(record),
            version,
            by,
        });
        heads.write(group, &current)?;
        let changed = heads.finish()?;
        bump(&transaction, Content::Records)?;
        transaction.commit().map_err(doing("saving a record"))?;
        Ok(changed)
    }

    /// A value kept between runs.
    pub fn meta_get(&self, key: &str) -> Result<Option<String>> {
        meta_get(&self.db, key)
    }

    pub fn meta_set(&mut self, key: &str, value: &str) -> Result<()> {
        meta_set(&self.db, key, value)
    }

    /// Every value whose key begins with `prefix`, the prefix cut off.
    pub fn meta_with_prefix(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let rows: Vec<(String, String)> = self
            .db
            .prepare_cached("SELECT key, value FROM meta ORDER BY key")
            .and_then(|mut select| {
                select
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(doing("reading a setting"))?;
        Ok(rows
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value)))
            .collect())
    }
}

pub(super) fn meta_get(db: &Connection, key: &str) -> Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut select| select.query_row([key], |row| row.get(0)).optional())
        .map_err(doing("reading a setting"))
}

pub(super) fn meta_set(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute([key, value]))
        .map_err(doing("saving a setting"))?;
    Ok(())
}

/// A draft whose labels come, for the most part, from `basis`.
fn draft_of(
    basis: &Attempt,
    id: i64,
    labels: &Labels,
    reasons: &[Reason],
    confidence: Vec<FieldConfidence>,
) -> DraftRow {
    DraftRow {
        origin: Origin::Attempt(id),
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

fn read_attempt(db: &Connection, group: GroupId, id: i64) -> Result<Attempt> {
    let text: String = db
        .prepare_cached("SELECT attempt FROM attempts WHERE id = ?1 AND group_id = ?2")
        .and_then(|mut select| select.query_row([id, group.0], |row| row.get(0)))
        .map_err(doing("reading an answer"))?;
    from_json(&text)
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
    reasons.retain(|reason| matches!(reason, Reason::Truncated | Reason::QualityRetryFailed));
    reasons
}

fn insert_attempt(db: &Connection, group: GroupId, attempt: &Attempt) -> Result<i64> {
    let text = to_json(attempt)?;
    db.prepare_cached(
        "INSERT INTO attempts (group_id, at, model, prompt_version, settings_hash, failure,
             attempt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .and_then(|mut insert| {
        insert.insert(params![
            group.0,
            attempt.at,
            attempt.model,
            attempt.prompt_version,
            attempt.settings_hash,
            attempt.failure.as_ref().map(|failure| failure.code.code()),
            text,
        ])
    })
    .map_err(doing("saving an answer"))
}

fn insert_failure(db: &Connection, group: GroupId, at: &str, failure: &Failure) -> Result<i64> {
    bump(db, Content::Failures)?;
    db.prepare_cached("INSERT INTO failures (group_id, at, code, detail) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| {
            insert.insert(params![group.0, at, failure.code.code(), failure.detail])
        })
        .map_err(doing("saving a failure"))
}

fn record_name(db: &Connection, record: i64) -> Result<String> {
    db.prepare_cached("SELECT json_extract(record, '$.item_name') FROM records WHERE id = ?1")
        .and_then(|mut select| select.query_row([record], |row| row.get(0)))
        .map_err(doing("reading a record"))
}

/// Stores the record that a draft makes; its flags lack `duplicate_label`, which the export adds.
pub(super) fn insert_record(
    db: &Connection,
    group: GroupId,
    draft: i64,
    now: Timestamp,
    by: CommittedBy,
) -> Result<i64> {
    let group_row = super::groups::read_group(db, group)?;
    let row = read_draft(db, draft)?;
    let labels = row.labels;
    let mut reasons = row.reasons;
    if row.origin == Origin::Import {
        // It was checked against the name of its line; the record has the name of its item.
        reasons.retain(|reason| *reason != Reason::ItemNameMissing);
        if !labels.label_ko().contains(&group_row.item.item_name) {
            reasons.push(Reason::ItemNameMissing);
            reasons.sort_unstable();
        }
    }
    let record = Record {
        image_path: group_row.image_path,
        image_sha256: group_row.sha256,
        source_type: group_row.item.source_type,
        item_name: group_row.item.item_name,
        item_description: group_row.item.item_description,
        labels,
        quality_flags: QualityFlags {
            is_uncertain: !reasons.is_empty(),
            reasons,
        },
        model: row.model,
        prompt_version: row.prompt_version,
        generated_at: row.generated_at,
    };
    insert_record_row(db, group, draft, now, by, &record, None)
}

pub(super) fn insert_record_row(
    db: &Connection,
    group: GroupId,
    draft: i64,
    now: Timestamp,
    by: CommittedBy,
    record: &Record,
    raw: Option<&str>,
) -> Result<i64> {
    let text = to_json(record)?;
    db.prepare_cached(
        "INSERT INTO records (group_id, draft, at, made_by, record, raw, label_key, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .and_then(|mut insert| {
        insert.insert(params![
            group.0,
            draft,
            utc(now),
            by.name(),
            text,
            raw,
            label_key(record.labels.label_ko()).unwrap_or_default(),
            checksum_of(&text, raw),
        ])
    })
    .map_err(doing("saving a record"))
}
