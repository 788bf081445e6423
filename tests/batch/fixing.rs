//! `list`, `fix` and `--redo`: records that need a person, safe fixes, and labeling again.

use crate::common::{Desk, Ended, ended, good, say};
use serde_json::{Value, json};
use std::path::Path;

/// An answer without name, tags and type, which claims that the red icon is blue.
fn careless() -> Value {
    let mut answer = good("모자");
    answer["label_ko"] = json!("파란 천 모자");
    answer["tags_ko"] = json!(["블루", "천"]);
    answer["attributes"]["item_type_guess"] = Value::Null;
    answer["attributes"]["colors"] = json!(["blue"]);
    answer["query_variants_ko"] = json!(["파란 모자", "천 모자", "단정한 장식"]);
    answer
}

/// An answer with the same flaws, but without a color in its texts.
fn sketchy() -> Value {
    let mut answer = careless();
    answer["label_ko"] = json!("단정한 천 모자");
    answer["query_variants_ko"] = json!(["천 모자", "단정한 장식", "겨울 선물"]);
    answer
}

fn desk() -> Desk {
    let mut desk = Desk::with_icons(&["눈꽃 모자", "별빛 모자"]);
    desk.plays("눈꽃 모자", &[say(careless())]);
    desk.batch(&[]).expect(0);
    desk
}

fn command(desk: &Desk, args: &[&str]) -> Ended {
    ended(&mut desk.plain(args))
}

fn list(desk: &Desk, filter: &str) -> Vec<Value> {
    let args = ["list", "--outdir", "out", "--json", "--filter", filter];
    command(desk, &args).expect(0).events()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn records_that_need_a_person_are_listed_with_fixes() {
    let desk = desk();
    let before = files(&desk.out(""));
    let listed = command(&desk, &["list", "--outdir", "out", "--json"]).expect(0);
    let [record] = &listed.events()[..] else {
        panic!("{}", listed.out);
    };
    assert_eq!(record["item_name"], "눈꽃 모자");
    assert_eq!(record["state"], "uncertain");
    assert_eq!(record["record"]["label_ko"], "파란 천 모자");
    let reason = |code: &str| {
        let reasons = record["reasons"].as_array().unwrap();
        let found = reasons.iter().find(|reason| reason["code"] == code);
        found.unwrap_or_else(|| panic!("no {code} in {record}"))
    };
    let mismatch = reason("color_mismatch");
    assert!(
        mismatch["about"]
            .as_array()
            .unwrap()
            .contains(&json!("파란"))
    );
    let fix = &mismatch["fixes"][0];
    assert_eq!(fix["field"], "label_ko");
    assert_eq!(fix["text"], "빨간 천 모자");
    let named = &reason("item_name_missing")["fixes"][0];
    assert_eq!(named["value"], "파란 천 눈꽃 모자");
    // The plain form has a line per record; this filter includes the certain record.
    let output = command(&desk, &["list", "--outdir", "out", "--filter", ""]).expect(0);
    assert_eq!(output.out.lines().count(), 2, "{}", output.out);
    assert!(output.out.contains("\t눈꽃 모자\t"), "{}", output.out);
    // No file was written, not even beside the journal.
    assert_eq!(files(&desk.out("")), before);
}

#[test]
fn safe_fixes_make_edited_drafts_and_commit_nothing() {
    let mut desk = Desk::with_icons(&["눈꽃 모자", "별빛 모자", "달빛 모자"]);
    desk.plays("눈꽃 모자", &[say(sketchy())]);
    desk.plays("달빛 모자", &[say(careless())]);
    desk.batch(&[]).expect(0);
    let labels = std::fs::read(desk.out("labels.jsonl")).unwrap();
    let before = files(&desk.out(""));
    let dry = ["fix", "--outdir", "out", "--filter", "", "--dry-run"];
    let output = command(&desk, &dry).expect(0).out;
    assert!(
        output.contains("would put the name into the label: 2 records"),
        "{output}"
    );
    assert!(output.contains("flagged: 2 -> 2 of 2 records"), "{output}");
    assert_eq!(files(&desk.out("")), before);

    let output = command(&desk, &["fix", "--outdir", "out", "--filter", ""])
        .expect(0)
        .out;
    assert!(
        output.contains("replaced wrong colors with the icon's: 1 record"),
        "{output}"
    );
    assert!(output.contains("nothing is committed"), "{output}");
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), labels);
    let all = list(&desk, "\"눈꽃 모자\"");
    let [fixed] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(fixed["state"], "edited");
    // An answer that saw a red icon as blue still needs review, so its last reason stays.
    assert_eq!(fixed["reasons"].as_array().unwrap().len(), 1);
    assert_eq!(fixed["reasons"][0]["code"], "few_tags");
    assert_eq!(fixed["record"]["label_ko"], "단정한 천 눈꽃 모자");
    assert_eq!(fixed["record"]["attributes"]["colors"], json!(["red"]));
    assert_eq!(fixed["record"]["attributes"]["item_type_guess"], "hat");
    assert_eq!(fixed["record"]["tags_ko"], json!(["레드", "천"]));
    // A label with a color that the icon does not have keeps its reason for a person to review.
    let wrong = list(&desk, "reason:color_mismatch");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0]["record"]["label_ko"], "파란 천 달빛 모자");
}

#[test]
fn a_detail_that_may_be_invented_gives_way_to_what_is_confirmed() {
    let mut desk = Desk::with_icons(&["눈꽃 모자"]);
    let mut invented = careless();
    invented["label_ko"] = json!("붉은 레이저 모자");
    invented["tags_ko"] = json!(["레이저", "붉은"]);
    invented["attributes"]["colors"] = json!([]);
    invented["query_variants_ko"] = json!(["레이저 모자", "붉은 모자", "레이저 장식"]);
    desk.plays("눈꽃 모자", &[say(invented)]);
    desk.batch(&[]).expect(0);
    let fix = ["fix", "--outdir", "out", "--filter", ""];
    let output = command(&desk, &fix).expect(0).out;
    assert!(
        output.contains("kept only what the item and the icon confirm: 1 record"),
        "{output}"
    );
    let all = list(&desk, "");
    assert_eq!(all[0]["reasons"], json!([]));
    assert_eq!(all[0]["state"], "edited");
    let record = &all[0]["record"];
    assert_eq!(record["label_ko"], "빨간 눈꽃 모자");
    assert!(!record.to_string().contains("레이저"), "{record}");
}

#[test]
fn redo_offers_a_new_answer_and_replaces_nothing() {
    let mut desk = desk();
    let labels = std::fs::read(desk.out("labels.jsonl")).unwrap();
    desk.plays("눈꽃 모자", &[say(good("눈꽃 모자"))]);
    desk.batch(&["--redo", "reason:color_mismatch"]).expect(2);
    desk.batch(&["--resume", "--redo", "reason:nonsense"])
        .expect(2);
    let ran = desk.batch(&["--resume", "--json", "--redo", "reason:color_mismatch"]);
    let labeled: Vec<Value> = ran.expect(0).events();
    let labeled = labeled.iter().filter(|event| event["event"] == "labeled");
    let names: Vec<&Value> = labeled.map(|event| &event["item_name"]).collect();
    assert_eq!(names, ["눈꽃 모자"]);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), labels);
    assert_eq!(list(&desk, "reason:color_mismatch").len(), 1);
    assert_eq!(list(&desk, "state:offered").len(), 1);
}

#[test]
fn redo_says_that_nothing_matches_its_filter() {
    let desk = desk();
    let says = "no record of the source matches the filter of --redo";
    let ran = desk.batch(&["--resume", "--redo", "tags:>15"]).expect(0);
    assert!(
        ran.err.contains(&format!("warning: {says}\n")),
        "{}",
        ran.err
    );
    let events = desk.batch(&["--resume", "--json", "--redo", "tags:>15"]);
    let events = events.expect(0).events();
    assert!(events.contains(&json!({"event": "warning", "text": says})));
    let ran = desk.batch(&["--resume", "--redo", "tags:>0"]).expect(0);
    assert!(!ran.err.contains(says), "{}", ran.err);
}

#[test]
fn an_answer_equal_to_the_record_is_not_offered() {
    let desk = desk();
    let events = desk.batch(&["--resume", "--json", "--redo", ""]).expect(0);
    let summary = events.events().pop().unwrap();
    assert_eq!(
        (&summary["requests"], &summary["offered"]),
        (&json!(2), &json!(0))
    );
    assert!(list(&desk, "state:offered").is_empty());
}

#[test]
fn a_failed_redo_is_counted_and_keeps_the_record() {
    let mut desk = desk();
    let labels = std::fs::read(desk.out("labels.jsonl")).unwrap();
    desk.plays("눈꽃 모자", &[json!({"fail": "no"})]);
    let redo = ["--resume", "--json", "--redo", "reason:color_mismatch"];
    let summary = desk.batch(&redo).expect(3).events().pop().unwrap();
    assert_eq!(
        (&summary["unanswered"], &summary["failures"]),
        (&json!(1), &json!({}))
    );
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), labels);
}

#[test]
fn redo_of_failed_items_counts_their_outcome() {
    let mut desk = Desk::with_icons(&["눈꽃 모자"]);
    desk.plays("눈꽃 모자", &[json!({"fail": "no"})]);
    desk.batch(&[]).expect(3);
    desk.plays("눈꽃 모자", &[json!({"fail": "no"})]);
    let again = ["--resume", "--json", "--redo", "state:failed"];
    let events = desk.batch(&again).expect(3).events();
    let asked = |events: &[Value]| events.last().unwrap()["requests"].clone();
    assert_eq!(asked(&events), 1);
    desk.plays("눈꽃 모자", &[say(good("눈꽃 모자"))]);
    let events = desk.batch(&again).expect(0).events();
    assert_eq!(events.last().unwrap()["waiting"], 0);
    assert_eq!(asked(&events), 1);
}

#[test]
fn a_missing_journal_or_a_bad_filter_is_an_error() {
    let desk = Desk::new();
    let output = command(&desk, &["list", "--outdir", "nowhere"])
        .expect(1)
        .err;
    assert!(
        output.contains("there is no journal.sqlite in nowhere"),
        "{output}"
    );
    let output = command(&desk, &["fix", "--outdir", "nowhere", "--filter", ""])
        .expect(1)
        .err;
    assert!(
        output.contains("there is no journal.sqlite in nowhere"),
        "{output}"
    );
    assert!(!desk.path().join("nowhere").exists());
    let desk = self::desk();
    command(
        &desk,
        &["list", "--outdir", "out", "--filter", "reason:nonsense"],
    )
    .expect(2);
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let desk = desk();
    let mut child = desk
        .plain(&["list", "--outdir", "out", "--json", "--filter", ""])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
