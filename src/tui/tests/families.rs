//! Icons that are one drawing in several colors.

use super::*;

/// Three of the records are one drawing.
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
    // Decided, it gives way to the next that is not.
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
fn the_others_of_the_drawing_stand_beside_the_picture() {
    let mut bench = bench();
    let screen = bench.screen();
    assert!(screen.contains("family of 3"), "{screen}");
    let here = bench.session().detail().unwrap().item.item_name.clone();
    for name in ["붉은 여왕의 모자", "Frozen 왕관"] {
        let places = screen.matches(name).count();
        assert!(places >= 2 || name == here, "{name}: {screen}");
    }
}

#[test]
fn a_family_is_selected_as_far_as_the_filter_shows_it() {
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
    // A folded family is opened, and is whole where no filter hides any of it.
    bench.keys("esc F2 \\ g g % &");
    let screen = bench.screen();
    assert!(
        screen.contains("selected 3 icons of one drawing"),
        "{screen}"
    );
    assert!(!bench.session().queue.is_folded());
    assert_eq!(bench.session().selection.hidden(), 0);
}
