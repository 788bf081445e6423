//! The fixes under the reasons of a record, each with a digit.

use super::looks::backgrounds;
use super::*;
use crate::record::Reason;
use crate::record::fixes::Fix;
use crate::tui::testing::items::summarize;

/// A bench whose current record has two reasons, each with its own fixes.
fn bench(width: u16, height: u16) -> Bench {
    let mut bench = Bench::evening(width, height);
    let detail = bench.world.get_mut(&GroupId(1)).unwrap();
    let reasons = vec![Reason::ItemNameMissing, Reason::FewTags];
    detail.summary.reasons.clone_from(&reasons);
    let draft = detail.draft.as_mut().unwrap();
    draft.reasons = reasons;
    let label = ["붉은 보석이 박힌 둥근 모자".to_owned()];
    draft.labels.set(Field::LabelKo, label);
    draft.labels.set(Field::TagsKo, ["모자".to_owned()]);
    let themes = ["winter", "flower", "fantasy"].map(str::to_owned);
    draft.labels.set(Field::Theme, themes);
    summarize(detail);
    let all = bench.world.values();
    let all = all.map(|detail| detail.summary.clone()).collect();
    bench.event(Event::Groups(all));
    bench.keys("j j");
    bench
}

fn last_fix(bench: &Bench) -> (usize, Fix) {
    let fixes = &bench.session().detail().unwrap().fixes;
    assert_ne!(fixes[0].reason, fixes.last().unwrap().reason);
    (fixes.len(), fixes.last().unwrap().clone())
}

fn applied(bench: &Bench) -> Option<Reason> {
    match bench.commands.last()? {
        Command::Apply {
            change: Change::Fix { reason, .. },
            ..
        } => Some(*reason),
        _ => None,
    }
}

#[test]
fn fixes_are_numbered_across_reasons() {
    let mut bench = bench(120, 50);
    let lines = bench.pane("Record").unwrap();
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("fixes", lines[..16].join("\n"));
    let (digit, fix) = last_fix(&bench);
    // Opens the fix for all records with that reason.
    bench.keys(&format!("g {digit}"));
    let screen = bench.screen();
    assert!(screen.contains("Fix all alike"), "{screen}");
    assert!(screen.contains("few_tags"), "{screen}");
    bench.keys(&format!("esc {digit}"));
    assert_eq!(applied(&bench), Some(fix.reason));
}

#[test]
fn a_fix_that_is_out_of_view_is_shown_before_it_is_applied() {
    for (width, height) in [(80, 20), (40, 10)] {
        let mut bench = bench(width, height);
        let (digit, fix) = last_fix(&bench);
        let digit = digit.to_string();
        if width == 80 {
            assert!(bench.screen().contains("fixes below, press to see"));
        }
        bench.keys(&digit);
        assert_eq!(applied(&bench), None);
        let screen = bench.screen();
        assert!(screen.contains(&format!("this is fix {digit}")), "{screen}");
        let value = fix.fields[0].1.last().unwrap();
        assert!(screen.contains(value), "{value}: {screen}");
        bench.keys(&digit);
        assert_eq!(applied(&bench), Some(fix.reason), "{}", bench.screen());
    }
}

#[test]
fn the_preview_for_all_records_scrolls_on_a_small_screen() {
    let mut bench = bench(40, 10);
    let (digit, _) = last_fix(&bench);
    bench.keys(&format!("g {digit}"));
    let example = |bench: &mut Bench| bench.screen().contains("+ ");
    // The reason to fix comes before other reasons that change.
    assert!(bench.screen().contains("few_tags"), "{}", bench.screen());
    assert!(!example(&mut bench), "{}", bench.screen());
    bench.keys("pagedown pagedown");
    assert!(example(&mut bench), "{}", bench.screen());
    bench.keys("k k k k k k k k k k k k");
    assert!(bench.screen().contains("few_tags"), "{}", bench.screen());
}

#[test]
fn the_line_about_more_fixes_has_one_background() {
    const MORE: &str = "fixes below, press to see";
    let mut shown = 0;
    for height in 12..30 {
        let mut bench = bench(80, height);
        if bench.screen().contains(MORE) {
            shown += 1;
            let cells = backgrounds(&mut bench, MORE);
            assert_eq!(cells, vec![cells[0]; cells.len()], "{height} lines");
        }
    }
    assert!(shown > 1, "{shown}");
}

#[test]
fn a_click_on_a_fix_applies_it_once() {
    let mut bench = bench(120, 50);
    let reason = bench.session().detail().unwrap().fixes[0].reason;
    let rows = bench.pane("Record").unwrap();
    let is_first = |line: &str| line.trim_start_matches(['│', ' ']).starts_with("1 ");
    let (row, _) = rows.iter().find(|(_, line)| is_first(line)).unwrap();
    // Inside of the record pane.
    let click = MouseEventKind::Down(MouseButton::Left);
    bench.mouse(click, 100, *row);
    assert_eq!(applied(&bench), Some(reason));
    let commands = bench.commands.len();
    bench.mouse(click, 100, *row);
    assert_eq!(bench.commands.len(), commands);
}

#[test]
fn a_click_on_the_line_about_more_fixes_shows_the_next_one() {
    let mut bench = bench(80, 20);
    let rows = bench.pane("Record").unwrap();
    let mut rows = rows.iter();
    let (row, _) = rows.find(|(_, line)| line.contains("fixes below")).unwrap();
    bench.mouse(MouseEventKind::Down(MouseButton::Left), 60, *row);
    assert_eq!(applied(&bench), None);
    assert!(bench.screen().contains("this is fix"), "{}", bench.screen());
}
