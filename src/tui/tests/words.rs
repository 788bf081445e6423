//! Words in use: renamed, merged and marked as synonyms in all records.

use super::*;

/// The statistics with the cursor on 왕관, which is probably a synonym of 모자.
fn on_synonym() -> Bench {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F5 down");
    let screen = bench.screen();
    assert!(screen.contains("probably a synonym of 모자"), "{screen}");
    bench
}

fn synonym(bench: &Bench) -> Option<(&str, &str)> {
    match bench.commands.last()? {
        Command::Apply {
            change: Change::Synonym { from, to, .. },
            ..
        } => Some((from, to)),
        _ => None,
    }
}

#[test]
fn a_synonym_is_typed_into_an_empty_line_and_the_likely_one_is_suggested() {
    let mut bench = on_synonym();
    bench.keys("= enter");
    assert_eq!(synonym(&bench), Some(("왕관", "모자")));
    let mut bench = on_synonym();
    bench.keys("= \"보석 enter");
    assert_eq!(synonym(&bench), Some(("왕관", "보석")));
}

#[test]
fn a_word_is_no_synonym_of_itself() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F5 down = \"왕관 enter");
    let screen = bench.screen();
    assert!(screen.contains("it is the same word"), "{screen}");
    assert!(!screen.contains("do not have it"), "{screen}");
    assert_eq!(synonym(&bench), None);
}

#[test]
fn only_words_have_keys_that_change_words() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F5");
    assert!(bench.screen().contains("r rename"), "{}", bench.screen());
    while !bench.screen().contains("> Reasons") {
        bench.keys("right");
    }
    assert!(!bench.screen().contains("r rename"), "{}", bench.screen());
    bench.keys("r");
    assert!(bench.app.dialog().is_none());
    let screen = bench.screen();
    assert!(screen.contains("Reasons come from the records"), "{screen}");
}

#[test]
fn an_edit_that_changed_nothing_is_not_repeated() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"여름 enter esc");
    // The record has this tag already.
    bench.keys("t \"모자 enter esc j .");
    let Some(Command::Apply {
        change: Change::Add { value, .. },
        ..
    }) = bench.commands.last()
    else {
        panic!("{:?}", bench.commands);
    };
    assert_eq!(value, "여름");
}

#[test]
fn a_change_of_many_records_is_announced_until_it_is_done() {
    for (language, text) in [
        (Language::English, "changing 5 records..."),
        (Language::Korean, "레코드 5건을 바꾸는 중..."),
    ] {
        let mut bench = Bench::evening_for(language, 120, 40);
        bench.keys("F5 down m \"보석");
        bench.waiting = Some(Default::default());
        bench.keys("enter j");
        assert!(bench.screen().contains(text), "{}", bench.screen());
        for command in bench.waiting.take().unwrap() {
            for answer in bench.play(command) {
                bench.message(answer);
            }
        }
        assert!(!bench.screen().contains(text), "{}", bench.screen());
    }
}

#[test]
fn while_many_records_are_changed_no_key_claims_to_work_on_an_older_step() {
    let mut bench = Bench::evening(300, 40);
    bench.keys("a");
    assert!(
        bench.screen().contains("u undo accept"),
        "{}",
        bench.screen()
    );
    bench.keys("\\ s t a \"여름");
    bench.waiting = Some(Default::default());
    let screen = bench.keys("enter").screen();
    assert!(screen.contains("u undo"), "{screen}");
    assert!(!screen.contains("undo accept"), "{screen}");
    let screen = bench.keys("alt-c").screen();
    assert!(screen.contains("still being changed"), "{screen}");
    for command in bench.waiting.take().unwrap() {
        for answer in bench.play(command) {
            bench.message(answer);
        }
    }
    let screen = bench.screen();
    assert!(screen.contains("u undo add 여름"), "{screen}");
}

#[test]
fn colors_with_a_swatch_are_shown_in_full() {
    let mut bench = Bench::evening(120, 35);
    let colored = [(1, "black"), (3, "검은색")].map(|(id, color)| {
        let mut summary = bench.world[&GroupId(id)].summary.clone();
        summary.labels = summary.labels.with(Field::Colors, [color]);
        summary
    });
    bench.event(Event::Groups(colored.into()));
    let screen = bench.keys("F5 right").screen();
    assert!(screen.contains("└ ■   검은색"), "{screen}");
}
