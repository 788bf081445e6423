//! Performs the actions that belong to no screen: decisions on records and program-wide actions.

use super::dialogs::{
    ActionPalette, BulkAction, BulkForm, Confirm, Dialog, FixAllForm, Help, PromptPurpose,
    PromptRefusal, ReplaceForm, RetryForm, Scope, TranslateForm, ViewList, ask_again,
};
use super::flow::{Part, Work};
use super::keymap::{Action, KeyContext};
use super::message::Effect;
use super::screens::ActionOutcome;
use super::session::Session;
use crate::engine::{Command, Retry, Step};
use crate::record::filter::{FAILED, NEEDS_REVIEW};
use crate::record::{
    Change, DEFAULT_SAMPLE_SIZE, Field, FixKind, GroupId, GroupState, GroupSummary, Reason,
};
use crate::wording::Words;
use std::time::Instant;

/// The records and the screen that an action works on.
pub struct ActionContext {
    /// The records selected in the gallery, else the current record.
    pub targets: Vec<GroupId>,
    /// Whether the screen works on all selected records.
    pub is_bulk: bool,
    pub is_workbench: bool,
}

/// Refuses an action that could not be saved, with the reason; `None` where it may run.
pub fn refuse_unsaved(action: Action, session: &mut Session) -> Option<ActionOutcome> {
    let why = session.trouble().filter(|_| action.writes_journal())?;
    if action.opens_prompt() {
        // The operator goes on typing; a box must take the text.
        return Some(ActionOutcome::open(Dialog::refusal(why)));
    }
    session.warn(why);
    Some(ActionOutcome::done())
}

/// The parts of the record that must have been on screen before an action changes it.
pub fn needed_parts(action: Action, is_workbench: bool) -> &'static [Part] {
    match action {
        action if !action.changes_record() => &[],
        action if action.judges_record() => &[Part::Label, Part::Picture],
        // A prompt shows the text that it edits, and the workbench a fix before it is applied.
        action if action.opens_prompt() => &[Part::Name],
        Action::Fix if is_workbench => &[Part::Name],
        _ => &[Part::Label],
    }
}

/// The only one of `targets`, and the first of the `needed` parts that was not on screen by frame
/// `frames`; goes to that record. `None` if all were, and for many records, where a change asks
/// first.
pub fn unseen(
    targets: &[GroupId],
    needed: &[Part],
    frames: u64,
    session: &mut Session,
) -> Option<(GroupId, Part)> {
    let [id] = *targets else { return None };
    let part = session.seen.unseen(id, needed, frames)?;
    if session.current() != Some(id) {
        session.go_to(id);
    }
    Some((id, part))
}

/// Refuses to change a record because a part of it was not on screen when the key was read.
pub fn refuse_unseen(
    action: Action,
    id: GroupId,
    part: Part,
    session: &mut Session,
) -> ActionOutcome {
    let (name, words) = (session.name_of(id), session.words);
    let why = match part {
        Part::Name | Part::Label => words.not_seen(name),
        Part::Picture => words.picture_not_seen(name),
    };
    if action.opens_prompt() {
        return ActionOutcome::open(Dialog::refusal(why));
    }
    session.warn(why);
    ActionOutcome::done()
}

/// Reports what a step did. After undo and redo, goes to the changed record.
pub fn report_step(step: &Step, groups: &[GroupId], session: &mut Session) {
    for id in groups {
        session.retries.acknowledge(*id);
    }
    let here = groups.iter().find(|id| session.current() == Some(**id));
    let about = here.or(groups.first()).copied();
    match step {
        Step::Undone(_) | Step::Redone(_) => {
            match step {
                Step::Undone(_) => session.pace.undo(),
                _ => session.pace.redo(),
            }
            session.use_newest_estimator();
            if let Some(id) = about {
                session.go_to(id);
            }
        }
        Step::Done(report) if report.records > 0 => {
            let work = Work::of(&report.change, groups.len());
            session.pace.add(groups, work, Instant::now());
        }
        Step::Done(report) => session.repeats.forget(&report.change),
        Step::NothingToUndo | Step::NothingToRedo => {}
    }
    let name = about.map(|id| session.name_of(id)).unwrap_or_default();
    let report = session.words.step(step, groups.len(), &name);
    session.notices.report(report);
}

/// Performs an action; `None` where only a screen can.
pub fn act(action: Action, context: ActionContext, session: &mut Session) -> Option<ActionOutcome> {
    let ActionContext { targets, .. } = context;
    let words = session.words;
    let mut open = None;
    match action {
        // The screen has nothing to move.
        Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::PageUp
        | Action::PageDown => {}
        Action::Top => session.put_cursor(0),
        Action::Bottom => session.put_cursor(usize::MAX),
        Action::Open => return Some(ActionOutcome::show(KeyContext::Queue)),
        Action::AcceptNext => open = decide(Change::Accept, targets, session),
        Action::CommitNext => open = decide(Change::Commit, targets, session),
        Action::Reopen => {
            session.apply(targets, Change::Reopen);
        }
        Action::NextToReview => session.go_to_next(),
        // The records that are being changed are not known yet.
        Action::CommitAccepted | Action::CommitCertain if session.engine.changing.is_some() => {
            session.notify(words.still_changing());
        }
        Action::CommitAccepted => open = commit_decided(session),
        Action::CommitCertain => open = commit_certain(session),
        Action::Reject => {
            open = prompt_about(targets, words, |groups| {
                Dialog::prompt(PromptPurpose::Reject { groups }, "")
            })
        }
        Action::Audit => session.send(Command::DrawAudit(DEFAULT_SAMPLE_SIZE)),
        Action::Undo => session.send(Command::Undo),
        Action::Redo => session.send(Command::Redo),
        Action::RemoveTag if targets.len() > 1 => {
            let action = BulkAction::Remove;
            let form = BulkForm::value(Scope::Selection, Field::TagsKo, action, session);
            open = Some(form);
        }
        Action::Fix => fix(session),
        Action::FixAll => open = fix_all(context.is_bulk, session),
        Action::RepeatEdit => open = repeat(targets, session),
        Action::RecordKeys => record_keys(session),
        Action::RemoveTag if targets.len() == 1 && session.labels().is_none() => {
            open = Some(PromptRefusal::nothing_to_edit(session));
        }
        Action::RemoveTag => {
            open = prompt_about(targets, words, |groups| {
                let field = Field::TagsKo;
                Dialog::prompt(PromptPurpose::Remove { field, groups }, "")
            })
        }
        Action::Bulk => {
            let scope = Scope::of_selection_or(Scope::Shown, session);
            open = Some(BulkForm::open(scope, session));
        }
        Action::Note => {
            let note = session.detail().and_then(|detail| detail.note());
            let note = note.unwrap_or_default().to_owned();
            open = prompt_about(targets, words, |_| {
                Dialog::prompt(PromptPurpose::Note, &note)
            });
        }
        Action::Replace => open = Some(ReplaceForm::open()),
        Action::Translate => {
            let scope = Scope::of_selection_or(Scope::Record, session);
            open = Some(TranslateForm::open(scope, session));
        }
        Action::UpdateName => open = update_names(targets, session),
        Action::Retry => {
            let how = Retry {
                strict: true,
                ..Retry::default()
            };
            open = ask_again(session, targets, how, context.is_workbench);
        }
        Action::RetryWith => {
            open = match session.no_model() {
                Some(why) => Some(Dialog::refusal(capitalize(&why))),
                None => prompt_about(targets, words, |groups| {
                    Dialog::Retry(RetryForm::new(groups, context.is_workbench))
                }),
            }
        }
        Action::Pause => pause(session),
        Action::Background => {
            let backdrop = session.pictures.next_backdrop();
            let ground = backdrop.name(words);
            session.notify(session.words.picture_ground(ground));
        }
        Action::ModelView => session.pictures.toggle_model_view(),
        Action::ClearFilter => session.set_filter(""),
        Action::NeedsReview => session.set_filter(NEEDS_REVIEW),
        Action::Views => open = Some(Dialog::Views(ViewList::default())),
        Action::Failed => session.set_filter(FAILED),
        Action::Sort => {
            let sort = session.queue.sort().next();
            session.set_sort(sort);
        }
        Action::Search => {
            let text = session.queue.search_text().unwrap_or_default().to_owned();
            open = Some(Dialog::prompt(PromptPurpose::Search, &text));
        }
        Action::FoldFamilies => {
            let folded = !session.queue.is_folded();
            session.queue.set_folded(folded);
            session.notify(match folded {
                true => session.words.one_row_a_family(),
                false => session.words.every_row(),
            });
        }
        Action::SelectFamily => return Some(select_family(session)),
        Action::Help => open = Some(Dialog::Help(Help::default())),
        Action::Palette => open = Some(Dialog::Palette(ActionPalette::default())),
        Action::Redraw => session.request(Effect::Redraw),
        Action::TryAgain => try_again(session),
        Action::Suspend => session.request(Effect::Suspend),
        Action::Quit => open = quit(session),
        _ => return None,
    }
    Some(ActionOutcome { show: None, open })
}

/// Opens a prompt about the targets. Without targets, a refusal takes what the operator types.
fn prompt_about(
    targets: Vec<GroupId>,
    words: Words,
    prompt: impl FnOnce(Vec<GroupId>) -> Dialog,
) -> Option<Dialog> {
    Some(match targets.is_empty() {
        true => Dialog::refusal(words.no_item()),
        false => prompt(targets),
    })
}

/// Accepts or commits, then goes to the next uncertain record. Many records need a confirmation.
fn decide(change: Change, groups: Vec<GroupId>, session: &mut Session) -> Option<Dialog> {
    let words = session.words;
    let accepts = change == Change::Accept;
    let ready = |id: &&GroupId| {
        session.records.get(**id).is_some_and(|summary| {
            !matches!(
                summary.state,
                GroupState::Waiting | GroupState::Running | GroupState::Failed
            )
        })
    };
    let ready = groups.iter().filter(ready).count();
    if ready == 0 {
        if let Some(id) = groups.first() {
            let name = session.name_of(*id);
            session.notify(match accepts {
                true => words.nothing_to_accept(name),
                false => words.nothing_to_commit(name),
            });
            session.go_to_next();
        }
        return None;
    }
    if groups.len() == 1 {
        session.go_to_next();
        session.apply(groups, change);
        return None;
    }
    let all = groups.len();
    let question = match (accepts, all - ready) {
        (true, 0) => words.accept_these(all),
        (false, 0) => words.commit_these(all),
        (true, _) => words.accept_of_these(ready, all),
        (false, _) => words.commit_of_these(ready, all),
    };
    let detail = match all - ready {
        0 => String::new(),
        others => words.others_stay(others),
    };
    let confirm = Confirm::apply(question, detail, groups, change, session);
    Some(Dialog::Confirm(confirm))
}

/// Replaces outdated item names in the texts. Many records need a confirmation.
fn update_names(groups: Vec<GroupId>, session: &mut Session) -> Option<Dialog> {
    let change = Change::UpdateName;
    if groups.len() < 2 {
        session.apply(groups, change);
        return None;
    }
    let words = session.words;
    let question = words.update_names(words.records(groups.len()));
    let detail = words.only_other_names().to_owned();
    let confirm = Confirm::apply(question, detail, groups, change, session);
    Some(Dialog::Confirm(confirm))
}

/// Repeats the last edit on the selected records after a confirmation, else on `groups`.
fn repeat(groups: Vec<GroupId>, session: &mut Session) -> Option<Dialog> {
    let Some(change) = session.repeats.last().cloned() else {
        session.notify(session.words.no_edit_yet());
        return None;
    };
    let selected = session.selection.groups();
    if !selected.is_empty() {
        let groups = selected;
        let words = session.words;
        let question = words.repeat_on(Scope::Selection.describe(groups.len(), words));
        let detail = format!("{}.", words.change(&change));
        let confirm = Confirm::apply(question, detail, groups, change, session);
        return Some(Dialog::Confirm(confirm));
    }
    if matches!(change, Change::Reject { .. }) {
        session.go_to_next();
    }
    session.apply(groups, change);
    None
}

fn record_keys(session: &mut Session) {
    let key = |action| {
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        keys.into_iter().next().unwrap_or_default()
    };
    let words = session.words;
    let (record, play) = (key(Action::RecordKeys), key(Action::PlayKeys));
    let text = match session.repeats.toggle() {
        None => words.recording_keys(record),
        Some(0) => words.nothing_recorded().to_owned(),
        Some(count) => words.recorded(words.keys(count), play),
    };
    session.notify(text);
}

/// Asks to commit all decisions: accepted records, and rejections of committed lines.
fn commit_decided(session: &mut Session) -> Option<Dialog> {
    let words = session.words;
    let groups = session.records.groups();
    let accepted = groups.ids_where(|summary| summary.state == GroupState::Accepted);
    let accepted: Vec<GroupId> = accepted.collect();
    let rejected: Vec<GroupId> = groups.ids_where(GroupSummary::loses_line).collect();
    let (accepts, rejects) = (accepted.len(), rejected.len());
    let (what, effects) = match (accepts, rejects) {
        (0, 0) => {
            session.notify(words.no_decision_to_commit());
            return None;
        }
        (_, 0) => (words.accepted_records(accepts), [true, false]),
        (0, _) => (words.rejections(rejects), [false, true]),
        (_, _) => {
            let accepted = words.accepted_records(accepts);
            (words.and(accepted, words.rejections(rejects)), [true, true])
        }
    };
    let details = [
        words.go_into_labels(&session.settings.outdir),
        words.leave_labels(words.committed_lines(rejects)),
    ];
    let details = details.into_iter().zip(effects);
    let details: Vec<String> = details
        .filter_map(|(detail, holds)| holds.then_some(detail))
        .collect();
    let groups = [accepted, rejected].concat();
    Some(confirm_commit(what, details.join(" "), groups, words))
}

/// Asks to commit all drafts without a reason.
fn commit_certain(session: &mut Session) -> Option<Dialog> {
    let words = session.words;
    let is_certain =
        |summary: &GroupSummary| summary.state == GroupState::Draft && summary.reasons.is_empty();
    let groups: Vec<GroupId> = session.records.groups().ids_where(is_certain).collect();
    if groups.is_empty() {
        session.notify(words.no_certain_draft());
        return None;
    }
    let detail = words.go_into_labels(&session.settings.outdir);
    let what = words.certain_records(groups.len());
    Some(confirm_commit(what, detail, groups, words))
}

fn confirm_commit(what: String, detail: String, groups: Vec<GroupId>, words: Words) -> Dialog {
    let change = Change::Commit;
    let command = Command::Apply { groups, change };
    Dialog::Confirm(Confirm::new(words.commit_all(what), detail, command))
}

/// Selects the current record's recolor family and opens the gallery, where keys act on the whole
/// selection. Records that the filter hides are left out, so that no key changes an unseen record.
fn select_family(session: &mut Session) -> ActionOutcome {
    let family = session.family();
    if family.len() < 2 {
        session.notify(session.words.no_family());
        return ActionOutcome::done();
    }
    let shown = session.passing(&family);
    let icons = session.words.icons(shown.len());
    let text = match family.len() - shown.len() {
        0 => session.words.family_selected(icons),
        hidden => session.words.family_selected_of(icons, hidden),
    };
    session.notify(text);
    session.selection.set(shown);
    session.queue.set_folded(false);
    ActionOutcome::show(KeyContext::Gallery)
}

/// Applies the numbered fix of the current record.
fn fix(session: &mut Session) {
    let Some((reason, kind)) = chosen_fix(session) else {
        return session.notify(session.words.no_such_fix());
    };
    let current = session.current().into_iter().collect();
    session.apply(current, Change::Fix { reason, kind });
}

/// Opens the preview of a fix for all records with its reason.
fn fix_all(is_bulk: bool, session: &mut Session) -> Option<Dialog> {
    let Some((reason, kind)) = chosen_fix(session) else {
        session.notify(session.words.no_such_fix());
        return None;
    };
    let scope = match is_bulk && !session.selection.is_empty() {
        true => Scope::Selection,
        false => Scope::All,
    };
    Some(FixAllForm::open(reason, kind, scope, session))
}

fn chosen_fix(session: &Session) -> Option<(Reason, FixKind)> {
    let fix = session.detail()?.fixes.get(session.fix_index()?)?;
    Some((fix.reason, fix.kind))
}

fn pause(session: &mut Session) {
    if let Some(why) = session.no_model() {
        return session.warn(why);
    }
    let words = session.words;
    session.engine.paused = !session.engine.paused;
    let (command, text) = match session.engine.paused {
        true => (Command::Pause, words.pausing()),
        false => (Command::Resume, words.going_on()),
    };
    session.send(command);
    session.notify(text);
}

pub fn try_again(session: &mut Session) {
    match (session.engine.ended, &session.engine.blocked) {
        (true, _) => drop(session.refuse_unsaved()),
        (false, None) => session.notify(session.words.nothing_to_try()),
        (false, Some(_)) => {
            session.send(Command::TryAgain);
            session.notify(session.words.trying_again());
        }
    }
}

/// Quits, or asks first while drafts are uncommitted or unsaved.
pub fn quit(session: &mut Session) -> Option<Dialog> {
    let confirm = Confirm::quit(session);
    if confirm.is_none() {
        session.request(Effect::Quit);
    }
    confirm.map(Dialog::Confirm)
}

/// Whether an action would have an effect now; the hint line shows only such actions.
pub fn can(action: Action, is_bulk: bool, session: &Session) -> bool {
    let current = session.current().and_then(|id| session.records.get(id));
    let draft = session.labels().is_some();
    match action {
        Action::Undo => session.engine.undo.is_some(),
        Action::Redo => session.engine.redo.is_some(),
        Action::AcceptNext
        | Action::CommitNext
        | Action::EditLabel
        | Action::AddTag
        | Action::EditField
        | Action::AddValue
        | Action::RemoveValue
        | Action::RemoveTag
        | Action::MoveEarlier => draft || (is_bulk && current.is_some()),
        Action::Reject
        | Action::Retry
        | Action::Note
        | Action::Select
        | Action::SelectRange
        | Action::SelectAll => current.is_some(),
        Action::Versions => {
            let detail = session.detail();
            detail.is_some_and(|detail| !detail.history().is_empty())
        }
        Action::Fix | Action::FixAll => {
            let detail = session.detail();
            detail.is_some_and(|detail| !detail.fixes.is_empty())
        }
        Action::CommitAccepted | Action::CommitCertain if session.engine.changing.is_some() => {
            false
        }
        Action::CommitAccepted => {
            let groups = session.records.groups();
            groups.count(GroupState::Accepted) + groups.rejected_lines() > 0
        }
        Action::CommitCertain => session.records.groups().count(GroupState::Draft) > 0,
        Action::RepeatEdit => session.repeats.last().is_some() && current.is_some(),
        Action::Pause => session.engine.has_model(),
        _ => true,
    }
}

fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
