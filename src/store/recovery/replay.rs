//! Replays the steps in a `journal.rescued-*.jsonl`, which a run writes when it loses its journal.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{file_error, refuse_irregular};
use crate::record::{
    Attempt, Change, Direction, GroupDetail, GroupId, Labels, Origin, PastStep, Verdict, Version,
};
use crate::store::Journal;
use crate::store::answers::{Basis, Merged};
use crate::store::history::Mark;
use crate::store::import::file_sha256;
use crate::store::tables::{from_json, to_json};
use crate::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::iter::repeat;
use std::path::{Path, PathBuf};

/// Name prefix of files that a run writes when it loses its journal.
pub const RESCUED_PREFIX: &str = "journal.rescued-";

/// One step of a run: a line of `journal.rescued-*.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStep {
    pub at: String,
    pub kind: RunStepKind,
    /// Description of the step.
    pub step: String,
    /// Paths of the images that the step changed.
    pub images: Vec<String>,
    /// Their hashes, which tell an image wherever it is. Earlier versions did not write them.
    #[serde(default)]
    pub hashes: Vec<Option<String>>,
    /// Whether the step was saved in the journal before that was lost.
    pub saved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The text that a change took from another version, whose id is valid only in the lost
    /// journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Box<Attempt>>,
    /// The attempt merged with the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgment: Option<RunJudgment>,
}

/// A person's verdict on the text of a step, in the audit with this seed. `None` withdraws it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunJudgment {
    pub seed: u64,
    pub verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStepKind {
    Change,
    Undo,
    Redo,
    Answer,
    /// The first image got a text that was derived from the record of the second.
    Derived,
    /// `--batch` committed a draft.
    Commit,
    Judgment,
}

/// Result of replaying a run's steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Steps that changed something.
    pub done: usize,
    /// Steps that the journal already had.
    pub known: usize,
    /// Those of the `done` steps that the run could not save in its own journal.
    pub unsaved: usize,
    /// Steps that could not be replayed, and why.
    pub refused: Vec<String>,
}

/// Whether a file to restore holds steps rather than a database, by its extension.
pub fn is_steps_file(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "jsonl")
}

/// Returns the rescued files in the journal's outdir that were not restored yet.
pub fn rescued_files(journal: &Journal) -> Result<Vec<PathBuf>> {
    files_to_restore(journal, journal.outdir())
}

/// Returns the rescued files in `outdir` that were not restored yet, by the journal or its copy.
pub fn files_to_restore(journal: &Journal, outdir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(outdir).map_err(file_error("reading", outdir))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with(RESCUED_PREFIX)
        {
            continue;
        }
        let path = entry.path();
        let Some(sha256) = file_sha256(&path)? else {
            continue;
        };
        if journal.meta_get(&restored_key(&sha256))?.as_deref() != Some(RESTORED) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Prefix of the keys of `meta` that say what of a file was restored.
pub const RESTORED_PREFIX: &str = "restored:";
/// Its value for a file that was restored to its end.
pub const RESTORED: &str = "yes";

/// What of a file was restored, while lines are left.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// The lines up to here were tried.
    tried: usize,
    /// Those of them that were refused, in order.
    refused: Vec<usize>,
}

pub fn restored_key(sha256: &str) -> String {
    format!("{RESTORED_PREFIX}{sha256}")
}

/// Replays the steps in a file. The journal remembers each, so that replaying them again only tries
/// those that were refused.
pub fn replay(journal: &mut Journal, path: &Path) -> Result<Replayed> {
    refuse_irregular(path)?;
    let text = std::fs::read_to_string(path).map_err(file_error("reading", path))?;
    let mut steps = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let step: RunStep = serde_json::from_str(line).map_err(|error| {
            let place = format!("{} line {number}: {error}", path.display());
            Error::new(ErrorKind::Store, place).with_hint(
                "nothing was changed; `journal restore` takes an unmodified journal.rescued-*.jsonl, \
or a copy of a journal",
            )
        })?;
        steps.push(step);
    }
    let mut replayed = Replayed::default();
    let key = restored_key(&hex(&Sha256::digest(&text)));
    let mut progress = match journal.meta_get(&key)?.as_deref() {
        Some(RESTORED) => Progress {
            tried: steps.len(),
            refused: Vec::new(),
        },
        Some(text) => from_json(text)?,
        None => Progress::default(),
    };
    let left = progress.refused.iter().copied();
    let left: Vec<usize> = left.chain(progress.tried..steps.len()).collect();
    replayed.known = steps.len() - left.len();
    let mut replay = Replay {
        journal,
        answers: HashSet::new(),
    };
    for at in left {
        let step = &steps[at];
        // A step that could not be saved does not name its target, which may be among the refused.
        let is_blind = !step.saved && matches!(step.kind, RunStepKind::Undo | RunStepKind::Redo);
        progress.tried = progress.tried.max(at + 1);
        progress.refused.retain(|refused| *refused != at);
        let done = match is_blind && !replayed.refused.is_empty() {
            true => Err(refused("an earlier step could not be applied")),
            false => replay.step(step, (&key, &to_json(&progress)?)),
        };
        match done {
            Ok(true) => {
                replayed.done += 1;
                replayed.unsaved += usize::from(!step.saved);
            }
            Ok(false) => replayed.known += 1,
            Err(error) if error.kind == ErrorKind::Usage => {
                let why = format!("{}: {}", step.step, error.cause);
                replayed.refused.push(why);
                progress.refused.push(at);
                progress.refused.sort_unstable();
            }
            Err(error) => return Err(error),
        }
        replay.journal.meta_set(&key, &to_json(&progress)?)?;
    }
    if progress.refused.is_empty() {
        journal.meta_set(&key, RESTORED)?;
    }
    Ok(replayed)
}

/// Replays the steps of one file.
struct Replay<'a> {
    journal: &'a mut Journal,
    /// The journal's attempts that are answers of this file. Two answers may be equal.
    answers: HashSet<i64>,
}

impl Replay<'_> {
    /// Replays one step. Returns whether it changed something. A step that would have another effect
    /// when it is replayed again stores `mark` in the same transaction.
    fn step(&mut self, step: &RunStep, mark: Mark) -> Result<bool> {
        let journal = &mut *self.journal;
        match (step.kind, &step.change, &step.attempt) {
            (RunStepKind::Change, Some(change), _) => {
                let groups = groups_of(journal, step)?;
                let before = journal.next_steps()?;
                let changed = match with_local_version(journal, change, step, &groups)? {
                    Some(change) => journal.apply(&groups, &change, &step.step)?.changed,
                    None => Vec::new(),
                };
                Ok(!changed.is_empty() || journal.next_steps()? != before)
            }
            (RunStepKind::Undo, ..) => {
                let next = journal.next_steps()?.0;
                replay_undo_or_redo(journal, step, next, Direction::Undo, mark)
            }
            (RunStepKind::Redo, ..) => {
                let next = journal.next_steps()?.1;
                replay_undo_or_redo(journal, step, next, Direction::Redo, mark)
            }
            (RunStepKind::Answer, _, Some(attempt)) => {
                let mut changed = false;
                for group in groups_of(journal, step)? {
                    changed |= self.answer(group, attempt, step.merged.as_ref())?;
                }
                Ok(changed)
            }
            (RunStepKind::Derived, ..) => {
                let groups = groups_of(journal, step)?;
                replay_derived(journal, step, &groups)
            }
            (RunStepKind::Commit, ..) => {
                let mut changed = false;
                for group in groups_of(journal, step)? {
                    changed |= !journal.commit_automatic(group)?.is_empty();
                }
                Ok(changed)
            }
            (RunStepKind::Judgment, ..) => {
                let groups = groups_of(journal, step)?;
                replay_judgment(journal, step, &groups)
            }
            (RunStepKind::Change | RunStepKind::Answer, ..) => {
                Err(refused("the line is incomplete"))
            }
        }
    }

    /// Stores an answer unless the journal has it. Returns whether it was stored.
    fn answer(
        &mut self,
        group: GroupId,
        attempt: &Attempt,
        merged: Option<&Merged>,
    ) -> Result<bool> {
        let known = self.journal.attempts(group)?;
        let mut same = known.iter().filter(|known| is_same_answer(known, attempt));
        if let Some(same) = same.find(|known| !self.answers.contains(&known.id)) {
            self.answers.insert(same.id);
            return Ok(false);
        }
        // Ids of attempts are valid only in the lost journal.
        let mut answers = known.iter().rev();
        let base = answers.find(|known| {
            known.labels.is_some()
                && known.opinion_of.is_none()
                && (attempt.retry_of.is_none() || known.retry_of.is_none())
        });
        let base = base.map(|base| base.id);
        if attempt.opinion_of.is_some() && base.is_none() {
            return Err(refused("the answer that it is an opinion on is not known"));
        }
        let attempt = Attempt {
            id: 0,
            retry_of: attempt.retry_of.and(base),
            opinion_of: attempt.opinion_of.and(base),
            ..attempt.clone()
        };
        let stored = match merged {
            Some(merged) => {
                let basis = match (merged.basis, base) {
                    (Basis::Earlier(_), Some(base)) => Basis::Earlier(base),
                    _ => Basis::Retry,
                };
                let merged = Merged {
                    basis,
                    ..merged.clone()
                };
                self.journal.add_retry(group, &attempt, &merged)?
            }
            None => self.journal.add_attempt(group, &attempt)?,
        };
        self.answers.insert(stored.id);
        Ok(true)
    }
}

/// Whether an attempt in the journal may be the one in a file, which has other ids and no raw text.
fn is_same_answer(known: &Attempt, attempt: &Attempt) -> bool {
    *known
        == Attempt {
            id: known.id,
            retry_of: attempt.retry_of.and(known.retry_of),
            opinion_of: attempt.opinion_of.and(known.opinion_of),
            raw_text: known.raw_text.clone(),
            ..attempt.clone()
        }
}

fn groups_of(journal: &Journal, step: &RunStep) -> Result<Vec<GroupId>> {
    let hashes = step.hashes.iter().map(Option::as_deref).chain(repeat(None));
    let images = step.images.iter().zip(hashes);
    images
        .map(|(path, sha256)| group_of(journal, path, sha256))
        .collect()
}

/// Finds an image by its hash, or by its path while the hash of either is unknown.
fn group_of(journal: &Journal, path: &str, sha256: Option<&str>) -> Result<GroupId> {
    if let Some(sha256) = sha256
        && let Some(group) = journal.group_with_hash(sha256)?
    {
        return Ok(group);
    }
    let Some(group) = journal.group_at(path)? else {
        return Err(refused(&format!("the journal has no image at {path}")));
    };
    let (_, there) = journal.item(group)?;
    match sha256.is_some() && there.is_some() {
        true => Err(refused(&format!("another image is at {path}"))),
        false => Ok(group),
    }
}

/// Undoes or redoes a step if it is the next one in this journal too.
fn replay_undo_or_redo(
    journal: &mut Journal,
    step: &RunStep,
    next: Option<PastStep>,
    direction: Direction,
    mark: Mark,
) -> Result<bool> {
    // A step that could not be saved does not name its target.
    if step.saved && next.map(|next| next.done).as_ref() != Some(&step.step) {
        return Err(refused(
            "the step that it undid or redid is not the newest one here",
        ));
    }
    Ok(journal.go(direction, Some(mark))?.is_some())
}

/// Maps a change that takes a text from another version to this journal's id of that text. `None`
/// if the text is already the draft.
fn with_local_version(
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
    let version = version_with(&detail, text)?;
    Ok(Some(match change {
        Change::TakeField { field, .. } => Change::TakeField {
            version,
            field: *field,
        },
        _ => Change::TakeVersion { version },
    }))
}

/// Returns this journal's newest version with a text.
fn version_with(detail: &GroupDetail, text: &Labels) -> Result<i64> {
    let mut newest_first = detail.versions.iter().rev();
    let version = newest_first.find(|version| version.text.labels == *text);
    let version = version.ok_or_else(|| refused("no version here has the text"))?;
    Ok(version.number)
}

/// Stores a verdict unless the journal has it. Returns whether it was stored.
fn replay_judgment(journal: &mut Journal, step: &RunStep, groups: &[GroupId]) -> Result<bool> {
    let (Some(judgment), Some(text), [group]) = (&step.judgment, &step.text, groups) else {
        return Err(refused("the text that was judged is not known"));
    };
    let Some(detail) = journal.detail(*group)? else {
        return Err(refused("the image is gone"));
    };
    let version = version_with(&detail, text)?;
    let RunJudgment { seed, verdict } = *judgment;
    let mut newest = journal.judgments(seed)?.into_iter().rev();
    let known = newest.find(|known| known.group == *group && known.version == version);
    if known.map(|known| known.verdict) == verdict {
        return Ok(false);
    }
    journal.judge(seed, *group, version, verdict)?;
    Ok(true)
}

/// Stores a derived text unless the journal has it. Returns whether it was stored.
fn replay_derived(journal: &mut Journal, step: &RunStep, groups: &[GroupId]) -> Result<bool> {
    let (Some(text), [group, from]) = (&step.text, groups) else {
        return Err(refused("the line is incomplete"));
    };
    let Some(detail) = journal.detail(*group)? else {
        return Err(refused("the image is gone"));
    };
    let is_same = |version: &Version| {
        matches!(version.text.origin, Origin::Derived(_)) && version.text.labels == *text
    };
    if detail.versions.iter().any(is_same) {
        return Ok(false);
    }
    match journal.add_derived(*group, *from, text)? {
        Some(_) => Ok(true),
        None => Err(refused("the record that it was derived from is gone")),
    }
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Usage, why)
}
