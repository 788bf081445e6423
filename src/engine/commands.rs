//! Carries out an operator's commands on the journal: reading, editing, undo.

use super::effects::Effects;
use super::examples::Examples;
use super::journal::JournalAccess;
use super::messages::{Command, Event, Step, Warning};
use super::words::OutdirWords;
use crate::error::{ErrorKind, Result};
use crate::record::filter::{Query, Sort, select};
use crate::record::{
    AuditEstimate, Change, FixKind, GroupId, Labels, PastStep, Reason, Vocabulary,
};
use crate::store::{REMEMBERED, RunStepKind, StepOutcome};
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

/// `command` is the `Apply` of this change to these groups.
pub fn apply(
    journal: &mut JournalAccess,
    words: &OutdirWords,
    command: &Command,
    groups: &[GroupId],
    change: &Change,
) -> Result<Effects> {
    let name = change.name();
    // The rules that check the step go by the new words.
    let mut vocabulary = match words.add(change) {
        Ok(vocabulary) => vocabulary,
        Err(error) => return Ok(Effects::event(Event::Warning(Warning::Refused(error)))),
    };
    if let Some(vocabulary) = &vocabulary {
        journal.opened().set_vocabulary(Arc::clone(vocabulary));
    }
    let applied = journal.decide(command, |journal| journal.apply(groups, change, &name));
    let is_step = matches!(&applied, Ok(outcome) if !outcome.changed.is_empty());
    if vocabulary.is_some() && !is_step {
        // Undo takes steps back, so that a synonym without one could not be.
        vocabulary = match words.remove(change) {
            Ok(before) => before,
            Err(error) => return Ok(Effects::event(Event::Warning(Warning::Refused(error)))),
        };
        if let Some(vocabulary) = &vocabulary {
            journal.opened().set_vocabulary(Arc::clone(vocabulary));
        }
    }
    let mut outcome = match applied {
        Ok(outcome) => outcome,
        Err(error) if error.kind == ErrorKind::Usage => {
            return Ok(Effects::event(Event::Warning(Warning::Refused(error))));
        }
        Err(error) => return Err(error),
    };
    if outcome.changed.is_empty() {
        // A front end may have shown the change already.
        outcome.changed = groups.to_vec();
        outcome.groups = groups.to_vec();
    } else {
        let text = taken_text(journal, change, groups)?;
        journal.log().change(&name, change, text, groups);
    }
    let step = outcome
        .report
        .take()
        .map(|report| Step::Done(Box::new(report)));
    Ok(Effects {
        vocabulary,
        ..stepped(outcome, step, *change == Change::Commit)
    })
}

pub fn undo(journal: &mut JournalAccess, words: &OutdirWords) -> Result<Effects> {
    let undone = journal.decide(&Command::Undo, |journal| journal.undo())?;
    let words = change_of(&undone).map(|change| words.remove(change));
    let effects = gone_back(journal, undone, RunStepKind::Undo, Step::Undone);
    Ok(with_words(effects, words))
}

pub fn redo(journal: &mut JournalAccess, words: &OutdirWords) -> Result<Effects> {
    let redone = journal.decide(&Command::Redo, |journal| journal.redo())?;
    let words = change_of(&redone).map(|change| words.add(change));
    let effects = gone_back(journal, redone, RunStepKind::Redo, Step::Redone);
    Ok(with_words(effects, words))
}

/// What the step did that was undone or redone.
fn change_of(outcome: &Option<StepOutcome>) -> Option<&Change> {
    outcome.as_ref()?.change.as_ref()
}

/// The effects of a step with what became of the words; the step stands even where those cannot
/// be written.
fn with_words(effects: Effects, words: Option<Result<Option<Arc<Vocabulary>>>>) -> Effects {
    let mut effects = effects;
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

/// What a change takes from another version, whose number means nothing in another journal.
fn taken_text(
    journal: &mut JournalAccess,
    change: &Change,
    groups: &[GroupId],
) -> Result<Option<Labels>> {
    let (Change::TakeVersion { version } | Change::TakeField { version, .. }) = change else {
        return Ok(None);
    };
    let [group] = groups else {
        return Ok(None);
    };
    journal.with(|journal| journal.version_text(*group, *version))
}

fn gone_back(
    journal: &mut JournalAccess,
    outcome: Option<StepOutcome>,
    kind: RunStepKind,
    step: fn(PastStep) -> Step,
) -> Effects {
    let Some(outcome) = outcome else {
        return Effects::default();
    };
    journal.log().back(kind, &outcome.done, &outcome.changed);
    let step = step(PastStep {
        done: outcome.done.clone(),
        change: outcome.change.clone().map(Box::new),
        records: outcome.groups.len(),
    });
    stepped(outcome, Some(step), true)
}

fn stepped(outcome: StepOutcome, step: Option<Step>, export: bool) -> Effects {
    Effects {
        export,
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

/// Those of `groups` that the filter shows, in source order.
pub fn shown_of(
    journal: &mut JournalAccess,
    query: &Query,
    groups: &[GroupId],
) -> Result<Vec<GroupId>> {
    let summaries = journal.with(|journal| journal.summaries())?;
    let shown = select(&summaries, query, Sort::Source, None);
    let shown = shown.into_iter().map(|place| summaries[place as usize].id);
    let groups: HashSet<GroupId> = groups.iter().copied().collect();
    Ok(shown.filter(|id| groups.contains(id)).collect())
}

/// What the last audit has found.
pub fn audit(journal: &mut JournalAccess) -> Result<Effects> {
    let estimate = journal.with(|journal| journal.audit(None, AuditEstimate::WIDTH))?;
    Ok(Effects::event(Event::Audited(estimate.map(Box::new))))
}

/// The records that a person is to judge.
pub fn draw_audit(journal: &mut JournalAccess, size: usize) -> Result<Effects> {
    let (seed, sample) = journal.with(|journal| {
        let seed = journal.newest_audit()?.unwrap_or_default();
        Ok((seed, journal.audit_sample(seed, size)?))
    })?;
    Ok(Effects::event(Event::AuditDrawn { seed, sample }))
}

/// Keeps a front end's own setting; [`remembered`] gives it back to the next run.
pub fn remember(journal: &mut JournalAccess, key: &str, value: &str) -> Result<Effects> {
    let key = format!("{REMEMBERED}{key}");
    journal.with(|journal| journal.meta_set(&key, value))?;
    Ok(Effects::default())
}

/// The settings that front ends have kept, and the next steps of undo and redo if there are any;
/// before the run has begun.
pub fn remembered(journal: &mut JournalAccess) -> Result<Vec<Event>> {
    let settings = journal.opened().meta_with_prefix(REMEMBERED)?;
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
