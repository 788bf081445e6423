//! The workstation in Korean: every screen, dialog and notice, at any size.

use super::ACTION_KEYS;
use crate::engine::Event;
use crate::record::filter::filter_keys;
use crate::record::{
    BUILTIN_VOCABULARY, ColorHistogram, FailureCode, FailureDetail, GroupId, Reason, to_oklab,
};
use crate::text::{Language, words};
use crate::tui::testing::Bench;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 36), (200, 60)];

/// Words in Latin letters that are not translated: keys, files, options, filter terms, and text of
/// the test records.
const KNOWN: &[&str] = &[
    "Backspace",
    "Delete",
    "Ctrl",
    "Down",
    "End",
    "Enter",
    "Esc",
    "Home",
    "Left",
    "PageDown",
    "PageUp",
    "Right",
    "Shift",
    "Space",
    "Tab",
    "Alt",
    "Up",
    "jsonl",
    "labels",
    "toml",
    "vocabulary",
    "fg",
    "accepted",
    "cash",
    "colors",
    "committed",
    "draft",
    "edited",
    "equipment_shape",
    "failed",
    "family",
    "has",
    "name",
    "none",
    "note",
    "offered",
    "part",
    "reason",
    "rejected",
    "review",
    "running",
    "source",
    "state",
    "tag",
    "tags",
    "type",
    "uncertain",
    "uncertainty",
    "view",
    "judged",
    "labeler",
    "tui",
    "audit",
    "right",
    "wrong",
    "unsure",
    "waiting",
    "color",
    "theme",
    "material",
    "vibe",
    "queries",
    "Frozen",
    "icons",
    "png",
    "scripted",
    "cpu",
    "fantasy",
    "metal",
    "hat",
    "red",
    "gold",
    "px",
    "max",
    "new",
    "tokens",
    "CLIP",
    "op",
    "lab",
    "home",
    "no",
    "such",
    "PNG",
    "CRC",
    "MB",
    "GiB",
];

/// Words on a screen that are neither Korean nor known.
fn foreign(screen: &str) -> Vec<&str> {
    let is_latin = |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_alphabetic());
    // A word may be cut off or broken over two lines.
    let is_known = |word: &str| {
        let is_value = BUILTIN_VOCABULARY.contains(&format!("\"{word}"));
        let is_key = filter_keys().any(|key| key.name.contains(word));
        is_value || is_key || KNOWN.iter().any(|known| known.contains(word))
    };
    let lines = screen.lines().filter(|line| !line.starts_with("cursor at"));
    lines
        .flat_map(words)
        .filter(|word| is_latin(word) && !is_known(word))
        .collect()
}

fn screen(keys: &str, (width, height): (u16, u16)) -> String {
    let mut bench = Bench::evening_for(Language::Korean, width, height);
    bench.keys(keys).screen()
}

#[test]
fn every_action_is_shown_in_korean() {
    for (_, keys, _) in ACTION_KEYS {
        for size in [SIZES[0], SIZES[2]] {
            let screen = screen(keys, size);
            assert_eq!(foreign(&screen), Vec::<&str>::new(), "{keys}\n{screen}");
        }
    }
}

#[test]
fn every_screen_is_korean_at_every_size() {
    for keys in [
        "", "tab", "F3", "F4", "F5", "F5 down", "v", "?", ":", "a q", "t", "/",
    ] {
        for size in SIZES {
            let screen = screen(keys, size);
            assert_eq!(foreign(&screen), Vec::<&str>::new(), "{keys}\n{screen}");
        }
    }
}

#[test]
fn a_failed_item_is_explained_in_korean() {
    let mut bench = Bench::evening_for(Language::Korean, 120, 36);
    let screen = bench.keys("F").screen();
    assert!(screen.contains("깨진 PNG 그림입니다: CRC"), "{screen}");
    bench.keys("r");
    bench.event(Event::Failed {
        group: GroupId(4),
        image_path: "icons/4.png".to_owned(),
        name: "부서진 아이콘".to_owned(),
        code: FailureCode::ImageLoadFailed,
        detail: FailureDetail::EmptyFile,
    });
    let screen = bench.screen();
    assert!(
        screen.contains("그림을 열 수 없음 (빈 파일입니다)"),
        "{screen}"
    );
    assert_eq!(foreign(&screen), Vec::<&str>::new(), "{screen}");
}

#[test]
fn korean_screens() {
    for size in SIZES {
        let (width, height) = size;
        insta::assert_snapshot!(format!("work_{width}x{height}"), screen("", size));
    }
    insta::assert_snapshot!("progress", screen("F4", SIZES[2]));
    insta::assert_snapshot!("words", screen("F5", SIZES[1]));
    insta::assert_snapshot!("versions", screen("v", SIZES[1]));
    insta::assert_snapshot!("help", screen("?", SIZES[1]));
    insta::assert_snapshot!("leave", screen("a q", SIZES[1]));
}

/// Reasons name colors and fields in Korean, although records and rules use other names.
#[test]
fn the_colors_and_fields_of_a_reason_are_korean() {
    let mut bench = Bench::evening_for(Language::Korean, 120, 50);
    let detail = bench.world.get_mut(&GroupId(5)).unwrap();
    detail.colors = Some(ColorHistogram {
        opaque: 300,
        bins: vec![
            (to_oklab([252, 252, 252]), 0.7),
            (to_oklab([27, 42, 92]), 0.3),
        ],
        ..ColorHistogram::default()
    });
    let draft = detail.draft.as_mut().unwrap();
    draft.reasons = vec![
        Reason::ColorMismatch,
        Reason::MainColorMissing,
        Reason::AttributesMissing,
        Reason::LowConfidence,
    ];
    draft.about = vec![
        (Reason::ColorMismatch, vec!["빨강".to_owned()]),
        (Reason::MainColorMissing, vec!["sky blue 70 %".to_owned()]),
        (
            Reason::AttributesMissing,
            vec!["item_type_guess".to_owned()],
        ),
        (
            Reason::LowConfidence,
            vec!["label_ko".to_owned(), "음식".to_owned()],
        ),
    ];
    let all = bench.world.values();
    let all = all.map(|detail| detail.summary.clone()).collect();
    bench.event(Event::Groups(all));
    let lines = bench.keys("j").pane("레코드").unwrap();
    let text: Vec<String> = lines.into_values().collect();
    let text = text.join("\n");
    for named in [
        "흰색 70 %, 남색 30 %",
        "하늘색 70 %",
        ": 종류",
        ": 라벨, 음식",
    ] {
        assert!(text.contains(named), "{named}: {text}");
    }
    for word in ["white", "navy", "sky blue", "item_type_guess", "label_ko"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// Filter values can be typed by their Korean names.
#[test]
fn a_filter_is_completed_by_korean_names() {
    let screen = screen("/ \"state:초", SIZES[1]);
    assert!(screen.contains("state:draft"), "{screen}");
}
