//! Brings back what a run did whose journal did not survive: the steps that it wrote down, done
//! again one by one.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{file, refuse_irregular};
use crate::record::{Attempt, Change, GroupId, Labels, Origin, PastStep, Version};
use crate::store::answers::{Basis, Merged};
use crate::store::import::file_sha256;
use crate::store::{Journal, StepOutcome};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How the names of files begin that hold what a run could not leave in its journal.
pub const RESCUED: &str = "journal.rescued-";

/// One thing that a run did: a line of `journal.rescued-*.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStep {
    pub at: String,
    pub kind: RunStepKind,
    /// What it was, in words.
    pub step: String,
    /// The paths of its images.
    pub images: Vec<String>,
    /// Whether the journal had it before it was lost.
    pub saved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The text that a change took from another version, whose number means nothing elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Box<Attempt>>,
    /// What the attempt and the one before it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStepKind {
    Change,
    Undo,
    Redo,
    Answer,
    /// The first image got the text, which was derived from the record of the second.
    Derived,
    /// An answer became the record by itself.
    Commit,
}

/// What came of doing a run's steps again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Steps that changed something.
    pub done: usize,
    /// Steps that the journal held already.
    pub known: usize,
    /// Of the steps that were done, those that the run itself could not save.
    pub unsaved: usize,
    /// Steps that could not be done, and why.
    pub refused: Vec<String>,
}

/// Whether a file is one of steps, and not a database.
pub fn is_run_file(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "jsonl")
}

/// Files of earlier runs in an outdir that nobody has brought back yet.
pub fn rescued_files(journal: &Journal) -> Result<Vec<PathBuf>> {
    files_to_restore(journal, journal.outdir())
}

/// The same in the outdir that the journal is a copy from.
pub fn files_to_restore(journal: &Journal, outdir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(outdir).map_err(file("reading", outdir))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(RESCUED) {
            continue;
        }
        let path = entry.path();
        let Some(sha256) = file_sha256(&path)? else {
            continue;
        };
        if journal.meta_get(&restored_key(&sha256))?.is_none() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Where it is noted that a file has been brought back.
pub fn restored_key(sha256: &str) -> String {
    format!("restored:{sha256}")
}

/// Does again what a run wrote down. Doing it twice changes nothing more.
pub fn replay(journal: &mut Journal, path: &Path) -> Result<Replayed> {
    refuse_irregular(path)?;
    let text = std::fs::read_to_string(path).map_err(file("reading", path))?;
    let mut steps = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let step: RunStep = serde_json::from_str(line).map_err(|error| {
            let place = format!("{} line {number}: {error}", path.display());
            Error::new(ErrorKind::Store, place).with_hint(
                "nothing was changed; `journal restore` takes a journal.rescued-*.jsonl as it was \
                 written, or a copy of a journal",
            )
        })?;
        steps.push(step);
    }
    let mut replayed = Replayed::default();
    let key = file_sha256(path)?.map(|sha256| restored_key(&sha256));
    if let Some(key) = &key
        && journal.meta_get(key)?.is_some()
    {
        replayed.known = steps.len();
        return Ok(replayed);
    }
    for step in &steps {
        match again(journal, step) {
            Ok(true) => {
                replayed.done += 1;
                replayed.unsaved += usize::from(!step.saved);
            }
            Ok(false) => replayed.known += 1,
            Err(error) if error.kind == ErrorKind::Usage => {
                replayed
                    .refused
                    .push(format!("{}: {}", step.step, error.cause));
            }
            Err(error) => return Err(error),
        }
    }
    if replayed.refused.is_empty()
        && let Some(key) = key
    {
        journal.meta_set(&key, "yes")?;
    }
    Ok(replayed)
}

/// Whether the step changed something.
fn again(journal: &mut Journal, step: &RunStep) -> Result<bool> {
    let groups = |journal: &Journal| -> Result<Vec<GroupId>> {
        let found = step.images.iter().map(|path| group_at(journal, path));
        found.collect()
    };
    match (step.kind, &step.change, &step.attempt) {
        (RunStepKind::Change, Some(change), _) => {
            let groups = groups(journal)?;
            let before = journal.next_steps()?;
            let changed = match taken(journal, change, step, &groups)? {
                Some(change) => journal.apply(&groups, &change, &step.step)?.changed,
                None => Vec::new(),
            };
            Ok(!changed.is_empty() || journal.next_steps()? != before)
        }
        (RunStepKind::Undo, ..) => {
            let next = journal.next_steps()?.0;
            back(journal, step, next, Journal::undo)
        }
        (RunStepKind::Redo, ..) => {
            let next = journal.next_steps()?.1;
            back(journal, step, next, Journal::redo)
        }
        (RunStepKind::Answer, _, Some(attempt)) => {
            let mut changed = false;
            for group in groups(journal)? {
                changed |= answer(journal, group, attempt, step.merged.as_ref())?;
            }
            Ok(changed)
        }
        (RunStepKind::Derived, ..) => derived(journal, step, &groups(journal)?),
        (RunStepKind::Commit, ..) => {
            let mut changed = false;
            for group in groups(journal)? {
                changed |= !journal.commit_automatic(group)?.is_empty();
            }
            Ok(changed)
        }
        (RunStepKind::Change | RunStepKind::Answer, ..) => Err(refused("the line is not whole")),
    }
}

fn group_at(journal: &Journal, path: &str) -> Result<GroupId> {
    let known = journal.group_at(path)?;
    known.ok_or_else(|| refused(&format!("the journal knows no image at {path}")))
}

/// Undoes or redoes the step that the run did, where it is the next one here too.
fn back(
    journal: &mut Journal,
    step: &RunStep,
    next: Option<PastStep>,
    go: fn(&mut Journal) -> Result<Option<StepOutcome>>,
) -> Result<bool> {
    // Of one that could not be saved nobody knows which it was.
    if step.saved && next.map(|next| next.done).as_ref() != Some(&step.step) {
        return Err(refused("the step that it was about is not the newest here"));
    }
    Ok(go(journal)?.is_some())
}

/// A change that takes a text from another version, by the text; `None` where it is there already.
fn taken(
    journal: &Journal,
    change: &Change,
    step: &RunStep,
    groups: &[GroupId],
) -> Result<Option<Change>> {
    let (Change::TakeVersion { .. } | Change::TakeField { .. }) = change else {
        return Ok(Some(change.clone()));
    };
    let (Some(text), [group]) = (&step.text, groups) else {
        return Err(refused("the text that was taken is not known"));
    };
    let Some(detail) = journal.detail(*group)? else {
        return Err(refused("the image is gone"));
    };
    let is_draft = |labels: &Labels| match change {
        Change::TakeField { field, .. } => labels.values(*field) == text.values(*field),
        _ => labels == text,
    };
    if detail
        .draft
        .as_ref()
        .is_some_and(|draft| is_draft(&draft.labels))
    {
        return Ok(None);
    }
    let holds = detail.versions.iter().rev();
    let version = holds
        .into_iter()
        .find(|version| version.text.labels == *text);
    let version = version.ok_or_else(|| refused("no version here holds the text"))?;
    Ok(Some(match change {
        Change::TakeField { field, .. } => Change::TakeField {
            version: version.number,
            field: *field,
        },
        _ => Change::TakeVersion {
            version: version.number,
        },
    }))
}

/// Stores a derived text again, unless it is there; whether it was not.
fn derived(journal: &mut Journal, step: &RunStep, groups: &[GroupId]) -> Result<bool> {
    let (Some(text), [group, from]) = (&step.text, groups) else {
        return Err(refused("the line is not whole"));
    };
    let Some(detail) = journal.detail(*group)? else {
        return Err(refused("the image is gone"));
    };
    let is_it = |version: &Version| {
        matches!(version.text.origin, Origin::Derived(_)) && version.text.labels == *text
    };
    if detail.versions.iter().any(is_it) {
        return Ok(false);
    }
    match journal.add_derived(*group, *from, text)? {
        Some(_) => Ok(true),
        None => Err(refused("the record that it was derived from is gone")),
    }
}

/// Stores an answer again, unless it is there; whether it was not.
fn answer(
    journal: &mut Journal,
    group: GroupId,
    attempt: &Attempt,
    merged: Option<&Merged>,
) -> Result<bool> {
    let is_same = |held: &Attempt| held.at == attempt.at && held.labels == attempt.labels;
    let held = journal.attempts(group)?;
    if held.iter().any(is_same) {
        return Ok(false);
    }
    let newest = held.iter().rev();
    let mut newest = newest.filter(|held| held.labels.is_some() && held.opinion_of.is_none());
    let opinion_of = match attempt.opinion_of {
        None => None,
        Some(_) => match newest.next() {
            Some(answer) => Some(answer.id),
            None => return Err(refused("the answer that it is an opinion on is not known")),
        },
    };
    // Numbers of attempts are of the journal that was lost.
    let attempt = Attempt {
        id: 0,
        retry_of: None,
        opinion_of,
        ..attempt.clone()
    };
    match merged {
        Some(merged) => {
            let merged = Merged {
                basis: Basis::Retry,
                ..merged.clone()
            };
            journal.add_retry(group, &attempt, &merged)?
        }
        None => journal.add_attempt(group, &attempt)?,
    };
    Ok(true)
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Usage, why)
}
