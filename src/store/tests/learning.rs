//! Decisions about some records change the uncertainty scores of similar ones.

use super::*;
use crate::record::{Estimator, FixKind};

const NAMES: [&str; 14] = [
    "반지", "모자", "검", "방패", "왕관", "망토", "장갑", "신발", "활", "창", "도끼", "책", "병",
    "별",
];

/// Groups that all have the same reason, without any decisions.
fn comma_lists(outdir: &Path) -> (Outdir, Vec<GroupId>) {
    let mut journal = open(outdir);
    let ids = add(&mut journal, &NAMES);
    for (id, name) in ids.iter().zip(NAMES) {
        let answer = attempt(labels(name), &[Reason::CommaList]);
        journal.add_attempt(*id, &answer).unwrap();
    }
    (journal, ids)
}

fn score(journal: &Journal, id: GroupId) -> f32 {
    journal.summary(id).unwrap().unwrap().uncertainty
}

/// How many records with the reason were changed, and how many were decided.
fn changed_of_decided(journal: &Journal) -> Option<(u32, u32)> {
    let stats = journal
        .learned()
        .0
        .similar_decisions(&[Reason::CommaList])?;
    Some((stats.changed, stats.decided))
}

fn reject() -> Change {
    Change::Reject {
        reason: "흐리다".into(),
    }
}

#[test]
fn decisions_change_the_score_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let last = ids[13];
    let before = score(&journal, last);
    assert_eq!(changed_of_decided(&journal), None);
    for (at, id) in ids[..12].iter().enumerate() {
        let change = match at % 3 {
            0 => set_label("푸른 보석이 박힌 것"),
            1 => reject(),
            _ => Change::Remove {
                field: Field::Colors,
                value: "red".into(),
            },
        };
        journal.apply(&[*id], &change, "a step").unwrap();
    }
    assert_eq!(changed_of_decided(&journal), Some((12, 12)));
    let after = score(&journal, last);
    assert!(after > before + 0.1, "{before} {after}");

    // The score follows from the steps alone.
    drop(journal);
    let mut journal = open(dir.path());
    assert_eq!(score(&journal, last), after);
    while journal.undo().unwrap().is_some() {}
    assert_eq!(score(&journal, last), before);
    while journal.redo().unwrap().is_some() {}
    assert_eq!(score(&journal, last), after);
}

#[test]
fn unchanged_records_lower_the_score_of_similar_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let before = score(&journal, ids[13]);
    for id in &ids[..10] {
        journal.apply(&[*id], &Change::Accept, "accept").unwrap();
    }
    // Committed in bulk, but each was reviewed before.
    journal
        .apply(&ids[..10], &Change::Commit, "commit")
        .unwrap();
    assert_eq!(changed_of_decided(&journal), Some((0, 10)));
    assert!(score(&journal, ids[13]) < before);
}

#[test]
fn a_fix_counts_only_after_a_review() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let nothing = Estimator::default();
    let bare = labels("반지").with(Field::Colors, [""; 0]);
    let with_fix = attempt(bare, &[Reason::AttributesMissing]);
    journal.add_attempt(ids[0], &with_fix).unwrap();
    let fix = Change::Fix {
        reason: Reason::AttributesMissing,
        kind: FixKind::SetColors,
    };
    journal.apply(&ids[..1], &fix, "fix").unwrap();
    assert_eq!(*journal.learned().0, nothing);
    journal.apply(&ids[..1], &Change::Accept, "accept").unwrap();
    assert_ne!(*journal.learned().0, nothing);
}

#[test]
fn the_fixes_know_whether_a_person_has_edited_a_text() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let fix = Change::Fix {
        reason: Reason::Repetition,
        kind: FixKind::AddTags,
    };
    let edited = |journal: &Journal| {
        let summary = journal.summary(ids[0]).unwrap().unwrap();
        let record = journal.stored_record(summary).unwrap();
        record.fixable(&VOCABULARY).unwrap().1.edited_by_person
    };
    assert!(!edited(&journal));
    journal.apply(&ids[..1], &fix, "fix").unwrap();
    assert!(!edited(&journal));
    let label = set_label("푸른 보석이 박힌 것");
    journal.apply(&ids[..1], &label, "label").unwrap();
    assert!(edited(&journal));
}

#[test]
fn bulk_steps_and_added_tags_teach_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let nothing = Estimator::default();
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "장식".into(),
    };
    journal.apply(&ids, &tag, "add").unwrap();
    for id in &ids[..10] {
        let more = Change::Add {
            field: Field::TagsKo,
            value: "방울".into(),
        };
        journal.apply(&[*id], &more, "add").unwrap();
    }
    journal.apply(&ids, &reject(), "reject").unwrap();
    assert_eq!(*journal.learned().0, nothing);
    journal.undo().unwrap();
    // Accepting one record counts as unchanged; reopening it takes that back.
    journal.apply(&ids[..1], &Change::Accept, "accept").unwrap();
    assert_ne!(*journal.learned().0, nothing);
    journal.apply(&ids[..1], &Change::Reopen, "reopen").unwrap();
    assert_eq!(*journal.learned().0, nothing);
}
