//! Executes an operator's commands on the journal: reading, editing, undo.

use super::effects::Effects;
use super::examples::Examples;
use super::journal::JournalAccess;
use super::messages::{Command, Event, Step, Warning};
use super::words::OutdirWords;
use crate::error::{ErrorKind, Result};
use crate::icon;
use crate::record::filter::{Query, Sort, select};
use crate::record::{
    AuditEstimate, Change, FixKind, GroupId, ImageLocation, Item, Labels, PastStep, Reason,
    Verdict, Vocabulary,
};
use crate::source::image_bytes;
use crate::store::{FRONT_END_PREFIX, RunStepKind, StepOutcome};
use std::collections::HashSet;
use std::sync::Arc;

pub fn open(
    journal: &mut JournalAccess,
    examples: &mut Examples,
    group: GroupId,
) -> Result<Effects> {
    let mut detail = journal.with(|journal| journal.detail(group))?;
    if let Some(detail) = &mut detail {
        examples.find_neighbors(detail, journal)?;
    }
    let events = detail.map(|detail| Event::Detail(Box::new(detail)));
    Ok(Effects {
        events: events.into_iter().collect(),
        ..Effects::default()
    })
}

/// Applies a change to groups as one step. `command` is the `Apply` with this change and these
/// groups. A group whose file was replaced since it was labeled is neither accepted nor committed.
pub fn apply(
    journal: &mut JournalAccess,
    words: &OutdirWords,
    command: &Command,
    groups: &[GroupId],
    change: &Change,
) -> Result<Effects> {
    let replaced = match change {
        // Accepting a committed line confirms it.
        Change::Commit | Change::Accept => replaced_pictures(journal, command, groups)?,
        _ => Vec::new(),
    };
    let left_out: HashSet<GroupId> = replaced.iter().map(|(group, _)| *group).collect();
    let mut groups = groups.to_vec();
    groups.retain(|group| !left_out.contains(group));
    let groups = &groups[..];
    let name = change.name();
    // The rules that check the step must use the new vocabulary.
    let mut vocabulary = match words.add(change) {
        Ok(vocabulary) => vocabulary,
        Err(error) => return Ok(Effects::event(Event::Warning(Warning::Refused(error)))),
    };
    if let Some(vocabulary) = &vocabulary {
        journal.opened().set_vocabulary(Arc::clone(vocabulary));
    }
    let applied = journal.decide(command, |journal| journal.apply(groups, change, &name));
    let is_step = matches!(&applied, Ok(outcome) if !outcome.changed.is_empty());
    let mut left = None;
    if vocabulary.is_some() && !is_step {
        // A synonym without a step could not be undone.
        match words.remove(change) {
            Ok(before) => vocabulary = before,
            Err(error) => left = Some(error),
        }
        if let Some(vocabulary) = &vocabulary {
            journal.opened().set_vocabulary(Arc::clone(vocabulary));
        }
    }
    let mut effects = match applied {
        Ok(outcome) => applied_effects(journal, outcome, command, groups, change)?,
        Err(error) if error.kind == ErrorKind::Usage => {
            Effects::event(Event::Warning(Warning::Refused(error)))
        }
        Err(error) => {
            if let Some(left) = left {
                tracing::error!(error = %left, "a synonym without a step was not removed");
            }
            return Err(error);
        }
    };
    effects.vocabulary = vocabulary;
    let left = left.map(|error| Event::Warning(Warning::Refused(error)));
    effects.events.extend(left);
    if !replaced.is_empty() {
        let (ids, names): (Vec<GroupId>, Vec<String>) = replaced.into_iter().unzip();
        // A front end may already show them as committed.
        effects.changed.extend(ids);
        let warning = Warning::PicturesReplaced(names);
        effects.events.push(Event::Warning(warning));
    }
    Ok(effects)
}

/// Returns those of `groups` whose file has another content now than when it was read, with the
/// names of their items. The next start finds the new picture. A file that cannot be read may come
/// back, and a container of many images would have to be read once for each.
fn replaced_pictures(
    journal: &mut JournalAccess,
    command: &Command,
    groups: &[GroupId],
) -> Result<Vec<(GroupId, String)>> {
    let items: Vec<(Item, Option<String>)> = journal.decide(command, |journal| {
        let items = groups.iter().map(|group| journal.item(*group));
        items.collect()
    })?;
    let mut replaced = Vec::new();
    for (&group, (item, sha256)) in groups.iter().zip(items) {
        if let (Some(file @ ImageLocation::File(_)), Some(sha256)) = (&item.file, sha256)
            && let Ok(bytes) = image_bytes(file)
            && icon::sha256(&bytes) != sha256
        {
            let name = match item.item_name.is_empty() {
                true => item.image_path,
                false => item.item_name,
            };
            replaced.push((group, name));
        }
    }
    Ok(replaced)
}

fn applied_effects(
    journal: &mut JournalAccess,
    mut outcome: StepOutcome,
    command: &Command,
    groups: &[GroupId],
    change: &Change,
) -> Result<Effects> {
    if outcome.changed.is_empty() {
        // A front end may already show the change.
        outcome.changed = groups.to_vec();
        outcome.groups = groups.to_vec();
    } else {
        let text = version_text(journal, command)?;
        journal.log().change(&change.name(), change, text, groups);
    }
    let step = outcome
        .report
        .take()
        .map(|report| Step::Done(Box::new(report)));
    Ok(Effects {
        export: *change == Change::Commit,
        ..step_effects(outcome, step)
    })
}

pub fn undo(journal: &mut JournalAccess, words: &OutdirWords) -> Result<Effects> {
    let Some(undone) = journal.decide(&Command::Undo, |journal| journal.undo())? else {
        return no_step(journal, Step::NothingToUndo);
    };
    let words = undone.change.as_ref().map(|change| words.remove(change));
    let effects = history_effects(journal, undone, RunStepKind::Undo, Step::Undone);
    Ok(with_words(effects, words))
}

pub fn redo(journal: &mut JournalAccess, words: &OutdirWords) -> Result<Effects> {
    let Some(redone) = journal.decide(&Command::Redo, |journal| journal.redo())? else {
        return no_step(journal, Step::NothingToRedo);
    };
    let words = redone.change.as_ref().map(|change| words.add(change));
    let effects = history_effects(journal, redone, RunStepKind::Redo, Step::Redone);
    Ok(with_words(effects, words))
}

/// Adds the new vocabulary to the effects of a step. The step is kept even if the vocabulary file
/// cannot be written.
fn with_words(mut effects: Effects, words: Option<Result<Option<Arc<Vocabulary>>>>) -> Effects {
    match words {
        Some(Ok(vocabulary)) => effects.vocabulary = vocabulary,
        Some(Err(error)) => {
            let refused = Event::Warning(Warning::Refused(error));
            effects.events.push(refused);
        }
        None => {}
    }
    effects
}

/// The labels of the version that a command names. The log needs them, since version numbers mean
/// nothing in another journal.
fn version_text(journal: &mut JournalAccess, command: &Command) -> Result<Option<Labels>> {
    match command.version() {
        Some((group, version)) => journal.with(|journal| journal.version_text(group, version)),
        None => Ok(None),
    }
}

fn history_effects(
    journal: &mut JournalAccess,
    outcome: StepOutcome,
    kind: RunStepKind,
    step: fn(PastStep) -> Step,
) -> Effects {
    journal
        .log()
        .history_step(kind, &outcome.done, &outcome.changed);
    let step = step(PastStep {
        done: outcome.done.clone(),
        change: outcome.change.clone().map(Box::new),
        records: outcome.groups.len(),
    });
    Effects {
        export: true,
        ..step_effects(outcome, Some(step))
    }
}

/// Reports that there is no step to undo or redo.
fn no_step(journal: &mut JournalAccess, nothing: Step) -> Result<Effects> {
    let (undo, redo) = journal.with(|journal| journal.next_steps())?;
    Ok(Effects::event(Event::Stepped {
        step: Some(nothing),
        groups: Vec::new(),
        undo,
        redo,
    }))
}

fn step_effects(outcome: StepOutcome, step: Option<Step>) -> Effects {
    Effects {
        changed: outcome.changed,
        events: vec![Event::Stepped {
            step,
            groups: outcome.groups,
            undo: outcome.undo,
            redo: outcome.redo,
        }],
        ..Effects::default()
    }
}

pub fn preview_vocabulary(journal: &mut JournalAccess, groups: &[GroupId]) -> Result<Effects> {
    let preview = journal.with(|journal| journal.vocabulary_preview(groups))?;
    let groups = groups.to_vec();
    Ok(Effects::event(Event::VocabularyPreview { groups, preview }))
}

pub fn preview_fix(
    journal: &mut JournalAccess,
    groups: &[GroupId],
    reason: Reason,
    kind: FixKind,
) -> Result<Effects> {
    let preview = journal.with(|journal| journal.fix_preview(groups, reason, kind))?;
    Ok(Effects::event(Event::FixPreview {
        groups: groups.to_vec(),
        kind,
        preview,
    }))
}

/// Returns those of `groups` that match the filter, in source order.
pub fn matching(
    journal: &mut JournalAccess,
    query: &Query,
    groups: &[GroupId],
) -> Result<Vec<GroupId>> {
    let summaries = journal.with(|journal| journal.summaries())?;
    let matching = select(&summaries, query, Sort::Source, None);
    let matching = matching
        .into_iter()
        .map(|index| summaries[index as usize].id);
    let groups: HashSet<GroupId> = groups.iter().copied().collect();
    Ok(matching.filter(|id| groups.contains(id)).collect())
}

/// Reports the estimate of the last audit.
pub fn audit(journal: &mut JournalAccess) -> Result<Effects> {
    let estimate = journal.with(|journal| journal.audit(None, AuditEstimate::WIDTH))?;
    Ok(Effects::event(Event::Audited(estimate.map(Box::new))))
}

/// Draws the records for a person to judge.
pub fn draw_audit(journal: &mut JournalAccess, size: usize) -> Result<Effects> {
    let (seed, sample) = journal.with(|journal| {
        let seed = journal.newest_audit()?.unwrap_or_default();
        Ok((seed, journal.audit_sample(seed, size)?))
    })?;
    Ok(Effects::event(Event::AuditDrawn { seed, sample }))
}

/// Stores a verdict on a version of a group's text. `command` is the `Judge` with these values.
pub fn judge(
    journal: &mut JournalAccess,
    command: &Command,
    seed: u64,
    (group, version): (GroupId, i64),
    verdict: Option<Verdict>,
) -> Result<Effects> {
    journal.decide(command, |journal| {
        journal.judge(seed, group, version, verdict)
    })?;
    let text = version_text(journal, command)?;
    journal.log().judgment(seed, group, text, verdict);
    Ok(Effects::default())
}

/// Stores a front end's setting; [`remembered`] returns it in the next run.
pub fn remember(journal: &mut JournalAccess, key: &str, value: &str) -> Result<Effects> {
    let key = format!("{FRONT_END_PREFIX}{key}");
    journal.with(|journal| journal.meta_set(&key, value))?;
    Ok(Effects::default())
}

/// Returns the events that restore a front end's state at the start of a run: its settings, the last
/// audit, and the next steps of undo and redo.
pub fn remembered(journal: &mut JournalAccess) -> Result<Vec<Event>> {
    let settings = journal.opened().meta_with_prefix(FRONT_END_PREFIX)?;
    let settings = settings.into_iter();
    let mut events: Vec<Event> = settings
        .map(|(key, value)| Event::Remembered { key, value })
        .collect();
    if journal.opened().newest_audit()?.is_some() {
        events.extend(audit(journal)?.events);
    }
    let (undo, redo) = journal.opened().next_steps()?;
    if undo.is_some() || redo.is_some() {
        events.push(Event::Stepped {
            step: None,
            groups: Vec::new(),
            undo,
            redo,
        });
    }
    Ok(events)
}
