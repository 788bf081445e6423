//! The workstation while nothing can be saved.

use super::*;
use crate::engine::{Blocked, Cure};

fn blocked(cure: Cure) -> Event {
    let error = Error::new(ErrorKind::Store, "journal.sqlite is full");
    let run_log = None;
    Event::Blocked(Blocked {
        error,
        cure,
        run_log,
    })
}

#[test]
fn no_key_decides_while_nothing_can_be_saved() {
    for info in ACTIONS.iter().filter(|info| info.action.writes_journal()) {
        let (_, keys, _) = ACTION_KEYS
            .iter()
            .find(|(action, ..)| *action == info.action)
            .unwrap();
        let mut bench = Bench::evening(120, 40);
        bench.event(blocked(Cure::Wait));
        let (current, counted) = (bench.session().current(), bench.snapshot());
        bench.keys(keys);
        let decided = bench.commands.iter().any(|command| {
            !matches!(
                command,
                Command::Remember { .. } | Command::Open(_) | Command::Audit
            )
        });
        assert!(!decided, "{}: {:?}", info.name, bench.commands);
        if !keys.contains(' ') {
            assert_eq!(
                bench.session().current(),
                current,
                "{} walked on",
                info.name
            );
        }
        let after = bench.snapshot();
        assert!(counted.iter().eq(after.iter()), "{} counted", info.name);
    }
}

#[test]
fn the_cause_is_shown_until_saving_works_again() {
    let mut bench = Bench::evening(120, 40);
    bench.event(blocked(Cure::Wait));
    let why = "not saved, Ctrl-t tries again: journal.sqlite is full";
    assert!(bench.screen().contains(why), "{}", bench.screen());
    bench.keys("a j");
    assert!(bench.screen().contains(why), "{}", bench.screen());
    bench.keys("ctrl-t");
    assert_eq!(bench.commands, [Command::TryAgain]);
    bench.event(Event::Unblocked);
    assert!(!bench.screen().contains("not saved"), "{}", bench.screen());
    let before = bench.count(GroupState::Accepted);
    bench.keys("a");
    assert_eq!(bench.count(GroupState::Accepted), before + 1);
}

#[test]
fn a_journal_that_is_gone_can_be_rewritten() {
    let mut bench = Bench::evening(120, 40);
    bench.event(blocked(Cure::Rewrite));
    assert!(
        bench.screen().contains("Ctrl-t rewrites the journal"),
        "{}",
        bench.screen()
    );
    bench.keys("q");
    let screen = bench.screen();
    assert!(
        screen.contains("Leave while nothing can be saved?"),
        "{screen}"
    );
    assert!(!screen.contains("Nothing is lost"), "{screen}");
    // Saving works again while the question is open, so the question changes.
    bench.event(Event::Unblocked);
    let screen = bench.screen();
    assert!(!screen.contains("Leave while nothing"), "{screen}");
}

#[test]
fn typed_text_stays_until_it_can_be_saved() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"새_태그");
    bench.event(blocked(Cure::Wait));
    bench.keys("enter");
    assert!(bench.commands.is_empty(), "{:?}", bench.commands);
    assert!(bench.screen().contains("새 태그"), "{}", bench.screen());
    bench.event(Event::Unblocked);
    bench.keys("enter");
    assert!(
        matches!(bench.commands[..], [Command::Apply { .. }]),
        "{:?}",
        bench.commands
    );
}

#[test]
fn the_try_again_key_works_in_every_dialog() {
    // In a prompt, which keeps its text.
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"새_태그");
    bench.event(blocked(Cure::Rewrite));
    bench.keys("ctrl-t");
    assert_eq!(bench.commands, [Command::TryAgain]);
    bench.event(Event::Unblocked);
    assert!(bench.screen().contains("새 태그"), "{}", bench.screen());
    bench.keys("enter");
    assert!(
        matches!(
            bench.commands[..],
            [Command::TryAgain, Command::Apply { .. }]
        ),
        "{:?}",
        bench.commands
    );

    // In a refusal, which closes.
    let mut bench = Bench::evening(120, 40);
    bench.event(blocked(Cure::Rewrite));
    bench.keys("t");
    assert!(bench.app.dialog().is_some());
    bench.keys("ctrl-t");
    assert_eq!(bench.commands, [Command::TryAgain]);
    assert!(bench.app.dialog().is_none(), "{}", bench.screen());
}

#[test]
fn a_rejected_record_is_counted() {
    let mut bench = Bench::evening(160, 40);
    bench.keys("x \"흐림 enter");
    assert!(bench.screen().contains("x1 rejected"), "{}", bench.screen());
}

#[test]
fn a_long_notice_is_cut_before_the_help() {
    let mut bench = Bench::evening(80, 24);
    bench.event(Event::Blocked(Blocked {
        error: Error::new(ErrorKind::Store, "x".repeat(100)),
        cure: Cure::Wait,
        run_log: None,
    }));
    assert!(bench.screen().contains("x… ? help"), "{}", bench.screen());
}

#[test]
fn leaving_says_that_decisions_are_lost_only_if_some_are_not_saved() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("a");
    // Only an export has failed.
    bench.event(blocked(Cure::Wait));
    let screen = bench.keys("q").screen();
    assert!(screen.contains("Your decisions are in the"), "{screen}");
    assert!(!screen.contains("lost"), "{screen}");
    // A decision that the journal did not take.
    let mut bench = Bench::evening(120, 40);
    bench.waiting = Some(Default::default());
    bench.keys("a");
    bench.event(blocked(Cure::Wait));
    let screen = bench.keys("q").screen();
    assert!(screen.contains("The latest decisions"), "{screen}");
    assert!(!screen.contains("Your decisions"), "{screen}");
}
