//! Versions: earlier text stays the draft until the operator takes a new answer, stays in
//! labels.jsonl until a commit, and can always be taken back.

use super::import::{line, with_lines};
use super::*;
use crate::outdir::LABELS;
use crate::record::{HistoryEntry, LineEffects, NextCommit, Origin};
use crate::store::StepOutcome;
use proptest::prelude::*;

fn only(journal: &Journal) -> GroupId {
    journal.summaries().unwrap()[0].id
}

fn apply(journal: &mut Outdir, id: GroupId, change: &Change) {
    let stepped = journal.apply(&[id], change, "a step").unwrap();
    assert!(!stepped.changed.is_empty(), "{change:?} does nothing");
}

/// Applies a change to a labeled record, and reopens the journal after another program has written
/// these lines.
fn with_lines_after(change: &Change, lines: &str) -> (tempfile::TempDir, Outdir, GroupId) {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    apply(&mut journal, ids[0], change);
    drop(journal);
    std::fs::write(dir.path().join(LABELS), lines).unwrap();
    let journal = open(dir.path());
    (dir, journal, ids[0])
}

fn lines_of(stepped: StepOutcome) -> LineEffects {
    stepped.report.unwrap().lines
}

fn exported(journal: &mut Outdir, outdir: &Path) -> String {
    journal.export().unwrap();
    std::fs::read_to_string(outdir.join(LABELS)).unwrap_or_default()
}

/// Returns the label of each version, and of the draft.
fn texts(journal: &Journal, id: GroupId) -> (Vec<String>, Option<String>) {
    let detail = journal.detail(id).unwrap().unwrap();
    let versions = detail.versions.into_iter();
    (
        versions
            .map(|version| version.text.labels.label_ko().to_owned())
            .collect(),
        detail.draft.map(|draft| draft.labels.label_ko().to_owned()),
    )
}

#[test]
fn a_retry_of_an_imported_record_is_an_offer() {
    let dir = with_lines(&[&line("반지", "푸른 보석이 박힌 반지", ""), ""]);
    let before = read(dir.path(), LABELS);
    let mut journal = open(dir.path());
    let id = only(&journal);
    let answer = attempt(labels("반지"), &[]);
    assert!(!journal.add_attempt(id, &answer).unwrap().is_draft);
    let ours = labels("반지").label_ko().to_owned();
    let imported = "푸른 보석이 박힌 반지".to_owned();
    assert_eq!(
        texts(&journal, id),
        (vec![imported.clone(), ours.clone()], Some(imported.clone()))
    );
    let offered = journal.summary(id).unwrap().unwrap();
    assert!(offered.offered && offered.state == GroupState::Uncertain);
    assert!(journal.commit_automatic(id).unwrap().is_empty());

    let version = journal
        .detail(id)
        .unwrap()
        .unwrap()
        .current
        .offer()
        .unwrap();
    apply(&mut journal, id, &Change::TakeVersion { version });
    let taken = journal.detail(id).unwrap().unwrap();
    assert_eq!(taken.summary.state, GroupState::Edited);
    assert_eq!(taken.next_commit(), NextCommit::Replaces);
    assert!(!taken.summary.offered);
    assert_eq!(exported(&mut journal, dir.path()), before);

    apply(&mut journal, id, &Change::Commit);
    assert!(exported(&mut journal, dir.path()).contains(&ours));
    // The imported text can be taken again, and undo restores its exact line.
    assert_eq!(texts(&journal, id).0, [imported.clone(), ours]);
    for _ in 0..2 {
        journal.undo().unwrap().unwrap();
    }
    assert_eq!(texts(&journal, id).1, Some(imported));
    assert_eq!(exported(&mut journal, dir.path()), before);
    assert!(journal.summary(id).unwrap().unwrap().offered);
}

#[test]
fn a_line_for_an_uncommitted_answer_is_imported_and_restored_by_undo() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = labeled(dir.path(), &["반지"]);
    drop(journal);
    let earlier = line("반지", "푸른 보석이 박힌 반지", "") + "\n";
    std::fs::write(dir.path().join(LABELS), &earlier).unwrap();

    let mut journal = open(dir.path());
    let id = only(&journal);
    let ours = labels("반지").label_ko().to_owned();
    let (versions, draft) = texts(&journal, id);
    assert_eq!(draft.as_deref(), Some("푸른 보석이 박힌 반지"));
    assert!(versions.contains(&ours));
    assert_eq!(exported(&mut journal, dir.path()), earlier);
    apply(&mut journal, id, &set_label("붉은 보석이 박힌 반지"));
    apply(&mut journal, id, &Change::Commit);
    assert_ne!(exported(&mut journal, dir.path()), earlier);
    journal.undo().unwrap().unwrap();
    assert_eq!(exported(&mut journal, dir.path()), earlier);
}

#[test]
fn only_a_commit_of_the_edit_replaces_an_imported_line() {
    let earlier = line("반지", "푸른 보석이 박힌 반지", "") + "\n";
    let (dir, mut journal, id) = with_lines_after(&set_label("내가 쓴 붉은 반지"), &earlier);
    assert_eq!(texts(&journal, id).1.as_deref(), Some("내가 쓴 붉은 반지"));
    assert_eq!(state(&journal, id), GroupState::Edited);
    apply(&mut journal, id, &Change::Commit);
    assert!(exported(&mut journal, dir.path()).contains("내가 쓴"));
    journal.undo().unwrap().unwrap();
    assert_eq!(exported(&mut journal, dir.path()), earlier);
}

#[test]
fn a_batch_keeps_a_line_that_was_imported_while_the_record_was_rejected() {
    let earlier = line("반지", "푸른 보석이 박힌 반지", "") + "\n";
    let ours = labels("반지").label_ko().to_owned();
    for (is_undone, draft) in [(true, "푸른 보석이 박힌 반지"), (false, ours.as_str())] {
        let reject = Change::Reject {
            reason: "흐림".into(),
        };
        let (dir, mut journal, id) = with_lines_after(&reject, &earlier);
        match is_undone {
            true => drop(journal.undo().unwrap().unwrap()),
            false => apply(&mut journal, id, &Change::Reopen),
        }
        assert_eq!(texts(&journal, id).1.as_deref(), Some(draft));
        journal.commit_automatic(id).unwrap();
        assert_eq!(exported(&mut journal, dir.path()), earlier);
    }
}

#[test]
fn undo_shows_the_answer_and_not_an_unreadable_line_written_since() {
    let mut cut = line("반지", "푸른 보석이 박힌 반지", "");
    cut.pop();
    let (dir, mut journal, id) = with_lines_after(&set_label("내가 쓴 붉은 반지"), &(cut + "\n"));
    journal.undo().unwrap().unwrap();
    let ours = labels("반지").label_ko().to_owned();
    assert_eq!(texts(&journal, id).1, Some(ours.clone()));
    journal.commit_automatic(id).unwrap();
    assert!(exported(&mut journal, dir.path()).contains(&ours));
}

#[test]
fn confirming_a_record_does_not_change_its_line() {
    let dir = with_lines(&[
        &line("반지", "반지", "\"too_small\", \"their_own_code\""),
        "",
    ]);
    let before = read(dir.path(), LABELS);
    for change in [Change::Accept, Change::Commit] {
        let mut journal = open(dir.path());
        let id = only(&journal);
        assert_eq!(state(&journal, id), GroupState::Uncertain);
        let lines = lines_of(journal.apply(&[id], &change, "a step").unwrap());
        assert_eq!((lines.confirmed, lines.replaced), (1, 0));
        assert_eq!(state(&journal, id), GroupState::Committed);
        let again = journal.apply(&[id], &Change::Commit, "again").unwrap();
        assert!(again.changed.is_empty());
        assert_eq!(exported(&mut journal, dir.path()), before);
        journal.undo().unwrap().unwrap();
        assert_eq!(state(&journal, id), GroupState::Uncertain);
        assert_eq!(exported(&mut journal, dir.path()), before);
    }
}

#[test]
fn a_step_reports_its_effect_on_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    for id in &ids[..2] {
        journal.commit_automatic(*id).unwrap();
    }
    apply(&mut journal, ids[1], &set_label("고친 붉은 모자"));
    let mut effects = |change: &Change| {
        let lines = lines_of(journal.apply(&ids, change, "a step").unwrap());
        (lines.confirmed, lines.replaced, lines.removed)
    };
    assert_eq!(effects(&Change::Accept), (1, 1, 0));
    assert_eq!(effects(&Change::Commit), (0, 1, 0));
    let reject = Change::Reject {
        reason: "no".into(),
    };
    assert_eq!(effects(&reject), (0, 0, 3));
    assert_eq!(effects(&Change::Commit), (0, 0, 3));
    assert_eq!(exported(&mut journal, dir.path()), "");
}

#[test]
fn undone_edits_are_marked_unless_a_later_step_took_them() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let id = ids[0];
    let undone = |journal: &Journal| -> Vec<bool> {
        let versions = journal.detail(id).unwrap().unwrap().versions.into_iter();
        versions.map(|version| version.undone).collect()
    };
    apply(&mut journal, id, &set_label("고친 붉은 반지"));
    apply(&mut journal, id, &set_label("다시 고친 붉은 반지"));
    assert_eq!(undone(&journal), [false, false, false]);
    journal.undo().unwrap().unwrap();
    assert_eq!(undone(&journal), [false, false, true]);
    journal.undo().unwrap().unwrap();
    assert_eq!(undone(&journal), [false, true, true]);
    journal.redo().unwrap().unwrap();
    assert_eq!(undone(&journal), [false, false, true]);
    let version = journal.detail(id).unwrap().unwrap().versions[2].number;
    apply(&mut journal, id, &Change::TakeVersion { version });
    assert_eq!(undone(&journal), [false, false, false]);
    drop(journal);
    assert_eq!(undone(&open(dir.path())), [false, false, false]);
}

#[test]
fn versions_and_failed_attempts_are_listed_in_chronological_order() {
    let dir = with_lines(&[&line("반지", "푸른 보석이 박힌 반지", "")]);
    let mut journal = open(dir.path());
    let id = only(&journal);
    let failed = Attempt {
        labels: None,
        failure: Some(failure(FailureCode::ModelError)),
        ..attempt(Labels::default(), &[])
    };
    journal.add_attempt(id, &failed).unwrap();
    journal
        .add_attempt(id, &attempt(labels("반지"), &[]))
        .unwrap();
    apply(&mut journal, id, &set_label("붉은 보석이 박힌 반지"));
    apply(&mut journal, id, &Change::Commit);
    let detail = journal.detail(id).unwrap().unwrap();
    let listed: Vec<String> = detail
        .history()
        .iter()
        .map(|listed| match listed {
            HistoryEntry::Failed(attempt) => format!("failed {}", attempt.id),
            HistoryEntry::Version(version) => {
                let was = version.committed.is_some();
                format!("{:?} committed {was}", version.text.origin)
            }
        })
        .collect();
    let answer = Origin::Attempt(detail.attempts[1].id);
    assert_eq!(
        listed,
        [
            "Import committed true".to_owned(),
            format!("failed {}", detail.attempts[0].id),
            format!("{answer:?} committed false"),
            "Edit committed true".to_owned(),
        ]
    );
}

#[derive(Debug, Clone)]
enum Event {
    Change(Change),
    Answer,
    Batch,
    Undo,
    Redo,
    Restart,
}

fn any_event() -> impl Strategy<Value = Event> {
    let label = prop::sample::select(vec!["푸른 반지의 둘레", "붉은 반지의 둘레"]);
    prop_oneof![
        2 => label.prop_map(|text| Event::Change(set_label(text))),
        2 => (1..9_i64).prop_map(|version| Event::Change(Change::TakeVersion { version })),
        1 => (1..9_i64).prop_map(|version| Event::Change(Change::TakeField {
            version,
            field: Field::LabelKo,
        })),
        2 => Just(Event::Change(Change::Accept)),
        1 => Just(Event::Change(Change::Reject { reason: "no".into() })),
        1 => Just(Event::Change(Change::Reopen)),
        3 => Just(Event::Change(Change::Commit)),
        3 => Just(Event::Answer),
        1 => Just(Event::Batch),
        2 => Just(Event::Undo),
        1 => Just(Event::Redo),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn committed_text_stays_available_and_only_commits_change_lines(
        import: bool,
        events in prop::collection::vec(any_event(), 1..16)
    ) {
        let dir = match import {
            true => with_lines(&[&line("반지", "처음의 반지", ""), ""]),
            false => tempfile::tempdir().unwrap(),
        };
        let mut journal = open(dir.path());
        let id = add(&mut journal, &["반지"])[0];
        let mut committed: Vec<String> = Vec::new();
        for (count, event) in events.into_iter().enumerate() {
            let line_before = exported(&mut journal, dir.path());
            let before = journal.detail(id).unwrap().unwrap();
            let is_commit = matches!(event, Event::Change(Change::Commit) | Event::Batch
                | Event::Undo | Event::Redo);
            match event {
                // A missing version is rejected.
                Event::Change(change) => drop(journal.apply(&[id], &change, "step")),
                Event::Answer => {
                    let name = format!("{count}번째 반지");
                    let added = journal.add_attempt(id, &attempt(labels(&name), &[])).unwrap();
                    let after = journal.detail(id).unwrap().unwrap();
                    prop_assert_eq!(added.is_draft, after.draft != before.draft);
                    prop_assert_eq!(added.is_draft, !after.summary.offered);
                }
                Event::Batch => drop(journal.commit_automatic(id).unwrap()),
                Event::Undo => drop(journal.undo().unwrap()),
                Event::Redo => drop(journal.redo().unwrap()),
                Event::Restart => {
                    drop(journal);
                    journal = open(dir.path());
                    let again = journal.detail(id).unwrap().unwrap();
                    prop_assert_eq!(&again, &before);
                }
            }
            let line = exported(&mut journal, dir.path());
            prop_assert!(is_commit || line == line_before);
            let detail = journal.detail(id).unwrap().unwrap();
            prop_assert_eq!(detail.committed.is_some(), !line.is_empty());
            committed.extend(detail.committed.as_ref().map(|record| record.labels.label_ko().to_owned()));
            let (versions, draft) = texts(&journal, id);
            for text in committed.iter().chain(&draft) {
                prop_assert!(versions.contains(text), "{text} is not listed");
            }
            let are_unchanged = before.versions.iter().all(|version| {
                detail
                    .version(version.number)
                    .is_some_and(|now| now.text == version.text)
            });
            prop_assert!(are_unchanged, "a version was changed");
        }
    }
}
