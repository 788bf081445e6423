//! Second opinions are stored with the answer and affect its uncertainty score.

use super::*;
use crate::record::Agreement;

fn opinion(of: i64, colors: &[&str]) -> Attempt {
    Attempt {
        opinion_of: Some(of),
        ..attempt(
            labels("반지").with(Field::Colors, colors.iter().copied()),
            &[],
        )
    }
}

fn color_agreement(journal: &Journal, id: GroupId) -> Option<Agreement> {
    let signals = journal.summary(id).unwrap().unwrap().signals;
    let signal = signals.iter().find(|signal| signal.field == Field::Colors);
    signal.and_then(|signal| signal.agreement)
}

#[test]
fn opinions_raise_the_score_and_never_become_the_draft() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let id = ids[0];
    let before = journal.detail(id).unwrap().unwrap();
    let (answer, had) = journal.answer_to_review(id).unwrap().unwrap();
    assert_eq!((answer.id, had), (1, 0));
    let agreeing = journal
        .add_attempt(id, &opinion(answer.id, &["red"]))
        .unwrap();
    assert!(!agreeing.is_draft);
    let same = journal.summary(id).unwrap().unwrap();
    assert_eq!(same.uncertainty, before.summary.uncertainty);
    for colors in [&["blue"][..], &["gold"]] {
        let added = journal
            .add_attempt(id, &opinion(answer.id, colors))
            .unwrap();
        assert_eq!(added.changed, [id]);
    }
    let disputed = journal.detail(id).unwrap().unwrap();
    assert!(disputed.summary.uncertainty > same.uncertainty);
    assert_eq!(
        color_agreement(&journal, id),
        Some(Agreement { agree: 1, of: 3 })
    );
    assert_eq!(disputed.current, before.current);
    assert_eq!(disputed.versions.len(), 4);
    assert_eq!(journal.answer_to_review(id).unwrap().unwrap().1, 3);
    assert_eq!(color_agreement(&journal, ids[1]), None);

    // The same after a restart; an operator may take one.
    drop(journal);
    let mut journal = open(dir.path());
    assert_eq!(journal.detail(id).unwrap().unwrap(), disputed);
    let version = disputed.versions[2].number;
    journal
        .apply(&[id], &Change::TakeVersion { version }, "take")
        .unwrap();
    let taken = journal.detail(id).unwrap().unwrap();
    assert_eq!(taken.draft.unwrap().labels.values(Field::Colors), ["blue"]);
    assert_eq!(taken.summary.state, GroupState::Edited);
    assert!(journal.answer_to_review(id).unwrap().is_none());
}

#[test]
fn a_failed_opinion_does_not_fail_the_item() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let before = journal.summary(ids[0]).unwrap().unwrap();
    let failed = Attempt {
        labels: None,
        failure: Some(failure(FailureCode::InvalidJson)),
        ..opinion(1, &[])
    };
    journal.add_attempt(ids[0], &failed).unwrap();
    let after = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(
        (after.state, after.uncertainty),
        (before.state, before.uncertainty)
    );
    assert_eq!(journal.counts().unwrap().failures, []);
    // It counts as an opinion, so no other one is requested for it.
    assert_eq!(journal.answer_to_review(ids[0]).unwrap().unwrap().1, 1);
}
