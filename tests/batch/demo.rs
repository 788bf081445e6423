//! Checks the demo model's labels of the whole sample as a person would judge them.

use crate::common::{Desk, ended};
use serde_json::Value;

/// Sample items that are almost all of one color.
const COLORED: &[(&str, &str)] = &[
    ("구조대원의 다짐", "red"),
    ("할머니의 겨울 선물", "red"),
    ("화월 무희의 부채", "red"),
    ("열두 시의 약속", "red"),
    ("빙글빙글 요요", "red"),
    ("놀이공원의 추억", "red"),
    ("장난꾼 잭의 머리", "orange"),
    ("재즈바의 밤", "yellow"),
    ("행진하는 나팔", "yellow"),
    ("산책하는 오후", "green"),
    ("네 번째 잎", "green"),
    ("동네 야구단 모자", "blue"),
    ("골목대장 청바지", "blue"),
    ("여름 축제 유카타", "blue"),
    ("장마철 우산", "purple"),
    ("첫 출근 블라우스", "pink"),
    ("백조의 호수", "pink"),
    ("비밀 요원의 서류", "brown"),
    ("신사의 구두", "brown"),
];

/// Items whose icons are empty, nearly empty, or a speck.
const DEGRADED: &[&str] = &["투명 망토", "빛바랜 초상", "먼지 요정"];

fn demo(desk: &Desk, args: &[&str]) -> Vec<Value> {
    let mut all = vec!["--demo", "--batch", "--outdir", "out"];
    all.extend(args);
    ended(&mut desk.plain(&all)).expect(0);
    desk.records()
}

/// How many of the colored items have their color in the record.
fn correctly_colored(records: &[Value]) -> usize {
    let has = |(name, color): &&(&str, &str)| {
        records.iter().any(|record| {
            let colors = record["attributes"]["colors"].as_array().unwrap();
            record["item_name"] == *name && colors.iter().any(|c| c == color)
        })
    };
    COLORED.iter().filter(has).count()
}

#[test]
fn red_things_are_red_and_blank_ones_uncertain() {
    let records = demo(&Desk::new(), &[]);
    assert!(records.len() >= 96, "{} records", records.len());
    let schema = include_str!("../../assets/record.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    for record in &records {
        assert!(schema.is_valid(record), "{record}");
        let (name, label) = (&record["item_name"], &record["label_ko"]);
        let name = name.as_str().unwrap();
        assert!(label.as_str().unwrap().contains(name), "{name}: {label}");
        if DEGRADED.contains(&name) {
            assert_eq!(record["quality_flags"]["is_uncertain"], true, "{record}");
        }
    }
    let with_picture = correctly_colored(&records);
    assert!(with_picture >= 17, "{with_picture} of {}", COLORED.len());

    let blind = correctly_colored(&demo(&Desk::new(), &["--no-image"]));
    assert!(blind <= COLORED.len() / 4, "{blind} without the picture");
}
