//! The order of the queue, and where the cursor goes when the order or the filter changes.

use super::*;
use crate::record::{Estimator, Reason, ReviewOutcome};

fn names(bench: &Bench) -> Vec<String> {
    let session = bench.session();
    let rows = 0..session.queue.len();
    rows.map(|row| session.row(row).unwrap().name.clone())
        .collect()
}

/// The estimator after an operator has always changed few tags, but never a wrong color.
fn learned() -> Event {
    let outcomes = |reason, changed| {
        let outcome = ReviewOutcome {
            reasons: vec![reason],
            signals: vec![],
            unexplained: 0,
            changed,
        };
        vec![outcome; 40]
    };
    let all = [
        outcomes(Reason::FewTags, true),
        outcomes(Reason::ColorMismatch, false),
    ];
    Event::Learned(Box::new(Estimator::learn(all.iter().flatten())))
}

/// Title and score of the record with few tags.
const FEW_TAGS: &str = "붉은 여왕의 모자";

fn score_of_few_tags(bench: &Bench) -> String {
    let session = bench.session();
    let summary = session.records.get(GroupId(1)).unwrap();
    session.score(summary).unwrap()
}

#[test]
fn the_most_uncertain_record_ahead_comes_next_after_a_decision() {
    let mut bench = Bench::evening(120, 40);
    let before = names(&bench);
    assert_eq!(before[2], FEW_TAGS);
    let screen = bench.screen();
    assert!(screen.contains("%, estimated"), "{screen}");
    bench.event(learned());
    // The order stays while the operator moves by hand.
    bench.keys("j k");
    assert_eq!(names(&bench), before);
    bench.keys("a");
    assert_eq!(bench.current_name(), FEW_TAGS);
    assert_eq!(names(&bench)[0], FEW_TAGS);
    let screen = bench.screen();
    assert!(
        screen.contains("40 of 40 like this were changed"),
        "{screen}"
    );
}

#[test]
fn a_record_that_was_passed_does_not_come_next_in_a_new_order() {
    let mut bench = Bench::evening(120, 40);
    let passed = names(&bench)[0].clone();
    bench.keys("space");
    bench.event(learned());
    bench.keys("a");
    assert_eq!(bench.current_name(), FEW_TAGS);
    // It comes again once nothing is ahead.
    bench.keys("G space");
    assert!(names(&bench)[..2].contains(&passed));
    assert_eq!(bench.session().queue.cursor(), 0);
}

#[test]
fn all_scores_on_the_screen_come_from_one_estimator() {
    let mut bench = Bench::evening(120, 40);
    bench.event(learned());
    bench.keys("space");
    let before = score_of_few_tags(&bench);
    // The engine scores what it reports by everything that it has learned since.
    let mut reported = bench.session().records.get(GroupId(1)).unwrap().clone();
    reported.uncertainty = 0.01;
    bench.event(Event::Groups(vec![reported]));
    assert_eq!(score_of_few_tags(&bench), before);
}

#[test]
fn undo_and_a_new_order_use_the_newest_scores() {
    for keys in ["u", "o o o o", "/ enter"] {
        let mut bench = Bench::evening(120, 40);
        bench.event(learned());
        bench.keys("a");
        bench.event(Event::Learned(Box::default()));
        let old = score_of_few_tags(&bench);
        assert!(old.contains("like this were changed"), "{old}");
        bench.keys(keys);
        let new = score_of_few_tags(&bench);
        assert!(new.contains("estimated"), "{keys}: {new}");
    }
}

#[test]
fn a_filter_being_typed_keeps_the_record_that_was_current_before() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("j j");
    assert_eq!(bench.current_name(), FEW_TAGS);
    bench.keys("/ \"부서진");
    assert_eq!(bench.current_name(), "부서진 아이콘");
    bench.keys("ctrl-u \"-은반지 enter");
    assert_eq!(bench.current_name(), FEW_TAGS);
}

#[test]
fn a_filter_that_hides_the_current_record_starts_at_its_first_row() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("j j / \"-여왕");
    assert_eq!(bench.session().queue.cursor(), 0);
    bench.keys("enter");
    assert_eq!(bench.session().queue.cursor(), 0);
    assert_eq!(bench.current_name(), "Frozen 왕관");
}
