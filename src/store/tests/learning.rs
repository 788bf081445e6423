//! What operators do with some records changes the order of the others.

use super::*;
use crate::record::{Estimator, FixKind};

const NAMES: [&str; 14] = [
    "반지", "모자", "검", "방패", "왕관", "망토", "장갑", "신발", "활", "창", "도끼", "책", "병",
    "별",
];

/// All with the same reason, about which nothing is known yet.
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

/// How many of so many such records were changed.
fn alike(journal: &Journal) -> Option<(u32, u32)> {
    let alike = journal
        .learned()
        .0
        .similar_decisions(&[Reason::CommaList])?;
    Some((alike.changed, alike.decided))
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
    assert_eq!(alike(&journal), None);
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
    assert_eq!(alike(&journal), Some((12, 12)));
    let after = score(&journal, last);
    assert!(after > before + 0.1, "{before} {after}");

    // It is all in the steps.
    drop(journal);
    let mut journal = open(dir.path());
    assert_eq!(score(&journal, last), after);
    while journal.undo().unwrap().is_some() {}
    assert_eq!(score(&journal, last), before);
    while journal.redo().unwrap().is_some() {}
    assert_eq!(score(&journal, last), after);
}

#[test]
fn records_that_stand_as_they_came_bring_theirs_down() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = comma_lists(dir.path());
    let before = score(&journal, ids[13]);
    for id in &ids[..10] {
        journal.apply(&[*id], &Change::Accept, "accept").unwrap();
    }
    // All accepted ones at once: each was looked at before.
    journal
        .apply(&ids[..10], &Change::Commit, "commit")
        .unwrap();
    assert_eq!(alike(&journal), Some((0, 10)));
    assert!(score(&journal, ids[13]) < before);
}

#[test]
fn a_fix_says_something_once_somebody_goes_on() {
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
fn form_and_steps_over_many_say_nothing() {
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
    // Whoever then accepts one leaves it as it was, and takes that back.
    journal.apply(&ids[..1], &Change::Accept, "accept").unwrap();
    assert_ne!(*journal.learned().0, nothing);
    journal.apply(&ids[..1], &Change::Reopen, "reopen").unwrap();
    assert_eq!(*journal.learned().0, nothing);
}
