//! What each option does to the prompt, the picture and the record.

use crate::common::{Desk, ended, good, picture, say};
use serde_json::{Value, json};

/// The first attempt in the journal.
fn attempt(desk: &Desk) -> Value {
    let db = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    let text: String = db
        .query_row("SELECT attempt FROM attempts ORDER BY id", [], |row| {
            row.get(0)
        })
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_attempt_uses_the_options() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[
        "--upscale",
        "5",
        "--alpha-bg",
        "black",
        "--max-new-tokens",
        "77",
    ])
    .expect(0);
    let settings = &attempt(&desk)["settings"];
    assert_eq!(settings["upscale"], 5);
    assert_eq!(settings["background"], "black");
    assert_eq!(settings["max_new_tokens"], 77);
    assert_eq!(settings["strict"], false);
}

#[test]
fn a_quality_retry_is_stricter_larger_and_on_the_other_background() {
    let mut desk = Desk::with_icons(&["가"]);
    let mut short = good("가");
    short["tags_ko"] = json!(["모자"]);
    desk.plays("가", &[say(short.clone()), say(short)]);
    let ended = desk.batch(&["--quality-retry"]).expect(0);
    assert!(
        ended
            .out
            .contains("quality retries: 1, of which 0 gave a better record"),
        "{}",
        ended.out
    );
    let db = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    let text: String = db
        .query_row("SELECT attempt FROM attempts ORDER BY id DESC", [], |row| {
            row.get(0)
        })
        .unwrap();
    let retry: Value = serde_json::from_str(&text).unwrap();
    let settings = &retry["settings"];
    assert_eq!(settings["strict"], true);
    assert_eq!(settings["upscale"], 4);
    assert_eq!(settings["background"], "black");
    assert_eq!(retry["retry_of"], 1);
}

#[test]
fn english_is_kept_only_if_requested() {
    for (lang, kept) in [("ko", false), ("en", true), ("both", true)] {
        let mut desk = Desk::with_icons(&["가"]);
        let mut answer = good("가");
        answer["label_en"] = "A red cloth hat.".into();
        desk.plays("가", &[say(answer)]);
        desk.batch(&["--lang", lang]).expect(0);
        let label = &desk.record("가")["label_en"];
        assert_eq!(label.is_string(), kept, "{lang}: {label}");
    }
}

#[test]
fn a_custom_prompt_gives_the_record_its_version() {
    let desk = Desk::with_icons(&["가"]);
    let prompt = "version = 'mine-3'\nsystem = 'Label it.'\nuser = 'item {name}'";
    std::fs::write(desk.path().join("p.toml"), prompt).unwrap();
    desk.batch(&["--prompt", "p.toml"]).expect(0);
    assert_eq!(desk.record("가")["prompt_version"], "mine-3");
    let ended = desk
        .batch(&["--resume", "--prompt", "nowhere.toml"])
        .expect(2);
    assert!(ended.err.contains("nowhere.toml"), "{}", ended.err);
}

#[test]
fn one_run_of_a_database_can_be_selected() {
    let mut desk = Desk::new();
    for name in ["a", "b"] {
        picture(name)
            .save(desk.source(&format!("{name}.png")))
            .unwrap();
    }
    let db = rusqlite::Connection::open(desk.source("db.sqlite")).unwrap();
    db.execute_batch(
        "CREATE TABLE icon_assets (url TEXT, local_path TEXT);
         CREATE TABLE cash_items (run_id TEXT, cash_item_name TEXT, cash_item_icon_url TEXT);
         INSERT INTO icon_assets VALUES ('u:a', 'a.png'), ('u:b', 'b.png');
         INSERT INTO cash_items VALUES ('r1', '옛 모자', 'u:a'), ('r2', '새 모자', 'u:b');",
    )
    .unwrap();
    desk.plays("새 모자", &[say(good("새 모자"))]);
    let source = ["--db", "source/db.sqlite"];
    let ended = desk.batch_of(&source, &["--run-id", "r2"]).expect(0);
    assert_eq!(desk.names(), ["새 모자"]);
    // The missing table is reported.
    assert!(
        ended.err.contains("no table equipment_shape_items"),
        "{}",
        ended.err
    );
    db.execute_batch("UPDATE cash_items SET run_id = 'r2\u{1b}[2J' WHERE run_id = 'r2'")
        .unwrap();
    let ended = desk
        .batch_of(&source, &["--run-id", "r3", "--resume"])
        .expect(2);
    assert!(ended.err.contains("r2\u{fffd}[2J, r1"), "{}", ended.err);
}

#[test]
fn a_database_without_a_required_table_or_column_is_refused() {
    let desk = Desk::new();
    let db = rusqlite::Connection::open(desk.source("db.sqlite")).unwrap();
    for (sql, missing) in [
        ("CREATE TABLE other (x)", "icon_assets"),
        ("CREATE TABLE icon_assets (url TEXT)", "local_path"),
        (
            "ALTER TABLE icon_assets ADD COLUMN local_path TEXT",
            "cash_items",
        ),
        (
            "CREATE TABLE cash_items (cash_item_name TEXT)",
            "cash_item_icon_url",
        ),
    ] {
        db.execute_batch(sql).unwrap();
        let ended = desk.batch_of(&["--db", "source/db.sqlite"], &[]).expect(1);
        assert!(ended.err.contains(missing), "{sql}: {}", ended.err);
        assert!(!desk.path().join("out").exists());
    }
}

#[test]
fn labels_go_beside_the_source_by_default() {
    let desk = Desk::with_icons(&["가"]);
    ended(&mut desk.command(&["--batch", "--images", "source"])).expect(0);
    assert!(desk.path().join("labels/labels.jsonl").exists());
}

#[test]
fn the_log_is_appended_to_at_the_requested_level() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&["--log-level", "error"]).expect(0);
    let quiet = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    desk.batch(&["--resume", "--log-level", "trace"]).expect(0);
    let loud = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    assert!(loud.starts_with(&quiet) && loud.len() > quiet.len());
    assert!(loud.contains("source read"), "{loud}");
    assert!(!quiet.contains("source read"), "{quiet}");
}

/// A line as an earlier program wrote it.
fn earlier_line(name: &str, color: &str) -> String {
    let mut line = good(name);
    line["image_path"] = format!("{name}.png").into();
    line["source_type"] = "cash".into();
    line["item_name"] = name.into();
    line["attributes"]["colors"] = json!([color]);
    format!("{line}\n")
}

#[test]
fn labels_of_an_earlier_program_are_imported_and_checked() {
    let desk = Desk::with_icons(&["가", "나"]);
    let line = earlier_line("가", "파란색");
    std::fs::create_dir(desk.path().join("out")).unwrap();
    std::fs::write(desk.out("labels.jsonl"), format!("{line}no record\n")).unwrap();
    let ended = desk.batch(&["--resume", "--json"]).expect(0);
    let text = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    assert!(text.starts_with(&line), "the line is unchanged");
    assert_eq!(desk.records().len(), 2);
    let events = ended.events();
    let warnings = events.iter().filter(|event| event["event"] == "warning");
    let warnings: Vec<&str> = warnings
        .filter_map(|event| event["text"].as_str())
        .collect();
    assert_eq!(
        warnings,
        [
            "labels.jsonl: imported 1 record of an earlier run",
            "labels.jsonl: kept 1 line that cannot be read in labels_unread.jsonl (line 2: \
             expected ident (column 2))",
        ]
    );
    // The rules compare it with its image.
    let summary = events.last().unwrap();
    assert_eq!(summary["by_reason"], json!({"color_mismatch": 1}));
    // The line is not changed, so its flag is not in the file.
    assert_eq!(
        (&summary["uncertain"], &summary["unmarked"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn an_earlier_file_is_put_in_source_order_and_otherwise_unchanged() {
    let desk = Desk::with_icons(&["가", "나"]);
    std::fs::write(desk.source("글.png"), "not a picture").unwrap();
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let (first, second) = (earlier_line("가", "빨강"), earlier_line("나", "빨강"));
    let lines = format!("{second}{first}");
    std::fs::write(desk.out("labels.jsonl"), &lines).unwrap();
    let ended = desk.batch(&["--resume"]).expect(3);
    assert!(
        ended.out.contains("except 1 that still fail"),
        "{}",
        ended.out
    );
    assert_eq!(desk.errors().len(), 1);
    let after = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    assert_eq!(after, format!("{first}{second}"));
}
