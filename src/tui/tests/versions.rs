//! New answers beside earlier work, and every version taken back.

use super::*;

/// The record in hand is a committed one, and the model has answered again.
fn with_new_answer(width: u16, height: u16) -> Bench {
    let mut bench = Bench::evening(width, height);
    bench.answer(6, "green");
    bench.keys("/ ctrl-u \"은반지 enter");
    assert_eq!(bench.current_name(), "은반지");
    bench
}

fn tags(bench: &Bench) -> Vec<String> {
    let detail = bench.session().detail().unwrap();
    detail
        .draft
        .as_ref()
        .unwrap()
        .labels
        .values(Field::TagsKo)
        .to_vec()
}

#[test]
fn a_new_answer_is_offered_and_the_draft_stays() {
    let mut bench = Bench::evening(120, 40);
    bench.answer(6, "green");
    let screen = bench.screen();
    assert!(
        screen.contains("new answer for 은반지: v to compare"),
        "{screen}"
    );
    // It needs a person again, and the queue says why.
    assert!(screen.contains("은반지"), "{screen}");
    assert!(screen.contains("new answer comm"), "{screen}");

    let mut bench = with_new_answer(120, 40);
    assert_eq!(tags(&bench), ["모자", "보석", "빨강", "왕관"]);
    let screen = bench.screen();
    assert!(
        screen.contains("the model has answered again: v to compare"),
        "{screen}"
    );
    bench.keys("a");
    assert_eq!(bench.count(GroupState::Committed), 1);
    let screen = bench.screen();
    assert!(!screen.contains("answered again"), "{screen}");
    bench.keys("u");
    assert!(bench.screen().contains("answered again"));
}

#[test]
fn a_taken_answer_replaces_the_line_by_the_commit_alone() {
    let mut bench = with_new_answer(120, 40);
    bench.keys("v");
    insta::assert_snapshot!("versions_offered", bench.screen());
    bench.keys("T");
    assert_eq!(tags(&bench), ["모자", "새 태그"]);
    let replaces = "replaces the line in labels.jsonl by this draft";
    assert!(bench.screen().contains(replaces), "{}", bench.screen());
    assert_eq!(bench.count(GroupState::Edited), 1);
    bench.keys("a");
    assert_eq!(bench.count(GroupState::Accepted), 1);
    assert!(bench.screen().contains(replaces), "{}", bench.screen());
    bench.keys("c");
    assert_eq!(bench.count(GroupState::Committed), 1);
    assert!(!bench.screen().contains(replaces), "{}", bench.screen());

    // The text of before is listed, and can be taken back.
    bench.keys("v");
    assert!(
        bench.screen().contains("was committed, x2"),
        "{}",
        bench.screen()
    );
    bench.keys("left left T");
    assert_eq!(tags(&bench), ["모자", "보석", "빨강", "왕관"]);
    assert!(bench.screen().contains(replaces), "{}", bench.screen());
    bench.keys("u u u u");
    assert_eq!(bench.count(GroupState::Committed), 1);
    assert_eq!(tags(&bench), ["모자", "보석", "빨강", "왕관"]);
}

#[test]
fn edits_are_versions_too() {
    let mut bench = Bench::evening(120, 40);
    let before = tags(&bench);
    bench.keys("t \"하나 enter esc t \"둘 enter esc v right");
    let screen = bench.screen();
    assert!(screen.contains("Versions of Frozen 왕관"), "{screen}");
    assert!(screen.contains("edit, draft"), "{screen}");
    // One field of the first version of all.
    bench.keys("left left left left down enter esc");
    let Some(Command::Apply {
        change: Change::TakeField { version, field },
        ..
    }) = bench.commands.last()
    else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!((*version, *field), (31, Field::TagsKo));
    assert_eq!(tags(&bench), before);
}

#[test]
fn what_a_rejection_does_to_a_line_is_shown() {
    let mut bench = Bench::evening(120, 60);
    bench.keys("/ ctrl-u \"은반지 enter x \"흐림 enter");
    let screen = bench.screen();
    assert!(
        screen.contains("removes the line from labels.jsonl"),
        "{screen}"
    );
    bench.keys("c");
    assert!(
        bench.screen().contains("not in labels.jsonl"),
        "{}",
        bench.screen()
    );
    bench.keys("u O");
    assert_eq!(bench.count(GroupState::Committed), 1);
}

#[test]
fn what_a_commit_confirms_is_said_until_it_is_confirmed() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("/ ctrl-u \"은반지 enter");
    let confirms = "confirms the line in labels.jsonl, as accepting does";
    assert!(!bench.screen().contains(confirms), "{}", bench.screen());

    let mut imported = bench.session().detail().unwrap().as_ref().clone();
    imported.current.review.line.as_mut().unwrap().by = crate::record::CommittedBy::Import;
    bench.event(Event::Detail(Box::new(imported)));
    assert!(bench.screen().contains(confirms), "{}", bench.screen());
}
