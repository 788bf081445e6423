//! `compare`: how far two sets of records of the same images agree.

use crate::common::{Desk, ended, good, say};
use serde_json::Value;

#[test]
fn an_outdir_and_an_earlier_file_are_compared_image_by_image() {
    let mut desk = Desk::with_icons(&["가", "나", "다"]);
    desk.batch(&[]).expect(0);
    let mut other = good("나");
    other["attributes"]["material"] = serde_json::json!(["metal"]);
    other["tags_ko"] = serde_json::json!(["모자", "빨간색", "금속"]);
    desk.plays("나", &[say(other)]);
    std::fs::rename(desk.out(""), desk.path().join("first")).unwrap();
    desk.batch(&["--max-samples", "2"]).expect(0);
    std::fs::copy(desk.out("labels.jsonl"), desk.path().join("second.jsonl")).unwrap();
    let compare = |args: &[&str]| {
        let mut all = vec!["compare", "first", "second.jsonl"];
        all.extend(args);
        ended(&mut desk.plain(&all)).expect(0).out
    };
    let text = compare(&[]);
    assert!(
        text.starts_with("2 images with a record in A and in B\n"),
        "{text}"
    );
    assert!(text.contains("1 image only in A: 다.png"), "{text}");
    let found: Value = serde_json::from_str(&compare(&["--json"])).unwrap();
    let field = |name: &str| {
        let fields = found["fields"].as_array().unwrap();
        fields
            .iter()
            .find(|entry| entry["field"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(field("label_ko")["equal"], 2);
    assert_eq!(field("material")["equal"], 1);
    assert_eq!(field("material")["overlap"], 0.5);
    let few_tags = &found["reasons"][0];
    assert_eq!(few_tags["reason"], "few_tags");
    assert_eq!(few_tags["gained"], 1);
}

#[test]
fn a_folder_without_records_is_refused() {
    let desk = Desk::new();
    let refused = ended(&mut desk.plain(&["compare", "source", "source"])).expect(2);
    assert!(
        refused.err.contains("no records in source"),
        "{}",
        refused.err
    );
    let refused = ended(&mut desk.plain(&["compare", "source", "nowhere"])).expect(2);
    assert!(
        refused.err.contains("no records in source"),
        "{}",
        refused.err
    );
    let refused = ended(&mut desk.plain(&["compare", "nowhere", "source"])).expect(2);
    assert!(
        refused.err.contains("nowhere does not exist"),
        "{}",
        refused.err
    );
}

#[test]
fn votes_are_not_added_to_another_kind_of_file() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let mine = desk.path().join("mine.json");
    // Its only line has no line end, like a vote that was cut off.
    std::fs::write(&mine, "{\"image_path\": \"가.png\"").unwrap();
    for more in [&["--json"][..], &[]] {
        let args = [
            &["compare", "out", "out", "--blind", "--votes", "mine.json"],
            more,
        ]
        .concat();
        let refused = ended(&mut desk.plain(&args)).expect(2);
        assert!(refused.err.contains("not a vote file"), "{}", refused.err);
    }
    let left = std::fs::read_to_string(&mine).unwrap();
    assert_eq!(left, "{\"image_path\": \"가.png\"");
}
