//! No key decides a record before its label and its picture have been on screen, at any size.

use super::*;
use crate::tui::tests::flow::decided;
use std::collections::HashMap;

/// The evening fixture with a label that names its record at both ends.
fn bench(width: u16, height: u16) -> Bench {
    let mut bench = Bench::evening(width, height);
    for (id, detail) in &mut bench.world {
        if let Some(draft) = &mut detail.draft {
            let label = format!(
                "<{0} 붉은 보석이 박힌 낡은 모자, 둥근 테두리가 있다 {0}>",
                id.0
            );
            draft.labels.set(Field::LabelKo, [label]);
            detail.summary.labels = draft.labels.clone();
        }
    }
    let all = bench.world.values();
    let all = all.map(|detail| detail.summary.clone()).collect();
    bench.event(Event::Groups(all));
    bench
}

fn shows_label(id: GroupId, screen: &str) -> bool {
    screen.contains(&format!("<{}", id.0)) && screen.contains(&format!("{}>", id.0))
}

/// The file of each icon is missing, which is shown in its place.
fn shows_picture(screen: &str) -> bool {
    screen.contains("no pic")
}

#[test]
fn at_every_size_a_key_decides_only_what_was_on_screen() {
    let heights = [10, 12, 14, 15, 16, 17, 18, 19, 20, 22, 24];
    let sizes = [40, 56, 72, 80, 100].map(|width| heights.map(|height| (width, height)));
    for (width, height) in sizes.into_iter().flatten() {
        for screen in ["F2", "F3", "z"] {
            let mut bench = bench(width, height);
            let mut seen: HashMap<GroupId, (bool, bool)> = HashMap::new();
            for key in [&[screen][..], &["a"; 12][..]].concat() {
                let text = bench.screen();
                if let Some(id) = bench.session().current() {
                    let (label, picture) = seen.entry(id).or_default();
                    *label |= shows_label(id, &text);
                    *picture |= shows_picture(&text);
                }
                let before = decided(&bench).len();
                bench.keys(key);
                for id in &decided(&bench)[before..] {
                    let what = format!("{width}x{height} {screen} {id:?}\n{text}");
                    assert_eq!(seen[id], (true, true), "{what}");
                }
            }
            let what = format!("{width}x{height} {screen}\n{}", bench.screen());
            assert_eq!(decided(&bench).len(), 3, "{what}");
        }
    }
}

#[test]
fn one_key_decides_a_record_where_label_and_picture_have_room() {
    for height in [16, 17, 18, 19, 20, 21, 24, 40] {
        let mut bench = bench(80, height);
        bench.keys("a a a");
        assert_eq!(decided(&bench).len(), 3, "{height}\n{}", bench.screen());
    }
    for (width, height) in [(40, 12), (80, 16), (80, 24), (120, 40)] {
        let mut bench = bench(width, height);
        let screen = bench.keys("F3").screen();
        assert!(shows_label(GroupId(3), &screen), "{screen}");
        bench.keys("a a a");
        assert_eq!(decided(&bench).len(), 3, "{width}x{height}");
    }
}

#[test]
fn where_they_have_no_room_the_key_first_shows_label_and_picture() {
    for key in ["a", "c", "r", "enter"] {
        let mut bench = bench(40, 12);
        let screen = bench.keys(key).screen();
        assert!(shows_label(GroupId(3), &screen), "{screen}");
        assert!(
            screen.contains("! look at it and press again: Frozen …"),
            "{screen}"
        );
        let screen = bench.keys(key).screen();
        assert!(shows_picture(&screen), "{screen}");
        assert!(
            screen.contains("! look at the picture and press again…"),
            "{screen}"
        );
        assert!(bench.commands.is_empty(), "{key}: {:?}", bench.commands);
        bench.keys(key);
        assert_eq!(bench.commands.len(), 1, "{key}");
    }
    // Esc goes back to the queue.
    let screen = bench(40, 12).keys("a esc").screen();
    assert!(screen.contains("> Queue"), "{screen}");
    // The gallery has no room for the label.
    let mut bench = bench(40, 10);
    let screen = bench.keys("F3 a").screen();
    assert!(shows_label(GroupId(3), &screen), "{screen}");
    assert!(bench.commands.is_empty());
    bench.keys("a");
    assert_eq!(decided(&bench), [GroupId(3)]);
}

#[test]
fn a_label_below_the_record_s_notes_is_scrolled_into_view_before_a_decision() {
    let mut bench = bench(80, 18);
    let noted = bench.world.get_mut(&GroupId(5)).unwrap();
    noted.current.review.note = Some("긴 메모가 있다 ".repeat(12));
    let screen = bench.keys("a").screen();
    assert!(screen.contains("긴 메모"), "{screen}");
    assert!(!shows_label(GroupId(5), &screen), "{screen}");
    let screen = bench.keys("a").screen();
    assert!(shows_label(GroupId(5), &screen), "{screen}");
    assert_eq!(decided(&bench), [GroupId(3)]);
    bench.keys("a");
    assert_eq!(decided(&bench), [GroupId(3), GroupId(5)]);
}

#[test]
fn a_selected_record_that_is_unseen_comes_under_the_cursor_before_a_decision() {
    let mut bench = bench(120, 40);
    bench.keys("\\ F3 space");
    let id = bench.session().current().unwrap();
    bench.keys("right");
    // The engine sends another text of the selected record.
    let detail = bench.world.get_mut(&id).unwrap();
    let draft = detail.draft.as_mut().unwrap();
    draft.labels.set(Field::LabelKo, ["다른 모자"]);
    detail.summary.labels = draft.labels.clone();
    let summary = detail.summary.clone();
    bench.event(Event::Groups(vec![summary]));
    bench.keys("a");
    assert_eq!(decided(&bench), []);
    assert_eq!(bench.session().current(), Some(id));
    bench.keys("a");
    assert_eq!(decided(&bench), [id]);
}
