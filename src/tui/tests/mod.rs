//! Plays keys through the application and checks the screen.

mod audit;
mod dialogs;
mod editing;
mod fixes;
mod flow;
mod korean;
mod looks;
mod mouse;
mod queue;
mod trouble;
mod versions;
mod words;

use super::dialogs::{Completion, Dialog, PromptPurpose, TextPrompt};
use super::keymap::{ACTIONS, Action, KeyContext};
use super::message::Message;
use super::testing::Bench;
use super::theme::{Depth, Ground, Theme, ThemeColors};
use crate::engine::{Command, Event, InFlight, Progress, Stage, Warning};
use crate::error::{Error, ErrorKind};
use crate::record::{Change, Field, GroupId, GroupState};
use crate::text::{Language, Said, width};
use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEventKind};
use proptest::strategy::Strategy as _;
use ratatui::style::Color;
use std::collections::BTreeMap;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

/// A snapshot of the whole screen after `keys`, at every size.
fn layouts(name: &str, keys: &str) {
    for (width, height) in SIZES {
        let mut bench = Bench::evening(width, height);
        bench.keys(keys);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), bench.screen());
    }
}

/// A snapshot of one pane or box after `keys`, and of the smallest screen.
fn pane(name: &str, title: &str, keys: &str) {
    let mut small = Bench::evening(40, 10);
    let small = small.keys(keys).screen();
    let mut bench = Bench::evening(80, 24);
    let lines = bench.keys(keys).pane(title).unwrap();
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!(name, format!("{}\n\n40x10\n{small}", lines.join("\n")));
}

#[test]
fn the_queue_opens_on_records_that_need_review_most_uncertain_first() {
    let bench = Bench::evening(80, 24);
    let names: Vec<_> = (0..bench.session().queue.len())
        .map(|row| bench.session().row(row).unwrap().name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "Frozen 왕관",
            "아주 길고 긴 이름을 가진 전설의 용사의 낡은 가죽 장갑",
            "붉은 여왕의 모자",
            "부서진 아이콘"
        ]
    );
    layouts("work", "");
}

#[test]
fn panes_and_screens() {
    layouts("gallery", "F3 space right");
    layouts("progress", "F4");
    layouts("statistics", "F5");
    layouts("versions", "v k right j j");
    pane("record", "Record", "tab j j");
    pane("help", "Keys", "?");
    pane("palette", "Do what?", ": \"retry");
    pane("retry", "Retry 1", "R \"왕관이다");
    pane("replace", "Find and replace", "ctrl-f \"모자 tab \"왕관");
    pane("edit", "Record", "e");
    pane("filter", "Queue", "/ \"state:");
    pane("confirm_quit", "Sure?", "a q");
    pane("everything", "Queue", "\\");
}

/// Stands for the whole screen where an entry names a pane.
const SCREEN: &str = "all";

/// Each action, the keys that reach it from the queue of [`Bench::evening`], and the pane or box
/// that shows its effect.
const ACTION_KEYS: &[(Action, &str, &str)] = &[
    (Action::AcceptNext, "a", "Queue"),
    (Action::CommitNext, "c", "Queue"),
    (Action::CommitAccepted, "a a C", "Sure?"),
    (Action::CommitCertain, "alt-c", "Sure?"),
    (Action::Reject, "x \"흐림", "why reject?"),
    (Action::Reopen, "\\ g g a g g O", "Queue"),
    (Action::Undo, "a u", "Queue"),
    (Action::Redo, "a u ctrl-r", "Queue"),
    (Action::Fix, "j j 1", "Record"),
    (Action::FixAll, "j j g 1", "Fix all alike"),
    (Action::RepeatEdit, "t \"새_태그 enter esc j .", "Record"),
    (Action::RecordKeys, "Q j Q", ""),
    (Action::PlayKeys, "Q t \"새_태그 enter esc Q j @", "Record"),
    (Action::EditLabel, "e \"_끝", "Record"),
    (Action::EditField, "tab j enter", "Record"),
    (Action::Audit, "A", "Queue"),
    (Action::AddTag, "t \"새_태그 enter \"모", "Record"),
    (Action::AddValue, "tab j j + \"go", "Record"),
    (Action::RemoveValue, "tab j l d", "Record"),
    (Action::MoveEarlier, "tab j l [", "Record"),
    (Action::MoveLater, "tab j ]", "Record"),
    (Action::Translate, "V", "Translate"),
    (Action::UpdateName, "F3 space right space =", "Sure?"),
    (Action::RemoveTag, "F3 space right space d \"왕", "Change 2"),
    (Action::Bulk, "F3 space right space s h a \"ni", "Change 2"),
    (Action::Note, "N \"다시_볼_것 enter", "Record"),
    (
        Action::Replace,
        "ctrl-f \"왕관 enter \"크라운 enter down space",
        "Find and replace",
    ),
    (Action::Retry, "r", "Queue"),
    (Action::RetryWith, "R \"금속_왕관 up right", "Retry 1"),
    (Action::Versions, "v", "Versions"),
    (Action::TakeNumbered, "v j 2", "Against"),
    (Action::TakeField, "v j right j j enter", "Against"),
    (Action::TakeVersion, "v j T", "Record"),
    (Action::Pause, "p", ""),
    (Action::Background, "b", "Picture"),
    (Action::ModelView, "m", "Picture"),
    (Action::Zoom, "z", "Picture"),
    (Action::Filter, "/ \"ㅁㅈ", "Queue"),
    (Action::Views, "w s \"밤_일 enter w", "Saved filters"),
    (Action::ClearFilter, "\\", "Queue"),
    (Action::NeedsReview, "\\ !", "Queue"),
    (Action::Failed, "F", "Queue"),
    (Action::Search, "g / \"빨간_모자", "Find icons"),
    (Action::Sort, "o", "Queue"),
    (Action::NextPane, "tab", "Record"),
    (Action::PreviousPane, "tab shift-tab", "Queue"),
    (Action::NextToReview, "n", "Queue"),
    (Action::Workbench, "F4 F2", "Queue"),
    (Action::Gallery, "F3", SCREEN),
    (Action::Progress, "F4", ""),
    (Action::Statistics, "F5", ""),
    (Action::RenameWord, "F5 r \"크라운", "Change all"),
    (Action::MergeWord, "F5 down m", "Change all"),
    (Action::DeleteWord, "F5 d", "Change all"),
    (Action::MarkSynonym, "F5 = \"왕관", "Change all"),
    (Action::Up, "j j k", "Queue"),
    (Action::Down, "j", "Queue"),
    (Action::Left, "F3 right right left", SCREEN),
    (Action::Right, "F3 right", SCREEN),
    (Action::PageUp, "\\ pagedown pageup", "Queue"),
    (Action::PageDown, "\\ pagedown", "Queue"),
    (Action::Top, "G g g", "Queue"),
    (Action::Bottom, "G", "Queue"),
    (Action::GoLabel, "g t g l", "Record"),
    (Action::GoTags, "g t", "Record"),
    (Action::GoColors, "g c", "Record"),
    (Action::GoTheme, "g h", "Record"),
    (Action::GoMaterial, "g m", "Record"),
    (Action::GoVibe, "g v", "Record"),
    (Action::GoType, "g y", "Record"),
    (Action::GoQueries, "g q", "Record"),
    (Action::NarrowQueue, "< <", "Queue"),
    (Action::WidenQueue, "> >", "Queue"),
    (Action::SelectFamily, "&", SCREEN),
    (Action::FoldFamilies, "%", "Queue"),
    (Action::Select, "F3 space", SCREEN),
    (Action::SelectRange, "F3 space right right v", SCREEN),
    (Action::SelectAll, "F3 A", SCREEN),
    (Action::Unselect, "F3 A esc", SCREEN),
    (Action::Open, "F5 down enter", "Queue"),
    (Action::Help, "? pagedown", "Keys"),
    (Action::Palette, ": \"ret", "Do what?"),
    (Action::Redraw, "ctrl-l", ""),
    (Action::TryAgain, "ctrl-t", ""),
    (Action::Suspend, "ctrl-z", ""),
    (Action::Quit, "a q", "Sure?"),
];

/// Snapshots of what the last key of each action changes: header, pane, hint line.
#[test]
fn every_action() {
    for info in ACTIONS {
        let (_, keys, title) = ACTION_KEYS
            .iter()
            .find(|(action, ..)| *action == info.action)
            .unwrap_or_else(|| panic!("no keys reach {}", info.name));
        for (width, height) in SIZES {
            Bench::evening(width, height).keys(keys).screen();
        }
        let (first, last) = keys.rsplit_once(' ').unwrap_or(("", keys));
        let mut bench = Bench::evening(80, 24);
        let opening = shown(&mut bench, title);
        let before = shown(bench.keys(first), title);
        let mut text = format!("{keys}\n");
        for (row, line) in shown(bench.keys(last), title) {
            let old = before.get(&row).or_else(|| opening.get(&row));
            if old.map(|old| old.trim_end()) != Some(line.trim_end()) {
                text.push_str(&format!("{row:>2} {}\n", line.trim_end()));
            }
        }
        insta::assert_snapshot!(format!("action_{}", info.name), text);
    }
}

/// The header, the hint line, and the pane or box of this title, if there is one.
fn shown(bench: &mut Bench, title: &str) -> BTreeMap<u16, String> {
    let screen = bench.screen();
    let mut lines: BTreeMap<u16, String> = (0..).zip(screen.lines().map(str::to_owned)).collect();
    if title != SCREEN {
        lines.retain(|row, _| [0, 23].contains(row));
        lines.extend(bench.pane(title).unwrap_or_default());
    }
    lines
}

#[test]
fn the_picture_zooms_to_the_full_screen() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("tab z");
    assert!(bench.screen().contains("> Picture"), "{}", bench.screen());
    // Keys do not change a record that is hidden.
    bench.keys("d esc");
    assert!(bench.commands.is_empty());
    bench.keys("j");
    assert!(bench.screen().contains("전설의 용사"), "{}", bench.screen());
    bench.keys("z");
    assert!(bench.screen().contains("> Queue"));
    bench.keys("z t");
    assert!(bench.screen().contains("> Record"));
    bench.keys("esc z F3");
    assert!(!bench.screen().contains("z back"), "{}", bench.screen());
}

fn writing(group: GroupId, text: &str) -> InFlight {
    InFlight {
        group,
        text: text.to_owned(),
        tokens: text.len() / 3,
    }
}

#[test]
fn progress_shows_the_icons_of_answers_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    let mut bench = Bench::evening(120, 40);
    bench.show_pixels(&icon);
    bench.progress(Progress {
        stage: Stage::Decode,
        in_flight: vec![
            writing(GroupId(7), "{\"label_ko\": \"기다리는"),
            writing(GroupId(1), "{\"label_ko\": \"빨간 모자"),
        ],
        ..Progress::default()
    });
    bench.keys("F4 F4");
    assert_eq!(bench.images().len(), 2);
}

#[test]
fn progress_shows_text_as_it_is_generated() {
    let mut bench = Bench::evening(120, 40);
    bench.progress(Progress {
        stage: Stage::Decode,
        total: 8000,
        done: 120,
        queued: 7880,
        icons_per_minute_now: 24.0,
        icons_per_minute: 21.5,
        tokens_per_second: 80.0,
        eta_seconds: Some(19_700.0),
        resident_bytes: 5 << 30,
        in_flight: vec![
            writing(GroupId(7), "{\"label_ko\": \"기다리는\u{1b}[31m"),
            writing(
                GroupId(1),
                "{\"label_ko\": \"빨간 모자\", \"tags_ko\": [\"모자\", \"빨간색\", \"겨울",
            ),
            writing(GroupId(2), ""),
        ],
        throughput: (0..60).map(f64::from).collect(),
        ..Progress::default()
    });
    bench.keys("F4 p");
    assert_eq!(bench.commands, [Command::Pause]);
    insta::assert_snapshot!("progress_live", bench.screen());
}

#[test]
fn the_mouse_clicks_scrolls_and_drags() {
    let mut bench = Bench::evening(120, 40);
    bench.mouse(MouseEventKind::Down(MouseButton::Left), 5, 7);
    assert_eq!(bench.session().queue.cursor(), 2);
    bench.mouse(MouseEventKind::ScrollUp, 5, 5);
    assert_eq!(bench.session().queue.cursor(), 0);
    let divider = divider(&mut bench);
    bench.mouse(MouseEventKind::Down(MouseButton::Left), divider, 20);
    bench.mouse(MouseEventKind::Drag(MouseButton::Left), 70, 20);
    bench.mouse(MouseEventKind::Up(MouseButton::Left), 70, 20);
    assert!(self::divider(&mut bench) > divider);
    let screen = bench.screen();
    let line = screen
        .lines()
        .position(|line| line.contains("│tags "))
        .unwrap();
    bench.mouse(MouseEventKind::Down(MouseButton::Left), 82, line as u16);
    bench.keys("d");
    let Some(Command::Apply {
        change: Change::Remove { field, .. },
        ..
    }) = bench.commands.last()
    else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!(*field, Field::TagsKo);
}

/// The column of the divider between queue and record.
fn divider(bench: &mut Bench) -> u16 {
    let screen = bench.screen();
    let line = screen.lines().nth(1).unwrap();
    let columns = (1..120).find(|column| cell(line, *column) == '╭');
    columns.unwrap()
}

/// Saves an all-red icon and returns its path.
fn red_icon(folder: &std::path::Path) -> std::path::PathBuf {
    let icon = folder.join("icon.png");
    let dot = image::Rgba([200, 30, 30, 255]);
    image::RgbaImage::from_pixel(20, 20, dot)
        .save(&icon)
        .unwrap();
    icon
}

#[test]
fn a_picture_partly_under_a_box_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    let gallery = [
        "A a",
        "/ \"reason:",
        "?",
        ":",
        "x \"f",
        "t \"파",
        "s",
        "R",
        "ctrl-f",
    ];
    for keys in gallery {
        let mut bench = Bench::evening(64, 24);
        bench.show_pixels(&icon);
        bench.keys("\\ F3");
        let all = bench.images();
        assert!(all.len() > 1);
        bench.keys(keys);
        assert!(bench.images().len() < all.len(), "{keys}");
        // Closing the box brings all of them back.
        bench.keys("esc esc esc");
        assert!(bench.images().len() >= all.len(), "{keys}");
    }
}

#[test]
fn no_box_covers_the_picture_of_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    for (width, height) in [(80, 24), (120, 36)] {
        for (screen, boxes) in [
            ("", &["?", ":", "q", "R", "V", "d", "t \"ㅁ", "ctrl-f"][..]),
            ("v", &["?", "R"]),
        ] {
            for keys in boxes {
                let mut bench = Bench::evening(width, height);
                bench.show_pixels(&icon);
                bench.keys("a").keys(screen);
                let picture = bench.images().into_iter().max_by_key(|at| (at.x > 5, at.x));
                bench.keys(keys);
                let all = bench.images();
                assert!(
                    all.contains(&picture.unwrap()),
                    "{width}x{height} {screen} {keys}"
                );
            }
        }
    }
}

#[test]
fn without_pictures_the_record_gets_their_space() {
    let mut bench = Bench::without_pictures(120, 36);
    let screen = bench.screen();
    assert!(!screen.contains("Picture"), "{screen}");
    bench.keys("a");
    assert_eq!(bench.count(GroupState::Accepted), 1);
    let screen = bench.keys("v").screen();
    assert!(screen.contains("Against the draft"), "{screen}");
}

#[test]
fn lists_fill_a_larger_screen() {
    let mut bench = Bench::evening(64, 16);
    for (screen, last) in [("\\ F2 G", "은반지"), ("\\ F3 G", "은반지")] {
        bench.resize(64, 14);
        bench.keys(screen);
        bench.resize(120, 40);
        let screen = bench.screen();
        assert!(
            screen.contains("Frozen 왕관") && screen.contains(last),
            "{screen}"
        );
    }
}

#[test]
fn a_box_over_korean_keeps_its_border() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("a q");
    // At some of these widths the box cuts a wide character in two.
    for width in 74..80 {
        bench.resize(width, 24);
        let screen = bench.screen();
        let mut rows = screen.lines().skip_while(|line| !line.contains("> Sure?"));
        let title = rows.next().unwrap();
        let (before, _) = title.split_once("╭> Sure?").unwrap();
        let left = crate::text::width(before) as u16;
        for row in rows.take(4) {
            assert!("╭│╰".contains(cell(row, left)), "{row}");
        }
    }
}

/// The character in a column of a line of the screen.
fn cell(line: &str, column: u16) -> char {
    let mut at = 0;
    for c in line.chars() {
        if at == usize::from(column) {
            return c;
        }
        at += width(c.encode_utf8(&mut [0; 4]));
    }
    ' '
}

/// Texts with control characters, escape sequences, right-to-left marks, and characters whose width
/// differs from their length.
fn hostile_text() -> impl proptest::strategy::Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select(vec![
            "\u{1b}]0;x\u{7}",
            "\u{1b}[2J",
            "\u{9b}31m",
            "\r\n",
            "\t",
            "\0",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "가",
            "\u{1112}\u{1161}\u{11ab}",
            "e\u{301}\u{302}",
            "👩\u{200d}🚀",
            "❤\u{fe0f}",
            "🇰🇷",
            "ﷺ",
            "עברית",
            "ｗｉｄｅ",
            "a",
            " ",
        ]),
        0..30,
    )
    .prop_map(|parts| parts.concat())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn hostile_texts_are_harmless(
        texts in proptest::collection::vec(hostile_text(), 13),
        width in 40u16..140,
        height in 10u16..45,
    ) {
        let mut bench = Bench::evening(width, height);
        let text = |at: usize| texts[at].clone();
        let id = GroupId(3);
        let detail = bench.world.get_mut(&id).unwrap();
        detail.summary.name = text(0);
        detail.summary.image_path = text(1);
        detail.item.item_name = text(0);
        detail.item.item_description = Some(text(2).repeat(20));
        detail.item.item_part = Some(text(3));
        detail.other_names = vec![text(4); 3];
        detail.current.review.note = Some(text(5));
        for attempt in &mut detail.attempts {
            attempt.model = text(6);
            attempt.settings.hint = Some(text(7));
            let labels = attempt.labels.as_mut().unwrap();
            labels.set(Field::TagsKo, [text(8), text(9)]);
        }
        let draft = detail.draft.as_mut().unwrap();
        let labels = &mut draft.labels;
        labels.set(Field::LabelKo, [text(10).repeat(5)]);
        labels.set(Field::TagsKo, [text(8), String::new()]);
        labels.set(Field::QueryVariantsKo, vec![text(9); 4]);
        draft.confidence[0].weak_words = vec![text(8), String::new()];
        detail.summary.labels.set(Field::TagsKo, [text(8)]);
        let summary = detail.summary.clone();
        bench.event(Event::Groups(vec![summary]));
        bench.event(Event::Warning(Warning::Source(Said {
            english: text(11),
            korean: text(12),
        })));
        bench.progress(Progress {
            in_flight: vec![writing(id, &text(10)), writing(id, &text(11))],
            ..Progress::default()
        });
        for keys in ["", "tab", "e", "esc v", "F3", "F5", "F4", "F2 ? esc : esc", "ctrl-f \"a", "esc t"] {
            bench.keys(keys).screen();
        }
        bench.message(Message::Paste(texts.concat()));
        bench.screen();
        bench.keys("enter").screen();
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn any_keys_at_any_size(
        steps in proptest::collection::vec((0u8..60, 1u16..320, 1u16..110), 1..40)
    ) {
        let mut bench = Bench::evening(90, 30);
        for (key, width, height) in steps {
            const CHARS: &[u8] = b"jkhlaceqtxvrRmbou.@Q\\/!?:pNndgGO[]+-<>CTAsU ";
            match key {
                0..=43 => bench.press(KeyCode::Char(char::from(CHARS[key as usize])), KeyModifiers::NONE),
                44 => bench.press(KeyCode::Enter, KeyModifiers::NONE),
                45 => bench.press(KeyCode::Esc, KeyModifiers::NONE),
                46 => bench.press(KeyCode::Tab, KeyModifiers::NONE),
                47 => bench.press(KeyCode::Char('f'), KeyModifiers::CONTROL),
                48 => bench.press(KeyCode::PageDown, KeyModifiers::NONE),
                49 => bench.press(KeyCode::Char('4'), KeyModifiers::NONE),
                50 => bench.mouse(MouseEventKind::Down(MouseButton::Left), width, height),
                51 => bench.mouse(MouseEventKind::Drag(MouseButton::Left), width, height),
                52 => bench.mouse(MouseEventKind::ScrollDown, width, height),
                53 => bench.message(Message::Pixels(width % 2 == 0)),
                54 => bench.press(KeyCode::Backspace, KeyModifiers::NONE),
                _ => bench.resize(width, height),
            }
            bench.screen();
        }
    }
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let mut bench = Bench::evening(39, 9);
    assert!(bench.screen().contains("too small: 40x10 needed"));
    bench.resize(300, 100);
    assert!(bench.screen().contains("Queue"));
}
