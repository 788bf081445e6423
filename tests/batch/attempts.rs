//! How answers are handled: failures, retries, reasons.

use crate::common::{Desk, good, names, say};
use serde_json::{Value, json};

fn reasons(record: &Value) -> Vec<&str> {
    let reasons = record["quality_flags"]["reasons"].as_array().unwrap();
    reasons.iter().map(|r| r.as_str().unwrap()).collect()
}

fn wrong_color(name: &str) -> Value {
    let mut answer = good(name);
    answer["attributes"]["colors"] = json!(["blue"]);
    answer
}

#[test]
fn a_model_failure_fails_only_its_item() {
    let mut desk = Desk::with_icons(&["가", "나", "다"]);
    desk.plays("나", &[json!({"fail": "out of luck"})]);
    let ended = desk.batch(&[]).expect(3);
    assert_eq!(desk.names(), ["가", "다"]);
    let errors = desk.errors();
    assert_eq!(names(&errors), ["나"]);
    assert_eq!(errors[0]["code"], "model_error");
    assert_eq!(errors[0]["detail"], "out of luck");
    assert!(ended.err.contains("failed: 나: model_error (out of luck)"));
    let at_the_end = "failed: 1 model_error\n  나: out of luck\n";
    assert!(ended.out.contains(at_the_end), "{}", ended.out);
}

#[test]
fn a_panic_fails_only_its_item() {
    let mut desk = Desk::with_icons(&["가", "나", "다", "라"]);
    desk.slots(4);
    desk.plays("다", &[json!({"panic": "boom"})]);
    let ended = desk.batch(&[]).expect(3);
    assert_eq!(desk.names(), ["가", "나", "라"]);
    assert_eq!(desk.errors()[0]["item_name"], "다");
    assert!(
        desk.errors()[0]["detail"]
            .as_str()
            .unwrap()
            .contains("boom"),
        "{}",
        ended.err
    );
}

#[test]
fn an_answer_that_is_not_a_record_is_requested_once_more() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("가", &[say("sorry".into()), say(good("가"))]);
    desk.plays("나", &[say("sorry".into())]);
    desk.batch(&[]).expect(3);
    assert_eq!(desk.names(), ["가"]);
    assert_eq!(desk.errors()[0]["code"], "invalid_json");
}

#[test]
fn a_truncated_answer_is_completed_and_flagged() {
    let mut desk = Desk::with_icons(&["가죽 모자"]);
    let whole = good("가죽 모자").to_string();
    let cut = &whole[..whole.find("query_variants").unwrap()];
    desk.plays("가죽 모자", &[json!({ "truncate": cut })]);
    desk.batch(&[]).expect(0);
    let record = desk.record("가죽 모자");
    assert_eq!(reasons(&record), ["few_queries", "truncated"]);
    assert_eq!(record["label_ko"], "붉은 천으로 지은 단정한 가죽 모자");
}

#[test]
fn uncertain_records_are_committed_with_their_reasons() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("가", &[say(wrong_color("가"))]);
    let ended = desk.batch(&["--json"]).expect(0);
    let record = desk.record("가");
    assert_eq!(reasons(&record), ["color_mismatch"]);
    assert_eq!(record["quality_flags"]["is_uncertain"], true);
    let events = ended.events();
    let labeled = events
        .iter()
        .find(|event| event["item_name"] == "가")
        .unwrap();
    assert_eq!(
        labeled,
        &json!({
            "event": "labeled", "image_path": "가.png", "item_name": "가",
            "reasons": ["color_mismatch"],
        })
    );
    let summary = events.last().unwrap();
    assert_eq!(summary["uncertain"], 1);
    assert_eq!(summary["by_reason"], json!({"color_mismatch": 1}));
    assert_eq!(summary["unmarked"], 0);
}

#[test]
fn a_quality_retry_keeps_the_better_of_both() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    // The second answer has the right color, but too few tags.
    let mut second = good("가");
    second["tags_ko"] = json!(["하나"]);
    desk.plays("가", &[say(wrong_color("가")), say(second)]);
    desk.plays("나", &[say(wrong_color("나")), say(wrong_color("나"))]);
    desk.batch(&["--quality-retry"]).expect(0);
    let edited = desk.record("가");
    assert_eq!(reasons(&edited), Vec::<&str>::new());
    assert_eq!(edited["attributes"]["colors"], json!(["red"]));
    assert_eq!(edited["tags_ko"].as_array().unwrap().len(), 5);
    let kept = desk.record("나");
    assert_eq!(reasons(&kept), ["color_mismatch", "quality_retry_failed"]);
}

#[test]
fn uncertain_records_get_second_opinions() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    let wrong = || say(wrong_color("가"));
    desk.plays("가", &[wrong(), say(good("가")), wrong()]);
    desk.batch(&["--opinions", "2"]).expect(0);
    // The group of each attempt, and the attempt that it is an opinion on.
    let attempts = |desk: &Desk| -> Vec<(i64, Option<i64>)> {
        let db = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
        let mut select = db
            .prepare("SELECT group_id, json_extract(attempt, '$.opinion_of') FROM attempts ORDER BY group_id, id")
            .unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    let (first, certain) = ((1, None), (2, None));
    let opinion = (1, Some(1));
    assert_eq!(attempts(&desk), [first, opinion, opinion, certain]);
    // The opinions do not change the answer.
    assert_eq!(reasons(&desk.record("가")), ["color_mismatch"]);

    // No opinion is requested twice, and more can be requested later.
    desk.batch(&["--opinions", "2", "--resume"]).expect(0);
    assert_eq!(attempts(&desk).len(), 4);
    desk.plays("가", &[wrong()]);
    desk.batch(&["--opinions", "3", "--resume"]).expect(0);
    assert_eq!(attempts(&desk), [first, opinion, opinion, opinion, certain]);
    assert_eq!(desk.records().len(), 2);
}

#[test]
fn equal_labels_are_flagged_on_both_sides() {
    let mut desk = Desk::with_icons(&["모자", "모자 둘"]);
    let mut same = good("모자 둘");
    same["label_ko"] = "붉은 천으로 지은 단정한 모자 둘".into();
    desk.plays("모자", &[say(same.clone())]);
    desk.plays("모자 둘", &[say(same)]);
    desk.batch(&[]).expect(0);
    for record in desk.records() {
        assert!(reasons(&record).contains(&"duplicate_label"));
    }
}

#[test]
fn a_labeler_that_cannot_start_ends_the_run() {
    let mut desk = Desk::with_icons(&["가"]);
    std::fs::write(desk.path().join("broken.json"), "{").unwrap();
    let broken = ["--batch", "--images", "source", "--outdir", "out"];
    let mut command = desk.plain(&broken);
    command.args(["--model", "fake:broken.json"]);
    let ended = crate::common::ended(&mut command);
    assert_eq!(ended.status, 2);
    assert!(
        ended.err.contains("error: reading the fake model"),
        "{}",
        ended.err
    );
    assert_eq!(desk.records().len(), 0);
    desk.otherwise(&[]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.names(), ["가"]);
}
