//! New answers beside earlier work, and taking any version.

use super::*;

/// A bench whose current record is committed and has a new answer.
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
        screen.contains("은반지: new answer; the draft stays "),
        "{screen}"
    );
    // It needs review again, and the queue says why.
    assert!(screen.contains("은반지"), "{screen}");
    assert!(screen.contains("new answer"), "{screen}");

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
fn a_taken_answer_replaces_the_line_only_when_committed() {
    let mut bench = with_new_answer(120, 40);
    bench.keys("v");
    for title in ["Versions", "Against"] {
        let lines: Vec<String> = bench.pane(title).unwrap().into_values().collect();
        insta::assert_snapshot!(format!("versions_offered_{title}"), lines.join("\n"));
    }
    bench.keys("T");
    assert_eq!(tags(&bench), ["모자", "새 태그"]);
    let replaces = "replaces the line in labels.jsonl with this draft";
    assert!(bench.screen().contains(replaces), "{}", bench.screen());
    assert_eq!(bench.count(GroupState::Edited), 1);
    bench.keys("a");
    assert_eq!(bench.count(GroupState::Accepted), 1);
    assert!(bench.screen().contains(replaces), "{}", bench.screen());
    bench.keys("c");
    assert_eq!(bench.count(GroupState::Committed), 1);
    assert!(!bench.screen().contains(replaces), "{}", bench.screen());

    // The previous text is listed and can be taken.
    bench.keys("v");
    assert!(
        bench.screen().contains("was committed 2026-01-11"),
        "{}",
        bench.screen()
    );
    bench.keys("k k T");
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
    bench.keys("t \"하나 enter esc t \"둘 enter esc v");
    let screen = bench.screen();
    assert!(
        screen.contains("Against the draft of Frozen 왕관"),
        "{screen}"
    );
    assert!(screen.contains("edit, draft"), "{screen}");
    // Takes one field of the first version.
    bench.keys("k k k k right down enter esc");
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
fn undone_edits_are_marked_until_they_are_redone() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("t \"하나 enter esc t \"둘 enter esc u v");
    let timeline = |bench: &mut Bench| {
        let lines: Vec<String> = bench.pane("Versions").unwrap().into_values().collect();
        lines.join("\n")
    };
    insta::assert_snapshot!("versions_undone", timeline(&mut bench));
    bench.keys("ctrl-r");
    assert!(!timeline(&mut bench).contains("undone"));
}

#[test]
fn the_effect_of_a_rejection_on_the_line_is_shown() {
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
fn a_commit_that_would_confirm_the_line_is_announced() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("/ ctrl-u \"은반지 enter");
    let confirms = "confirms the line in labels.jsonl, as accepting does";
    assert!(!bench.screen().contains(confirms), "{}", bench.screen());

    let mut imported = bench.session().detail().unwrap().as_ref().clone();
    imported.current.review.line.as_mut().unwrap().by = crate::record::CommittedBy::Import;
    bench.event(Event::Detail(Box::new(imported)));
    assert!(bench.screen().contains(confirms), "{}", bench.screen());
}

#[test]
fn the_digit_of_a_field_stays_when_another_field_is_taken() {
    let mut bench = with_new_answer(120, 40);
    // Typed in one go, as seen on the screen: 2 tags, 3 colors, 8 queries.
    bench.keys("v 3");
    let labels = bench.session().labels().unwrap();
    assert_eq!(labels.values(Field::Colors), ["green"]);
    assert_eq!(tags(&bench), ["모자", "보석", "빨강", "왕관"]);
    bench.keys("2");
    assert_eq!(tags(&bench), ["모자", "새 태그"]);
    bench.keys("8");
    let screen = bench.screen();
    assert!(screen.contains("took queries"), "{screen}");
    assert!(screen.contains("The same text as the draft."), "{screen}");
    // A field that is the same by now changes nothing.
    bench.keys("2");
    let screen = bench.screen();
    assert!(screen.contains("nothing changed: it has"), "{screen}");
    bench.keys("9");
    let screen = bench.screen();
    assert!(screen.contains("no field has this number"), "{screen}");
}

#[test]
fn a_requested_answer_shows_what_has_changed() {
    let mut bench = Bench::evening(120, 40);
    assert_eq!(bench.current_name(), "Frozen 왕관");
    bench.keys("r");
    assert!(bench.screen().contains("retrying"), "{}", bench.screen());
    bench.answer(3, "gold");
    let screen = bench.screen();
    assert!(
        screen.contains("Frozen 왕관: new answer, 2 reasons -> 0"),
        "{screen}"
    );
    let queue: Vec<String> = bench.pane("Queue").unwrap().into_values().collect();
    assert!(queue.join("\n").contains("answered 2 -> 0"), "{queue:?}");
    // Once opened, it is no longer new.
    bench.keys("g g v esc");
    let queue: Vec<String> = bench.pane("Queue").unwrap().into_values().collect();
    assert!(!queue.join("\n").contains("answered 2"), "{queue:?}");
}

#[test]
fn the_picture_is_shown_beside_the_versions() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    for (width, height) in [(64, 16), (80, 24), (120, 36), (200, 60)] {
        let mut bench = Bench::evening(width, height);
        bench.show_pixels(&icon);
        bench.keys("v");
        assert_eq!(bench.images().len(), 1, "{width}x{height}");
    }
}
