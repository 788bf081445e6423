//! Operators' steps, undo and redo.

use super::*;
use crate::outdir::LABELS;
use crate::record::Replacement;
use crate::store::StepOutcome;
use proptest::prelude::*;

fn done(journal: &mut Journal, ids: &[GroupId], change: &Change) -> StepOutcome {
    let stepped = journal.apply(ids, change, "a step").unwrap();
    assert!(!stepped.changed.is_empty(), "the change does something");
    stepped
}

#[test]
fn an_edit_applies_the_rules() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    done(&mut journal, &ids, &set_label("반지"));
    let edited = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(edited.state, GroupState::Edited);
    assert_eq!(edited.reasons, [Reason::LabelEqualsItemName]);
    assert!(edited.uncertainty > 0.0);
    done(&mut journal, &ids, &set_label(labels("반지").label_ko()));
    let edited = journal.summary(ids[0]).unwrap().unwrap();
    assert!(edited.reasons.is_empty());
}

#[test]
fn accept_commit_and_undo() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지"]);
    let uncertain = attempt(labels("반지"), &[Reason::TooSmall]);
    journal.add_attempt(ids[0], &uncertain).unwrap();
    done(&mut journal, &ids, &Change::Accept);
    assert_eq!(state(&journal, ids[0]), GroupState::Accepted);
    done(&mut journal, &ids, &Change::Commit);
    // An operator has decided: it leaves the queue, and the record keeps its flag.
    assert_eq!(state(&journal, ids[0]), GroupState::Committed);
    journal.export().unwrap();
    assert!(read(dir.path(), LABELS).contains("\"reasons\":[\"too_small\"]"));

    let undone = journal.undo().unwrap().unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Accepted);
    assert_eq!(
        [undone.undo, undone.redo].map(|step| step.map(|step| step.done)),
        [Some("a step".to_owned()), Some("a step".to_owned())]
    );
    journal.export().unwrap();
    assert_eq!(read(dir.path(), LABELS), "");
    journal.undo().unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Uncertain);
    assert_eq!(journal.undo().unwrap(), None);
}

#[test]
fn a_step_is_taken_once_although_an_earlier_text_is_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    for text in ["푸른 고리", "붉은 고리", "둥근 고리"] {
        done(&mut journal, &ids, &set_label(text));
    }
    // The answer that was reviewed first.
    journal
        .db()
        .execute("UPDATE drafts SET labels = '{' WHERE id = 1", [])
        .unwrap();
    let label = |journal: &Journal| {
        let summary = journal.summary(ids[0]).unwrap().unwrap();
        summary.labels.label_ko().to_owned()
    };
    done(&mut journal, &ids, &set_label("작은 고리"));
    let undone = journal.undo().unwrap().unwrap();
    assert_eq!(undone.change, Some(set_label("작은 고리")));
    assert_eq!(label(&journal), "둥근 고리");
    journal.undo().unwrap().unwrap();
    assert_eq!(label(&journal), "붉은 고리");
    let redone = journal.redo().unwrap().unwrap();
    assert_eq!(redone.change, Some(set_label("둥근 고리")));
    assert_eq!(label(&journal), "둥근 고리");
}

#[test]
fn a_change_without_effect_is_not_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지"]);
    for change in [Change::Accept, Change::Commit, Change::Reopen] {
        let needs_draft = change != Change::Reopen;
        let stepped = journal.apply(&ids, &change, "nothing").unwrap();
        let report = stepped.report.unwrap();
        assert_eq!(report.records, 0);
        assert_eq!(report.without_draft, usize::from(needs_draft));
    }
    assert_eq!(journal.next_steps().unwrap(), (None, None));
}

#[test]
fn a_change_refused_by_one_group_is_applied_to_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let many: Vec<String> = (0..15).map(|n| format!("태그 {n}")).collect();
    let full = Change::Set {
        field: Field::TagsKo,
        values: many,
    };
    done(&mut journal, &ids[..1], &full);
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "장비".into(),
    };
    let stepped = done(&mut journal, &ids, &tag);
    assert_eq!(stepped.changed, ids[1..]);
    let report = stepped.report.unwrap();
    assert_eq!(report.fields, [(Field::TagsKo, 1)]);
    assert_eq!(report.refused.map(|(count, _)| count), Some(1));
    let refused = journal.apply(&ids[..1], &tag, "add").unwrap_err();
    assert!(refused.cause.contains("at most 15"), "{refused}");
}

#[test]
fn a_step_reports_unchanged_groups() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, mut ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    done(&mut journal, &ids[..1], &Change::Accept);
    ids.extend(add(&mut journal, &["신발"]));
    let accepted = done(&mut journal, &ids, &Change::Accept);
    assert_eq!(accepted.done, "a step (2 records)");
    let report = accepted.report.unwrap();
    assert_eq!(
        (report.records, report.untouched, report.without_draft),
        (2, 1, 1)
    );

    // A waiting group does not get a draft with a single tag.
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "장비".into(),
    };
    let report = done(&mut journal, &ids, &tag).report.unwrap();
    assert_eq!((report.untouched, report.without_draft), (0, 1));
    assert_eq!(report.fields, [(Field::TagsKo, 3)]);
    assert_eq!(state(&journal, ids[3]), GroupState::Waiting);
}

#[test]
fn only_a_commit_removes_a_rejected_record() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.commit_automatic(ids[0]).unwrap();
    let reject = Change::Reject {
        reason: "not an item".into(),
    };
    done(&mut journal, &ids, &reject);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 1);
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.rejection_reason(), Some("not an item"));

    done(&mut journal, &ids, &Change::Commit);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 0);
    assert_eq!(state(&journal, ids[0]), GroupState::Rejected);
}

#[test]
fn a_bulk_step_is_undone_at_once_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    let before = journal.summaries().unwrap();
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "장비".into(),
    };
    let stepped = done(&mut journal, &ids, &tag);
    assert_eq!(stepped.changed, ids);
    done(&mut journal, &ids[..1], &set_label("고친 붉은 반지"));
    drop(journal);

    let mut journal = open(dir.path());
    journal.undo().unwrap().unwrap();
    drop(journal);
    let mut journal = open(dir.path());
    journal.undo().unwrap().unwrap();
    assert_eq!(timeless(&journal), timeless_of(before));
    journal.redo().unwrap().unwrap();
    let all = journal.summaries().unwrap();
    assert!(
        all.iter()
            .all(|group| group.labels.values(Field::TagsKo).contains(&"장비".into()))
    );
    journal.redo().unwrap().unwrap();
    assert_eq!(journal.redo().unwrap(), None);
    let first = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(first.labels.label_ko(), "고친 붉은 반지");
}

#[test]
fn a_new_step_clears_redo_but_deletes_no_step() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    done(&mut journal, &ids, &set_label("첫 붉은 반지"));
    journal.undo().unwrap();
    let stepped = done(&mut journal, &ids, &set_label("둘째 붉은 반지"));
    assert_eq!(stepped.redo, None);
    assert_eq!(journal.redo().unwrap(), None);
    let steps: i64 = journal
        .db()
        .query_row("SELECT count(*) FROM steps", [], |row| row.get(0))
        .unwrap();
    assert_eq!(steps, 3);
}

#[test]
fn an_answer_between_step_and_undo_survives() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    done(&mut journal, &ids, &set_label("내 붉은 반지"));
    let newer = attempt(labels("새 반지"), &[]);
    journal.add_attempt(ids[0], &newer).unwrap();
    journal.undo().unwrap();
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.attempts.len(), 2);
    assert_eq!(
        detail.summary.labels.label_ko(),
        labels("새 반지").label_ko()
    );
    journal.redo().unwrap();
    let redone = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(redone.labels.label_ko(), "내 붉은 반지");
}

#[test]
fn a_batch_commit_between_step_and_undo_survives() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let note = Change::SetNote {
        note: Some("look again".into()),
    };
    done(&mut journal, &ids, &note);
    journal.commit_automatic(ids[0]).unwrap();
    journal.undo().unwrap();
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.note(), None);
    assert!(detail.summary.has_record);
}

#[test]
fn a_version_or_one_of_its_fields_can_be_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal
        .add_attempt(ids[0], &attempt(labels("둘째 반지"), &[Reason::Truncated]))
        .unwrap();
    let [first, second] = numbers(&journal, ids[0])[..] else {
        panic!("two answers")
    };
    let summary = |journal: &Journal| journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(summary(&journal).reasons, [Reason::Truncated]);
    done(
        &mut journal,
        &ids[..1],
        &Change::TakeVersion { version: first },
    );
    assert_eq!(
        summary(&journal).labels.label_ko(),
        labels("반지").label_ko()
    );
    assert_eq!(summary(&journal).state, GroupState::Edited);
    let field = Change::TakeField {
        version: second,
        field: Field::LabelKo,
    };
    done(&mut journal, &ids[..1], &field);
    assert_eq!(
        summary(&journal).labels.label_ko(),
        labels("둘째 반지").label_ko()
    );
    let take = Change::TakeVersion { version: second };
    done(&mut journal, &ids[..1], &take);
    assert_eq!(summary(&journal).state, GroupState::Uncertain);
    // A version of another group cannot be taken.
    for change in [field, take] {
        let foreign = journal.apply(&ids[1..], &change, "take").unwrap_err();
        assert!(foreign.cause.contains("no version"), "{foreign}");
    }
}

/// Returns the ids of a group's versions, oldest first.
fn numbers(journal: &Journal, id: GroupId) -> Vec<i64> {
    let detail = journal.detail(id).unwrap().unwrap();
    detail
        .versions
        .iter()
        .map(|version| version.number)
        .collect()
}

#[test]
fn a_failed_item_can_be_labeled_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지"]);
    let missing = failure(FailureCode::MissingImage);
    journal.add_failure(ids[0], &missing).unwrap();
    done(&mut journal, &ids, &set_label("손으로 쓴 반지"));
    done(&mut journal, &ids, &Change::Commit);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS)[0]["model"], "operator");
    for _ in 0..2 {
        journal.undo().unwrap();
    }
    assert_eq!(state(&journal, ids[0]), GroupState::Failed);
}

fn timeless(journal: &Journal) -> Vec<crate::record::GroupSummary> {
    timeless_of(journal.summaries().unwrap())
}

/// Clears the time of the last change, which undo updates.
fn timeless_of(mut groups: Vec<crate::record::GroupSummary>) -> Vec<crate::record::GroupSummary> {
    for group in &mut groups {
        group.changed_at = 0;
    }
    groups
}

fn any_change() -> impl Strategy<Value = Change> {
    let text = prop::sample::select(vec!["반지", "모자", "붉은 리본 모자", "", "a, b, c"]);
    let field = prop::sample::select(Field::ALL.to_vec());
    prop_oneof![
        (field.clone(), prop::collection::vec(text.clone(), 0..7)).prop_map(|(field, values)| {
            Change::Set {
                field,
                values: list(&values),
            }
        }),
        (field.clone(), text.clone()).prop_map(|(field, value)| Change::Add {
            field,
            value: value.into()
        }),
        (field, text.clone()).prop_map(|(field, value)| Change::Remove {
            field,
            value: value.into()
        }),
        (text.clone(), text.clone())
            .prop_map(|(find, with)| Change::Replace(Replacement::everywhere(find, with))),
        (1..8_i64).prop_map(|version| Change::TakeVersion { version }),
        (1..8_i64, prop::sample::select(Field::ALL.to_vec()))
            .prop_map(|(version, field)| Change::TakeField { version, field }),
        text.prop_map(|text| Change::SetNote {
            note: Some(text.into())
        }),
        Just(Change::Accept),
        Just(Change::Reject {
            reason: "no".into()
        }),
        Just(Change::Reopen),
        Just(Change::Commit),
    ]
}

fn everything(journal: &mut Outdir, outdir: &Path) -> (Vec<String>, [Vec<u8>; 2]) {
    journal.export_with_parquet().unwrap();
    let groups = timeless(journal);
    let details = groups.iter().map(|group| {
        let mut detail = journal.detail(group.id).unwrap().unwrap();
        detail.summary.changed_at = 0;
        // Versions are never removed.
        detail.versions.clear();
        format!("{detail:?}")
    });
    let bytes = |name: &str| std::fs::read(outdir.join(name)).unwrap_or_default();
    (details.collect(), [bytes(LABELS), bytes("labels.parquet")])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn undo_restores_the_first_state_and_redo_the_last(
        steps in prop::collection::vec((any_change(), prop::collection::vec(0..4_usize, 1..5)), 1..12)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, mut ids) = labeled(dir.path(), &["반지", "모자", "검"]);
        ids.extend(add(&mut journal, &["반지", "모자", "검", "활"]).last());
        journal.commit_automatic(ids[0]).unwrap();
        let first = everything(&mut journal, dir.path());
        let mut taken = 0;
        for (change, targets) in &steps {
            let targets: Vec<GroupId> = targets.iter().map(|at| ids[*at]).collect();
            let stepped = journal.apply(&targets, change, "step");
            taken += usize::from(stepped.is_ok_and(|stepped| !stepped.changed.is_empty()));
        }
        let last = everything(&mut journal, dir.path());
        for _ in 0..taken {
            prop_assert!(journal.undo().unwrap().is_some());
        }
        prop_assert!(journal.undo().unwrap().is_none());
        prop_assert_eq!(&everything(&mut journal, dir.path()), &first);
        drop(journal);
        let mut journal = open(dir.path());
        for _ in 0..taken {
            prop_assert!(journal.redo().unwrap().is_some());
        }
        prop_assert_eq!(&everything(&mut journal, dir.path()), &last);
    }
}
