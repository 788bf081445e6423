//! The mouse on tabs, hints, questions and lists, double clicks, and the terminal's cursor.

use crate::engine::Command;
use crate::record::{Change, Field, GroupState};
use crate::text::{Language, width};
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::KeyContext;
use crate::tui::testing::Bench;
use crossterm::event::{MouseButton, MouseEventKind};
use ratatui::layout::Position;

const CLICK: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

/// The position of a text on the screen.
fn find(bench: &mut Bench, text: &str) -> Position {
    let screen = bench.screen();
    let found = screen.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        Some(Position::new(width(&line[..at]) as u16, row as u16))
    });
    found.unwrap_or_else(|| panic!("no {text} in\n{screen}"))
}

fn click(bench: &mut Bench, text: &str) {
    let at = find(bench, text);
    bench.mouse(CLICK, at.x, at.y);
}

#[test]
fn tabs_and_hints_can_be_clicked() {
    let mut bench = Bench::evening(120, 40);
    click(&mut bench, "Gallery");
    assert!(bench.screen().contains("by uncertainty"));
    assert!(bench.app.context() == KeyContext::Gallery);
    click(&mut bench, "F2 Work");
    assert!(bench.app.context() == KeyContext::Queue);
    let name = bench.current_name();
    click(&mut bench, "accept");
    assert_eq!(bench.count(GroupState::Accepted), 1);
    assert_ne!(bench.current_name(), name);
    click(&mut bench, "help");
    assert!(matches!(bench.app.dialog(), Some(Dialog::Help(_))));
    // The dialog covers the tabs, and its keys are in the hint line.
    click(&mut bench, "F4 Progress");
    assert!(matches!(bench.app.dialog(), Some(Dialog::Help(_))));
    click(&mut bench, "Esc close");
    assert!(bench.app.dialog().is_none());
}

#[test]
fn a_question_is_answered_by_a_click() {
    let mut bench = Bench::evening_for(Language::Korean, 80, 24);
    bench.keys("a q");
    click(&mut bench, "n 아니요    ");
    assert!(bench.app.dialog().is_none() && !bench.quit);
    bench.keys("q");
    click(&mut bench, "y 예");
    assert!(bench.quit);
}

#[test]
fn a_click_chooses_from_a_list() {
    let mut bench = Bench::evening(80, 24);
    bench.keys(": \"gallery");
    click(&mut bench, "> gallery");
    assert!(bench.app.dialog().is_none());
    assert!(bench.app.context() == KeyContext::Gallery);
    bench.keys("F2 / \"state:");
    click(&mut bench, "state:failed");
    assert_eq!(bench.session().queue.filter(), "state:failed");
    bench.keys("enter t \"왕");
    bench.mouse(MouseEventKind::ScrollDown, 40, 12);
    assert!(bench.screen().contains("> "));
}

#[test]
fn a_bulk_change_is_chosen_by_clicks() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F3 A s");
    click(&mut bench, "h theme");
    click(&mut bench, "c colors");
    click(&mut bench, "a add");
    bench.keys("\"na");
    let offered = find(&mut bench, "navy");
    bench.mouse(CLICK, offered.x, offered.y);
    bench.keys("enter");
    let applied = bench.commands.last();
    let expected = Change::Add {
        field: Field::Colors,
        value: "navy".to_owned(),
    };
    assert!(
        matches!(applied, Some(Command::Apply { change, .. }) if *change == expected),
        "{applied:?}"
    );
}

#[test]
fn settings_of_a_retry_are_changed_by_clicks() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("R");
    click(&mut bench, "  as in this run");
    click(&mut bench, "< 1x >");
    click(&mut bench, "stricter");
    bench.keys("enter");
    let Some(Command::Retry { how, .. }) = bench.commands.last() else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!((how.strict, how.upscale), (false, Some(2)));
}

#[test]
fn a_version_is_chosen_by_a_click() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("v");
    assert!(bench.screen().contains("Versions 2/2"));
    click(&mut bench, "attempt 1");
    assert!(
        bench.screen().contains("Versions 1/2"),
        "{}",
        bench.screen()
    );
}

#[test]
fn a_double_click_opens_and_edits() {
    let mut bench = Bench::evening(120, 40);
    let at = find(&mut bench, "붉은 여왕의 모자");
    bench.mouse(CLICK, at.x, at.y);
    assert_eq!(bench.current_name(), "붉은 여왕의 모자");
    assert!(bench.app.context() == KeyContext::Queue);
    bench.mouse(CLICK, at.x, at.y);
    assert!(bench.app.context() == KeyContext::Record);
    let chip = find(&mut bench, "[왕관]");
    bench.mouse(CLICK, chip.x + 1, chip.y);
    bench.mouse(CLICK, chip.x + 1, chip.y);
    assert!(matches!(bench.app.dialog(), Some(Dialog::Prompt(_))));
}

/// Screen readers read the text at the cursor.
#[test]
fn the_terminal_cursor_follows_the_selected_element() {
    let mut bench = Bench::evening(120, 40);
    for _ in 0..3 {
        let name: String = bench.current_name().chars().take(5).collect();
        let row = find(&mut bench, &name).y;
        assert_eq!(bench.app.cursor().map(|at| at.y), Some(row), "{name}");
        bench.keys("j");
    }
    bench.keys("g g tab j");
    let tags = find(&mut bench, "[모자]");
    assert_eq!(bench.app.cursor(), Some(tags));
    bench.keys("F5 down");
    assert!(bench.app.cursor().is_some());
}
