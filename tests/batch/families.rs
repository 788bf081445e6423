//! `--families`: the model labels one icon of each drawing, and the others are derived.

use crate::common::{Desk, good, say};
use serde_json::{Value, json};

/// A disk of one color with a white bar: the same drawing for every color.
fn badge([r, g, b]: [u8; 3]) -> image::RgbaImage {
    image::RgbaImage::from_fn(24, 24, |x, y| {
        let from_center = |at: u32| (2 * at as i32 - 23).pow(2);
        match (y, from_center(x) + from_center(y) <= 23 * 23) {
            (_, false) => image::Rgba([0; 4]),
            (10..12, true) => image::Rgba([250, 250, 250, 255]),
            (_, true) => image::Rgba([r, g, b, 255]),
        }
    })
}

/// Three badges of one drawing, and a helmet of another.
fn desk() -> Desk {
    let mut desk = Desk::with_icons(&["헬멧"]);
    for (name, color) in [
        ("단풍 배지", [210, 30, 35]),
        ("물결 배지", [40, 100, 215]),
        ("새싹 배지", [60, 160, 75]),
    ] {
        let path = desk.source(&format!("{name}.png"));
        badge(color).save(path).unwrap();
        desk.plays(
            name,
            &[json!({"fail": "the model was asked about a derived badge"})],
        );
    }
    desk.plays("단풍 배지", &[say(good("단풍 배지"))]);
    desk
}

fn summary(events: &[Value]) -> &Value {
    events.last().unwrap()
}

#[test]
fn derived_records_have_their_own_colors_and_names() {
    let desk = desk();
    let ended = desk.batch(&["--families", "--json"]).expect(0);
    let events = ended.events();
    let counts = summary(&events);
    assert_eq!(
        (&counts["requests"], &counts["derived"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(counts["records"], 4);
    assert_eq!(
        desk.names(),
        ["단풍 배지", "물결 배지", "새싹 배지", "헬멧"]
    );

    let wave = desk.record("물결 배지");
    assert_eq!(wave["label_ko"], "파란 천으로 지은 단정한 물결 배지");
    assert_eq!(
        wave["tags_ko"],
        json!(["모자", "파란색", "천", "단정한", "장비"])
    );
    assert_eq!(
        wave["query_variants_ko"],
        json!(["파란 모자", "천 모자", "단정한 모자"])
    );
    assert_eq!(wave["attributes"]["colors"], json!(["blue"]));
    assert_eq!(wave["attributes"]["material"], json!(["fabric"]));
    assert_eq!(wave["quality_flags"]["reasons"], json!([]));
    assert_eq!(wave["model"], "fake");
    let sprout = desk.record("새싹 배지");
    assert_eq!(sprout["attributes"]["colors"], json!(["green"]));

    let labeled = events.iter().filter(|event| event["event"] == "labeled");
    let derived: Vec<(&str, &Value)> = labeled
        .map(|event| (event["item_name"].as_str().unwrap(), &event["derived_from"]))
        .filter(|(_, from)| !from.is_null())
        .collect();
    let from = json!("단풍 배지.png");
    assert_eq!(derived, [("물결 배지", &from), ("새싹 배지", &from)]);
    let again = desk.batch(&["--families", "--resume"]).expect(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

#[test]
fn a_color_that_the_drawing_does_not_have_is_kept_and_flagged() {
    let mut desk = desk();
    let mut wrong = good("단풍 배지");
    wrong["label_ko"] = "붉은 천에 보라색 끈이 달린 단풍 배지".into();
    desk.plays("단풍 배지", &[say(wrong)]);
    desk.batch(&["--families"]).expect(0);
    let wave = desk.record("물결 배지");
    assert_eq!(wave["label_ko"], "파란 천에 보라색 끈이 달린 물결 배지");
    assert_eq!(wave["quality_flags"]["reasons"], json!(["color_mismatch"]));
}

#[test]
fn when_the_first_of_a_family_fails_the_next_is_labeled() {
    let mut desk = desk();
    desk.plays("단풍 배지", &[json!({"fail": "no"})]);
    let mut blue = good("물결 배지");
    blue["label_ko"] = "파란 천으로 지은 단정한 물결 배지".into();
    blue["tags_ko"] = json!(["모자", "파란색", "천", "단정한", "장비"]);
    blue["query_variants_ko"] = json!(["파란 모자", "천 모자", "단정한 모자"]);
    blue["attributes"]["colors"] = json!(["blue"]);
    desk.plays("물결 배지", &[say(blue)]);
    let ended = desk.batch(&["--families", "--json"]).expect(3);
    let events = ended.events();
    assert_eq!(summary(&events)["requests"], 3);
    assert_eq!(desk.names(), ["물결 배지", "새싹 배지", "헬멧"]);
    let sprout = desk.record("새싹 배지");
    assert_eq!(sprout["label_ko"], "초록색 천으로 지은 단정한 새싹 배지");

    // The failed one is now derived from one that succeeded.
    let ended = desk.batch(&["--families", "--resume", "--json"]).expect(0);
    let events = ended.events();
    let counts = summary(&events);
    assert_eq!(
        (&counts["requests"], &counts["derived"]),
        (&json!(0), &json!(1))
    );
    let maple = desk.record("단풍 배지");
    assert_eq!(maple["attributes"]["colors"], json!(["red"]));
}

#[test]
fn a_label_that_describes_the_name_is_not_derived() {
    let mut desk = desk();
    let mut maple = good("단풍 배지");
    maple["label_ko"] = "붉은 천에 단풍과 은행을 수놓은 단풍 배지".into();
    desk.plays("단풍 배지", &[say(maple)]);
    let twin = desk.source("가을 운동회 기념품.png");
    badge([240, 150, 40]).save(twin).unwrap();
    let name = "가을 운동회 기념품";
    desk.plays(name, &[json!({"fail": "no"}), say(good(name))]);
    desk.batch(&["--families"]).expect(3);
    // It is the first in source order, and it failed.
    assert_eq!(desk.errors().len(), 1);
    let wave = desk.record("물결 배지");
    assert_eq!(wave["label_ko"], "파란 천에 물결과 은행을 수놓은 물결 배지");
    let ended = desk.batch(&["--families", "--resume", "--json"]);
    assert_eq!(summary(&ended.events())["requests"], 1, "{}", ended.err);
}

#[test]
fn a_run_that_ended_early_resumes_from_its_records() {
    let mut desk = desk();
    desk.batch(&["--families", "--max-samples", "1"]).expect(0);
    desk.plays("단풍 배지", &[json!({"fail": "asked again"})]);
    let ended = desk.batch(&["--families", "--resume", "--json"]).expect(0);
    assert_eq!(summary(&ended.events())["requests"], 1);
    assert_eq!(desk.records().len(), 4);
}

#[test]
fn without_the_option_the_model_labels_every_icon() {
    let mut desk = desk();
    for name in ["물결 배지", "새싹 배지"] {
        desk.plays(name, &[say(good(name))]);
    }
    let ended = desk.batch(&["--json"]).expect(0);
    assert_eq!(summary(&ended.events())["requests"], 4);
    assert_eq!(summary(&ended.events())["derived"], 0);
}

#[test]
fn families_need_images() {
    let ended = desk().batch(&["--families", "--no-image"]).expect(2);
    assert!(
        ended.err.contains("--families conflicts with --no-image"),
        "{}",
        ended.err
    );
}
