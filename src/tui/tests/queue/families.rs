//! Families: icons of one drawing in several colors.

use super::*;
use crate::record::GroupSummary;

/// A bench with three records of one family.
fn bench() -> Bench {
    let mut bench = Bench::evening(120, 40);
    for id in [1, 3, 5] {
        let detail = bench.world.get_mut(&GroupId(id)).unwrap();
        detail.summary.family = Some(GroupId(1));
    }
    let all = bench.world.values();
    let all = all.map(|detail| detail.summary.clone()).collect();
    bench.event(Event::Groups(all));
    bench
}

fn rows_of_the_family(bench: &mut Bench) -> usize {
    bench.screen().matches("×3").count()
}

#[test]
fn a_family_is_one_row_until_it_is_opened() {
    let mut bench = bench();
    assert_eq!(rows_of_the_family(&mut bench), 3);
    bench.keys("%");
    assert_eq!(rows_of_the_family(&mut bench), 1);
    assert!(bench.screen().contains("families folded"));
    // Once it is decided, the next undecided member takes its row.
    let first = bench.session().current();
    bench.keys("x \"흐림 enter");
    assert_ne!(bench.session().current(), first);
    assert_eq!(rows_of_the_family(&mut bench), 1);
    bench.keys("%");
    assert_eq!(rows_of_the_family(&mut bench), 2);
}

#[test]
fn bulk_keys_act_on_a_selected_family() {
    let mut bench = bench();
    bench.keys("& a");
    let screen = bench.screen();
    assert!(screen.contains("Accept these 3 records?"), "{screen}");
    bench.keys("esc esc \\ G &");
    let screen = bench.screen();
    assert!(screen.contains("no other icon is known"), "{screen}");
}

#[test]
fn the_other_icons_of_the_family_are_beside_the_picture() {
    let mut bench = bench();
    let screen = bench.screen();
    assert!(screen.contains("family of 3"), "{screen}");
    let current = bench.session().detail().unwrap().item.item_name.clone();
    for name in ["붉은 여왕의 모자", "Frozen 왕관"] {
        let count = screen.matches(name).count();
        assert!(count >= 2 || name == current, "{name}: {screen}");
    }
}

#[test]
fn the_title_of_the_family_counts_the_icons_without_room() {
    let mut bench = Bench::evening(120, 40);
    let all = bench.world.values();
    let all = all.map(|detail| GroupSummary {
        family: Some(GroupId(1)),
        ..detail.summary.clone()
    });
    let all = all.collect();
    bench.event(Event::Groups(all));
    bench.resize(120, 30);
    let screen = bench.screen();
    assert!(screen.contains("family of 7, first 2"), "{screen}");
    bench.resize(120, 60);
    let screen = bench.screen();
    assert!(screen.contains("family of 7"), "{screen}");
    assert!(!screen.contains("first"), "{screen}");
}

#[test]
fn an_icon_without_a_name_goes_by_its_file() {
    let mut bench = bench();
    for detail in bench.world.values_mut() {
        detail.item.item_name.clear();
        detail.summary.name.clear();
        detail.summary.family = Some(GroupId(1));
    }
    let all = bench.world.values();
    let all = all.map(|detail| detail.summary.clone()).collect();
    bench.event(Event::Groups(all));
    bench.keys("/ ctrl-u \"state:uncertain enter g g");
    let record = bench.pane("Record").unwrap();
    let title = record.values().nth(1).unwrap().clone();
    assert!(title.contains("3.png"), "{title}");
    let picture = bench.pane("Picture").unwrap();
    let picture: String = picture.into_values().collect();
    assert!(picture.contains("5.png"), "{picture}");
}

#[test]
fn only_the_members_that_the_filter_shows_are_selected() {
    let mut bench = bench();
    bench.keys("x \"흐림 enter &");
    let screen = bench.screen();
    assert!(
        screen.contains("selected 2 icons of one drawing; the filter hides 1 more"),
        "{screen}"
    );
    assert!(screen.contains("# 2 selected"), "{screen}");
    bench.keys("a");
    assert!(bench.screen().contains("Accept these 2 records?"));
    // A folded family is unfolded, and all of it is selected if the filter hides none.
    bench.keys("esc F2 \\ g g % &");
    let screen = bench.screen();
    assert!(
        screen.contains("selected 3 icons of one drawing"),
        "{screen}"
    );
    assert!(!bench.session().queue.is_folded());
    assert_eq!(bench.session().selection.hidden(), 0);
}
