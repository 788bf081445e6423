//! Fast review: repeated edits, recorded keys, undo, and no decision about a record that was not
//! drawn.

use super::*;
use crate::tui::message::Effect;

pub(super) fn decided(bench: &Bench) -> Vec<GroupId> {
    let accepts = bench.commands.iter().filter_map(|command| match command {
        Command::Apply {
            groups,
            change: Change::Accept,
        } => Some(groups[0]),
        _ => None,
    });
    accepts.collect()
}

fn values(bench: &Bench, field: Field) -> Vec<String> {
    let labels = bench.session().labels().unwrap();
    labels.values(field).to_vec()
}

#[test]
fn a_burst_of_accepts_stops_at_a_record_that_was_not_drawn() {
    let mut bench = Bench::evening(120, 40);
    bench.app.drawn();
    bench.burst("aaa");
    assert_eq!(decided(&bench), [GroupId(3)]);
    let screen = bench.screen();
    assert!(
        screen.contains(
            "아주 길고 긴 이름을 가진 전설의 용사의 낡은 가죽 장갑 was not on screen yet"
        ),
        "{screen}"
    );
    // By now it has been drawn.
    bench.keys("a");
    assert_eq!(decided(&bench), [GroupId(3), GroupId(5)]);
}

#[test]
fn leaving_tells_of_rejected_records_that_are_still_in_the_file() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("\\ / \"은반지 enter x \"흐림 enter q");
    let screen = bench.screen();
    assert!(
        screen.contains("1 rejected, still in labels.jsonl"),
        "{screen}"
    );
}

#[test]
fn keys_typed_ahead_at_a_prompt_for_an_unseen_record_are_ignored() {
    let mut bench = Bench::evening(120, 40);
    bench.burst("atq");
    assert!(!bench.quit);
    assert!(matches!(bench.app.dialog(), Some(Dialog::Refusal(_))));
}

#[test]
fn a_new_text_must_be_drawn_before_a_decision() {
    let mut bench = Bench::evening(120, 40);
    let frames = bench.session().seen.frames();
    let detail = bench.world.get_mut(&GroupId(3)).unwrap();
    let draft = detail.draft.as_mut().unwrap();
    draft.labels.set(Field::TagsKo, ["다른 태그"]);
    detail.summary.labels = draft.labels.clone();
    let summary = detail.summary.clone();
    bench.event(Event::Groups(vec![summary]));
    let key = crossterm::event::KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE);
    bench.message(Message::Key(key, frames));
    assert!(decided(&bench).is_empty());
    // The operator's own edit does not count as a new text.
    bench.keys("t");
    bench.burst("새");
    bench.keys("enter esc a");
    assert_eq!(decided(&bench), [GroupId(3)]);
}

/// Lets the busy engine handle its oldest waiting command.
fn answer_one(bench: &mut Bench) {
    let command = bench.waiting.as_mut().unwrap().pop_front().unwrap();
    for answer in bench.play(command) {
        bench.message(answer);
    }
}

#[test]
fn edits_waiting_for_a_busy_engine_stay_on_screen() {
    let mut bench = Bench::evening(120, 40);
    bench.waiting = Some(Default::default());
    bench.keys("t \"하나 enter");
    answer_one(&mut bench);
    // The engine has yet to send the record with the first tag when the second is added.
    bench.keys("\"둘 enter esc");
    let both = values(&bench, Field::TagsKo);
    assert!(
        both.ends_with(&["하나".to_owned(), "둘".to_owned()]),
        "{both:?}"
    );
    let seen = bench.session().seen.frames();
    while !bench.waiting.as_ref().unwrap().is_empty() {
        answer_one(&mut bench);
        assert_eq!(values(&bench, Field::TagsKo), both);
    }
    // A key applies to the text on screen, whenever the engine has handled the edits.
    let key = crossterm::event::KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE);
    bench.waiting = None;
    bench.message(Message::Key(key, seen));
    assert_eq!(decided(&bench), [GroupId(3)]);
}

#[test]
fn the_report_of_a_decision_leaves_the_warning_about_ignored_keys_in_view() {
    let mut bench = Bench::evening(200, 40);
    bench.waiting = Some(Default::default());
    bench.app.drawn();
    bench.burst("aa");
    answer_one(&mut bench);
    let screen = bench.screen();
    for part in ["was not on screen yet", "Frozen 왕관: accepted"] {
        assert!(screen.contains(part), "no {part}: {screen}");
    }
}

#[test]
fn no_key_decides_on_a_screen_too_small_to_show_anything() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("C");
    bench.resize(30, 8);
    bench.keys("a c . u t x y enter");
    bench.keys("esc a c . u t x y enter");
    assert!(bench.commands.is_empty(), "{:?}", bench.commands);
    bench.keys("q");
    assert!(bench.screen().contains("quit? y n"), "{}", bench.screen());
    bench.keys("y");
    assert!(bench.quit);
}

#[test]
fn the_last_edit_is_repeated_on_the_current_record() {
    let mut bench = Bench::evening(120, 40);
    bench.keys(".");
    assert!(bench.screen().contains("there is no edit to repeat yet"));
    bench.keys("t \"여름 enter esc a .");
    assert!(values(&bench, Field::TagsKo).contains(&"여름".to_owned()));
    let screen = bench.screen();
    assert!(screen.contains("added 여름 to tags"), "{screen}");
    // Rejecting moves to the next record, and so does repeating it.
    bench.keys("x \"흐림 enter .");
    assert_eq!(bench.count(GroupState::Rejected), 2);
    // With a selection it asks first.
    bench.keys("\\ F3 A .");
    let screen = bench.screen();
    let asks = screen.contains("Repeat this on 7 selected records?");
    assert!(asks, "{screen}");
}

#[test]
fn the_workbench_changes_the_selected_records_too() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"여름 enter esc F3 space right space F2 s");
    let screen = bench.screen();
    assert!(screen.contains("Change 2 selected records"), "{screen}");
    bench.keys("esc .");
    let screen = bench.screen();
    let asks = screen.contains("Repeat this on 2 selected records?");
    assert!(asks, "{screen}");
    bench.keys("y");
    assert!(matches!(
        bench.commands.last(),
        Some(Command::Apply { groups, change: Change::Add { .. } }) if groups.len() == 2
    ));
    // Without a selection: the list, and the current record.
    bench.keys("s");
    let screen = bench.screen();
    let all = screen.contains("Change 4 records that the list shows");
    assert!(all, "{screen}");
    bench.keys("esc .");
    assert!(
        !bench.screen().contains("Repeat this"),
        "{}",
        bench.screen()
    );
}

#[test]
fn recorded_keys_are_played_until_one_is_refused() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("@");
    assert!(bench.screen().contains("no keys are recorded yet"));
    bench.keys("Q t \"여름 enter esc a");
    assert!(bench.screen().contains("recording"));
    bench.keys("Q @");
    assert_eq!(decided(&bench), [GroupId(3), GroupId(5)]);
    for id in [3, 5] {
        let draft = bench.world[&GroupId(id)].draft.as_ref().unwrap();
        let tags = draft.labels.values(Field::TagsKo);
        assert_eq!(tags.last().map(String::as_str), Some("여름"));
    }
    // A failed record has no text to edit, so the decision after the edit is not played.
    let mut bench = Bench::evening(120, 40);
    bench.keys("Q t esc a Q");
    bench.commands.clear();
    bench.keys("/ ctrl-u \"state:failed enter @");
    assert!(matches!(bench.app.dialog(), Some(Dialog::Refusal(_))));
    assert_eq!(decided(&bench), []);
}

#[test]
fn played_keys_wait_for_the_record_that_they_move_to() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("g g Q down e end \"_끝 enter Q");
    let edited = |bench: &Bench| {
        let labels = bench
            .world
            .values()
            .filter_map(|detail| detail.draft.as_ref());
        let texts = labels.filter_map(|draft| draft.labels.text(Field::LabelKo));
        texts.filter(|text| text.ends_with(" 끝")).count()
    };
    assert_eq!(edited(&bench), 1);
    bench.keys("@");
    assert_eq!(edited(&bench), 2, "{}", bench.screen());
}

#[test]
fn played_keys_wait_for_the_picture_and_typed_keys_for_the_played_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::evening(120, 40);
    bench.show_pixels(&red_icon(folder.path()));
    bench.keys("Q a Q");
    assert_eq!(decided(&bench).len(), 1);
    // The pictures are dropped and come back late.
    for message in [
        Message::Resize(bench.app.size()),
        key('@', &bench),
        key('t', &bench),
    ] {
        bench.app.update(message);
    }
    bench.app.prepare_frame();
    assert!(!bench.app.drawn());
    assert!(bench.app.dialog().is_none());
    assert_eq!(decided(&bench).len(), 1);
    bench.resize(120, 40);
    assert_eq!(decided(&bench).len(), 2);
    // The typed key is about the record that the operator saw when pressing it.
    assert!(matches!(bench.app.dialog(), Some(Dialog::Refusal(_))));
}

fn key(key: char, bench: &Bench) -> Message {
    let key = KeyCode::Char(key).into();
    Message::Key(key, bench.session().seen.frames())
}

#[test]
fn focus_returns_to_where_an_edit_began() {
    let mut bench = Bench::evening(120, 40);
    for edit in ["e end \"_끝 enter", "t \"여름 enter esc", "t esc", "d 1"] {
        bench.keys(edit);
        assert!(bench.screen().contains("> Queue"), "{edit}");
    }
    for edit in ["tab e esc", "g t e \"_끝 enter", "g c + \"gold enter esc"] {
        bench.keys(edit);
        assert!(bench.screen().contains("> Record"), "{edit}");
    }
    bench.keys("esc");
    assert!(bench.screen().contains("> Queue"));
}

#[test]
fn two_keys_go_to_any_field() {
    let mut bench = Bench::evening(120, 40);
    for (keys, field) in [
        ("g c d", Field::Colors),
        ("g t d", Field::TagsKo),
        ("g m d", Field::Material),
        ("esc g h d", Field::Theme),
        ("F3 g q d", Field::QueryVariantsKo),
    ] {
        bench.keys(keys);
        let Some(Command::Apply {
            change: Change::Remove { field: of, .. },
            ..
        }) = bench.commands.last()
        else {
            panic!("{keys}: {:?}", bench.commands)
        };
        assert_eq!(*of, field);
    }
}

#[test]
fn a_number_removes_a_tag_or_gives_an_earlier_reason() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("d 3");
    assert_eq!(values(&bench, Field::TagsKo), ["모자", "보석", "왕관"]);
    // A tag can be removed by its name, too.
    bench.keys("d \"보석 enter");
    assert_eq!(values(&bench, Field::TagsKo), ["모자", "왕관"]);
    bench.keys("x \"흐림 enter x \"잘림 enter x 2");
    let Some(Command::Apply {
        change: Change::Reject { reason },
        ..
    }) = bench.commands.last()
    else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!(reason, "흐림");
    bench.keys("u x enter");
    assert!(matches!(
        bench.commands.last(),
        Some(Command::Apply { change: Change::Reject { reason }, .. }) if reason == "흐림"
    ));
    // A digit without an offer is typed.
    bench.keys("u x \"7월 enter");
    assert!(matches!(
        bench.commands.last(),
        Some(Command::Apply { change: Change::Reject { reason }, .. }) if reason == "7월"
    ));
}

#[test]
fn undo_moves_to_the_record_and_names_the_step() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("a a");
    assert_eq!(bench.current_name(), "붉은 여왕의 모자");
    bench.keys("u u");
    assert_eq!(bench.current_name(), "Frozen 왕관");
    assert!(
        bench.screen().contains("Frozen 왕관: undone: accept"),
        "{}",
        bench.screen()
    );
    bench.keys("u");
    assert!(
        bench.screen().contains("nothing to undo"),
        "{}",
        bench.screen()
    );
    bench.keys("j j ctrl-r");
    let screen = bench.screen();
    assert!(screen.contains("Frozen 왕관: redone: accept"), "{screen}");
    // It is accepted, so it does not need review.
    assert!(screen.contains("; the filter hides it"), "{screen}");
    bench.keys("F3 A x \"흐림 enter y F2 u");
    let screen = bench.screen();
    assert!(
        screen.contains("undone: reject (3 records); now at "),
        "{screen}"
    );
    bench.keys("ctrl-r ctrl-r");
    let screen = bench.screen();
    assert!(screen.contains("nothing to redo"), "{screen}");
}

#[test]
fn a_notice_stays_until_the_next_one() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"여름 enter esc");
    let notice = "Frozen 왕관: added 여름 to tags";
    for keys in ["j", "k", "l", "h", "g", "t"] {
        bench.keys(keys);
        assert!(bench.screen().contains(notice), "{keys}");
    }
    bench.keys("o");
    let screen = bench.screen();
    assert!(
        !screen.contains(notice) && screen.contains("sorted by name"),
        "{screen}"
    );
}

#[test]
fn the_end_of_the_queue_shows_what_is_left() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("a t \"여름 enter esc a a");
    let lines = bench.pane("Queue").unwrap();
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("end_of_queue", lines.join("\n"));
    let mut small = Bench::evening(40, 10);
    // The first keys only show the label and the picture of a record.
    small.keys("a a a a a a a x esc x \"흐림 enter");
    assert_eq!(small.session().queue.len(), 0);
    insta::assert_snapshot!("end_of_queue_small", small.screen());
    // One key lists the failed items.
    bench.keys("F");
    assert_eq!(bench.session().queue.filter(), "state:failed");
    assert_eq!(bench.current_name(), "부서진 아이콘");
}

#[test]
fn undone_decisions_are_not_counted() {
    let mut bench = Bench::evening(160, 40);
    assert!(!bench.screen().contains("decided"));
    bench.keys("a a");
    assert!(
        bench.screen().contains("2 decided, 1 of 7 in labels.jsonl"),
        "{}",
        bench.screen()
    );
    bench.keys("u");
    assert!(bench.screen().contains("1 decided"), "{}", bench.screen());
}

#[test]
fn the_bell_after_the_work_says_what_is_left() {
    let mut bench = Bench::evening(120, 40);
    let rung = |bench: &mut Bench| {
        let effects = bench.app.update(Message::Engine(Event::Idle));
        effects.into_iter().find_map(|effect| match effect {
            Effect::Ring(text) => Some(text),
            _ => None,
        })
    };
    assert_eq!(rung(&mut bench), None);
    bench.progress(Progress {
        done: 12,
        ..Progress::default()
    });
    let said = rung(&mut bench).unwrap();
    assert!(said.starts_with("4 to review: "), "{said}");
}

#[test]
fn undone_work_is_not_counted() {
    let mut bench = Bench::evening_without_model(120, 40);
    // An edit that was undone, then an acceptance of the text as it was.
    bench.keys("t \"여름 enter esc u a");
    let tally = bench.session().tally();
    assert_eq!((tally.unchanged, tally.edited), (1, 0));
    let screen = bench.keys("F4").screen();
    assert!(screen.contains("Decisions per minute"), "{screen}");
    bench.keys("F2 u ctrl-r");
    assert_eq!(bench.session().tally().decided(), 1);
    // Without a decision, there is nothing to chart.
    let screen = bench.keys("u F4").screen();
    assert!(!screen.contains("Decisions per minute"), "{screen}");
    // A withdrawn decision is not charted either.
    bench.keys("F2 \\ g g a g g O");
    assert!(bench.session().decisions_per_minute().is_empty());
}
