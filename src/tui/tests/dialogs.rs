//! Keys, boxes and lists of dialogs.

use super::*;
use crate::tui::message::Effect;
use crossterm::event::KeyEvent;

#[test]
fn the_key_that_suspends_works_in_every_dialog() {
    for keys in ["", "?", ":", "q", "/", "x", "x \"흐림", "t", "s", "ctrl-f"] {
        let mut bench = Bench::evening(80, 24);
        bench.keys(keys);
        let before = bench.screen();
        let key = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
        let effects = bench.app.update(Message::Key(key, 0));
        let suspends = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Suspend));
        assert!(suspends, "{keys}: {before}");
        assert_eq!(bench.screen(), before, "{keys}");
    }
}

#[test]
fn the_help_scrolls_with_the_keys_of_lists() {
    let mut bench = Bench::evening(80, 24);
    let first = bench.keys("?").screen();
    let last = "a word with low model confidence";
    for (down, up) in [("G", "g g"), ("end", "home")] {
        let screen = bench.keys(down).screen();
        assert!(screen.contains(last), "{down}: {screen}");
        assert_eq!(bench.keys(up).screen(), first, "{up}");
    }
    for (down, up) in [("j", "k"), ("ctrl-d", "ctrl-u"), ("pagedown", "pageup")] {
        assert_ne!(bench.keys(down).screen(), first, "{down}");
        assert_eq!(bench.keys(up).screen(), first, "{up}");
    }
    assert!(first.contains("PageUp PageDown page  Home End start, end"));
}

#[test]
fn the_list_of_a_prompt_does_not_cover_its_box() {
    for (width, height) in SIZES {
        let mut bench = Bench::evening(width, height);
        bench.keys("\\ home x \"그림이_흐리다 enter x \"그림이_깨졌다 enter");
        // The record pane, alone on the smallest screen, removes the value under the cursor instead.
        let prompts = [("x", "why reject?"), ("d", "remove from tags")];
        for (keys, title) in prompts.into_iter().take(if width > 40 { 2 } else { 1 }) {
            bench.keys(keys);
            let screen = bench.screen();
            let lines = bench.pane(title).map(|lines| lines.len());
            assert_eq!(lines, Some(3), "{width}x{height}: {screen}");
            assert!(screen.contains("1 "), "{screen}");
            bench.keys("esc");
        }
    }
}

#[test]
fn a_first_rejection_is_not_offered_earlier_reasons() {
    let mut bench = Bench::evening(120, 40);
    let screen = bench.keys("x").screen();
    assert!(!screen.contains("1-9"), "{screen}");
    assert!(!screen.contains("Tab next"), "{screen}");
    let screen = bench.keys("\"흐림 enter x").screen();
    assert!(screen.contains("1-9 Enter"), "{screen}");
}

#[test]
fn a_title_that_does_not_fit_ends_with_an_ellipsis() {
    let mut bench = Bench::evening(40, 10);
    let screen = bench.keys("\\ s").screen();
    assert!(screen.contains("Change 7 records that the lis"), "{screen}");
    assert!(screen.contains('…'), "{screen}");
}

#[test]
fn the_counts_of_the_header_add_up_while_the_model_works() {
    let mut bench = Bench::evening(80, 24);
    let mut working = bench.snapshot()[6].as_ref().clone();
    working.state = GroupState::Running;
    bench.event(Event::Groups(vec![working]));
    let screen = bench.screen();
    let header = screen.lines().next().unwrap();
    assert!(header.contains(">1"), "{header}");
    let counts = header.split_whitespace().filter_map(|word| {
        let count = word.trim_start_matches(['?', '!', '*', '+', '=', 'o', '>', '.', 'x']);
        count.parse::<u64>().ok()
    });
    assert_eq!(counts.sum::<u64>(), 7, "{header}");
}

#[test]
fn a_decision_that_changes_nothing_says_why() {
    let mut bench = Bench::evening(120, 40);
    let screen = bench.keys("O").screen();
    let nothing = "nothing changed: it has no decision to withdraw";
    assert!(screen.contains(nothing), "{screen}");
}

#[test]
fn the_counts_of_all_states_are_in_the_header_even_without_their_names() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("a t \"여름 enter esc");
    for width in [110, 115, 120] {
        bench.resize(width, 40);
        let screen = bench.screen();
        let header = screen.lines().next().unwrap();
        for count in ["?1", "!1", "*1", "+1", "=1", "o1", ".1"] {
            assert!(header.contains(count), "no {count}: {header}");
        }
    }
}

#[test]
fn a_filter_key_is_shown_in_full_and_its_explanation_cut() {
    for width in [80, 100, 120] {
        let mut bench = Bench::evening(width, 30);
        bench.keys("/ ctrl-u \"mat");
        let screen = bench.screen();
        assert!(screen.contains("material: "), "{screen}");
    }
}

#[test]
fn the_palette_shows_the_whole_description_of_the_selected_action() {
    for (width, height) in [(80, 24), (120, 36), (160, 40)] {
        let mut bench = Bench::evening(width, height);
        bench.keys(": \"accept-next");
        let lines = bench.pane("Do what?").unwrap().into_values();
        let text = lines.map(|line| line.replace('│', " ")).collect::<Vec<_>>();
        let text = text.join(" ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole =
            "Accept the draft, or confirm a committed record, and go to the next uncertain one";
        assert!(text.contains(whole), "{text}");
    }
}

#[test]
fn dialogs_without_a_choice_offer_only_the_way_out() {
    for (keys, none) in [(": \"zzzz", "Enter"), ("\\ w", "show")] {
        let mut bench = Bench::evening(80, 24);
        let screen = bench.keys(keys).screen();
        let hints = screen.lines().nth(23).unwrap();
        assert!(hints.contains("Esc close"), "{hints}");
        assert!(!hints.contains(none), "{hints}");
    }
}

#[test]
fn the_palette_finds_a_screen_by_its_name_in_either_language() {
    for name in ["갤러리", "gallery"] {
        let mut bench = Bench::evening(80, 24);
        bench.keys(&format!(": \"{name} enter"));
        assert_eq!(bench.app.context(), KeyContext::Gallery, "{name}");
    }
}

#[test]
fn the_rest_of_a_preview_is_counted_in_texts() {
    let mut bench = Bench::evening(40, 10);
    let screen = bench.keys("\\ s q s \"새_질문").screen();
    assert!(screen.contains("more texts"), "{screen}");
}

#[test]
fn filters_are_saved_shown_and_deleted_in_their_list() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("/ ctrl-u \"붉은 enter w s \"밤_하늘 enter");
    bench.keys("\\ w enter");
    let filter = |bench: &Bench| bench.session().queue.filter().to_owned();
    assert_eq!(filter(&bench), "view:\"밤 하늘\"");
    // The filter in use keeps its meaning, and the deleted name is not offered again.
    bench.keys("w d esc");
    assert_eq!(filter(&bench), "붉은");
    let screen = bench.keys("/ ctrl-u").screen();
    assert!(!screen.contains("밤 하늘"), "{screen}");
}

#[test]
fn leaving_with_open_drafts_asks_first() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("a q");
    assert!(!bench.quit);
    let screen = bench.screen();
    assert!(
        screen.contains("Leave with 4 drafts not committed?"),
        "{screen}"
    );
    assert!(screen.contains("1 accepted, 3 from the model"), "{screen}");
    bench.keys("n");
    assert!(!bench.quit);
    bench.keys("q y");
    assert!(bench.quit);
    let mut bench = Bench::new(80, 24);
    bench.keys("q");
    assert!(bench.quit);
}
