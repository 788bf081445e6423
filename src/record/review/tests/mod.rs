//! Tests of every transition, and of invariants over random sequences.

mod invariants;

use super::*;
use crate::record::Field;

fn reject(reason: &str) -> Change {
    Change::Reject {
        reason: reason.to_owned(),
    }
}

fn edit() -> Change {
    Change::Add {
        field: Field::TagsKo,
        value: "태그".to_owned(),
    }
}

/// Applies a change of the operator; its text becomes version 9.
fn after(current: &CurrentState, change: &Change) -> CurrentState {
    CurrentState {
        review: current.apply(change, Some(9)),
        ..current.clone()
    }
}

/// The model has answered with version 1.
fn answered() -> CurrentState {
    let mut current = CurrentState::default();
    assert!(current.answered(1));
    current
}

fn with_line(mut current: CurrentState, by: CommittedBy) -> CurrentState {
    let version = current.review.draft.unwrap();
    current.review.line = Some(Line {
        record: Some(70),
        version,
        by,
    });
    current
}

/// A line of an earlier program was imported as version 1.
fn imported() -> CurrentState {
    let mut current = CurrentState::default();
    current.imported(1, 70, CommittedBy::Import);
    current
}

/// The state with the answer of a retry offered as version 3.
fn offered(mut current: CurrentState) -> CurrentState {
    assert!(!current.answered(3));
    current
}

type Row = (
    &'static str,
    CurrentState,
    Change,
    GroupState,
    NextCommit,
    Option<i64>,
);

#[test]
fn every_transition() {
    use GroupState as S;
    use NextCommit as N;
    let committed = || after(&answered(), &Change::Commit);
    let take = |version| Change::TakeVersion { version };
    let by_batch = || with_line(answered(), CommittedBy::Batch);
    let failed = CurrentState {
        failure: Some(5),
        ..CurrentState::default()
    };
    // A state with an uncertain draft and a change, then the resulting state, the effect of the
    // next commit and the version in `labels.jsonl`.
    let rows: Vec<Row> = vec![
        (
            "waiting",
            CurrentState::default(),
            Change::Accept,
            S::Waiting,
            N::Nothing,
            None,
        ),
        (
            "waiting",
            CurrentState::default(),
            Change::Commit,
            S::Waiting,
            N::Nothing,
            None,
        ),
        (
            "waiting",
            CurrentState::default(),
            reject("no"),
            S::Rejected,
            N::Nothing,
            None,
        ),
        (
            "failed",
            failed.clone(),
            Change::Accept,
            S::Failed,
            N::Nothing,
            None,
        ),
        ("failed", failed, edit(), S::Edited, N::Adds, None),
        (
            "answered",
            answered(),
            Change::Accept,
            S::Accepted,
            N::Adds,
            None,
        ),
        (
            "answered",
            answered(),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "answered",
            answered(),
            reject("no"),
            S::Rejected,
            N::Nothing,
            None,
        ),
        (
            "answered",
            answered(),
            Change::Reopen,
            S::Uncertain,
            N::Adds,
            None,
        ),
        ("answered", answered(), edit(), S::Edited, N::Adds, None),
        (
            "accepted",
            after(&answered(), &Change::Accept),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "accepted",
            after(&answered(), &Change::Accept),
            Change::Reopen,
            S::Uncertain,
            N::Adds,
            None,
        ),
        (
            "accepted",
            after(&answered(), &Change::Accept),
            reject("no"),
            S::Rejected,
            N::Nothing,
            None,
        ),
        (
            "accepted",
            after(&answered(), &Change::Accept),
            edit(),
            S::Edited,
            N::Adds,
            None,
        ),
        (
            "edited",
            after(&answered(), &edit()),
            Change::Accept,
            S::Accepted,
            N::Adds,
            None,
        ),
        (
            "edited",
            after(&answered(), &edit()),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(9),
        ),
        (
            "edited",
            after(&answered(), &edit()),
            take(1),
            S::Uncertain,
            N::Adds,
            None,
        ),
        (
            "rejected",
            after(&answered(), &reject("no")),
            Change::Accept,
            S::Accepted,
            N::Adds,
            None,
        ),
        (
            "rejected",
            after(&answered(), &reject("no")),
            Change::Commit,
            S::Rejected,
            N::Nothing,
            None,
        ),
        (
            "rejected",
            after(&answered(), &reject("no")),
            Change::Reopen,
            S::Uncertain,
            N::Adds,
            None,
        ),
        // A draft that is already the line is confirmed, and the line is unchanged.
        (
            "imported",
            imported(),
            Change::Accept,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "imported",
            imported(),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "imported",
            imported(),
            Change::Reopen,
            S::Uncertain,
            N::Confirms,
            Some(1),
        ),
        (
            "imported",
            imported(),
            edit(),
            S::Edited,
            N::Replaces,
            Some(1),
        ),
        (
            "imported",
            imported(),
            reject("no"),
            S::Rejected,
            N::Removes,
            Some(1),
        ),
        (
            "by batch",
            by_batch(),
            Change::Accept,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "by batch",
            by_batch(),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "confirmed",
            after(&imported(), &Change::Accept),
            Change::Reopen,
            S::Uncertain,
            N::Confirms,
            Some(1),
        ),
        (
            "confirmed",
            after(&imported(), &Change::Accept),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "confirmed",
            after(&imported(), &Change::Accept),
            edit(),
            S::Edited,
            N::Replaces,
            Some(1),
        ),
        (
            "committed",
            committed(),
            Change::Accept,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "committed",
            committed(),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "committed",
            committed(),
            Change::Reopen,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "committed",
            committed(),
            edit(),
            S::Edited,
            N::Replaces,
            Some(1),
        ),
        (
            "committed",
            committed(),
            reject("no"),
            S::Rejected,
            N::Removes,
            Some(1),
        ),
        // Only the commit replaces the line with another draft.
        (
            "line, edited",
            after(&committed(), &edit()),
            Change::Accept,
            S::Accepted,
            N::Replaces,
            Some(1),
        ),
        (
            "line, edited",
            after(&committed(), &edit()),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(9),
        ),
        (
            "line, edited",
            after(&committed(), &edit()),
            take(1),
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "import, edited",
            after(&imported(), &edit()),
            take(1),
            S::Uncertain,
            N::Confirms,
            Some(1),
        ),
        (
            "line, rejected",
            after(&committed(), &reject("no")),
            Change::Commit,
            S::Rejected,
            N::Nothing,
            None,
        ),
        (
            "line, rejected",
            after(&committed(), &reject("no")),
            Change::Reopen,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "line, rejected",
            after(&committed(), &reject("no")),
            Change::Accept,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        // The draft stays until the offer is taken or dismissed.
        (
            "offer on import",
            offered(imported()),
            Change::Accept,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "offer on import",
            offered(imported()),
            take(3),
            S::Edited,
            N::Replaces,
            Some(1),
        ),
        (
            "offer on accepted",
            offered(after(&answered(), &Change::Accept)),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(1),
        ),
        (
            "offer on accepted",
            offered(after(&answered(), &Change::Accept)),
            take(3),
            S::Uncertain,
            N::Adds,
            None,
        ),
        (
            "offer on edited",
            offered(after(&answered(), &edit())),
            Change::Commit,
            S::Committed,
            N::Nothing,
            Some(9),
        ),
        (
            "offer on committed",
            offered(committed()),
            take(3),
            S::Edited,
            N::Replaces,
            Some(1),
        ),
    ];
    for (name, current, change, state, next, line) in rows {
        let after = after(&current, &change);
        let found = (
            after.state(true),
            after.review.next_commit(),
            after.review.line.map(|line| line.version),
        );
        assert_eq!(found, (state, next, line), "{name}, {change:?}");
    }
}

#[test]
fn a_line_or_draft_without_reasons_needs_no_review() {
    let certain = |current: CurrentState| current.state(false);
    assert_eq!(certain(answered()), GroupState::Draft);
    assert_eq!(certain(imported()), GroupState::Committed);
    let withdrawn = after(&after(&imported(), &reject("no")), &Change::Commit);
    assert_eq!(
        certain(after(&withdrawn, &Change::Reopen)),
        GroupState::Draft
    );
}

#[test]
fn an_answer_is_an_offer_if_the_draft_was_committed_or_decided() {
    let accepted = after(&answered(), &Change::Accept);
    let withdrawn = after(&after(&imported(), &reject("no")), &Change::Commit);
    for mut current in [
        with_line(answered(), CommittedBy::Batch),
        imported(),
        after(&answered(), &Change::Commit),
        after(&answered(), &edit()),
        after(&answered(), &reject("no")),
        after(&after(&imported(), &Change::Accept), &Change::Reopen),
        after(&withdrawn, &Change::Reopen),
        accepted,
    ] {
        let before = current.clone();
        assert!(!current.answered(12), "{before:?}");
        assert_eq!(current.offer(), Some(12));
        assert_eq!(current.review, before.review);
        // An edit keeps the offer; a decision or taking it ends it.
        let edited = CurrentState {
            review: current.apply(&edit(), Some(13)),
            ..current.clone()
        };
        assert_eq!(edited.offer(), Some(12));
        for change in [
            Change::Accept,
            Change::Commit,
            reject("other"),
            Change::TakeVersion { version: 12 },
        ] {
            let rejected = matches!(edited.review.decision, Decision::Rejected(_));
            assert!(!rejected);
            assert_eq!(after(&edited, &change).offer(), None, "{change:?}");
        }
    }
}

#[test]
fn an_answer_replaces_only_the_models_own_untouched_draft() {
    let mut waiting = CurrentState::default();
    assert!(waiting.answered(1));
    // A retry, then the merge of both answers.
    assert!(waiting.answered(2) && waiting.answered(3));
    assert_eq!((waiting.review.draft, waiting.offer()), (Some(3), None));
}

#[test]
fn redo_keeps_the_text_of_a_partly_readable_line() {
    let mut current = answered();
    let note = Change::SetNote {
        note: Some("다시 볼 것".to_owned()),
    };
    let step = ReviewStep {
        before: current.review.clone(),
        after: current.apply(&note, None),
        answer: current.answer,
    };
    current.imported(6, 3, CommittedBy::Unread);
    let redone = step.restored(&current, Direction::Redo);
    assert_eq!(redone.draft, Some(6));
    assert_eq!(redone.note.as_deref(), Some("다시 볼 것"));
}
