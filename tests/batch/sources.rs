//! Every kind of source, and rows that are refused.

use crate::common::{Desk, good, names, picture, say};
use serde_json::{Value, json};

const KEYS: [&str; 14] = [
    "image_path",
    "image_sha256",
    "source_type",
    "item_name",
    "item_description",
    "label_ko",
    "label_en",
    "tags_ko",
    "attributes",
    "query_variants_ko",
    "quality_flags",
    "model",
    "prompt_version",
    "generated_at",
];

#[test]
fn a_folder_of_images_becomes_records() {
    let desk = Desk::with_icons(&["가죽 모자", "나무 모자"]);
    let ended = desk.batch(&["--parquet"]).expect(0);
    assert_eq!(desk.names(), ["가죽 모자", "나무 모자"]);
    for record in desk.records() {
        let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(keys, KEYS);
        assert_eq!(
            record["quality_flags"],
            json!({"is_uncertain": false, "reasons": []})
        );
        assert_eq!(record["prompt_version"], "v2");
    }
    assert!(ended.out.contains("2 records (2 new)"), "{}", ended.out);
    assert!(ended.out.contains("out/labels.jsonl"));
    assert!(desk.out("labels.parquet").exists());
    assert!(desk.out("labeler.log").exists());
    assert!(!desk.out("labels_errors.jsonl").exists());
}

#[test]
fn a_database_is_grouped_by_image_and_only_read() {
    let mut desk = Desk::new();
    database(&desk);
    for name in ["붉은 모자", "둥근 모자", "잃은 모자", "빈 모자"] {
        desk.plays(name, &[say(good(name))]);
    }
    let before = std::fs::read(desk.source("db.sqlite")).unwrap();
    let ended = desk
        .batch_of(&["--db", "source/db.sqlite"], &["--json"])
        .expect(3);
    assert_eq!(desk.names(), ["붉은 모자", "둥근 모자"]);
    let record = desk.record("붉은 모자");
    assert_eq!(record["image_path"], "icons/a.png");
    assert_eq!(record["source_type"], "equipment_shape");
    assert_eq!(desk.record("둥근 모자")["source_type"], "cash");
    let mut errors = desk.errors();
    errors.sort_by_key(|e| e["item_name"].to_string());
    assert_eq!(names(&errors), ["빈 모자", "잃은 모자"]);
    assert!(errors.iter().all(|e| e["code"] == "missing_image"));
    let summary = ended.events().pop().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["records"], 2);
    assert_eq!(summary["failures"], json!({"missing_image": 2}));
    assert_eq!(std::fs::read(desk.source("db.sqlite")).unwrap(), before);
}

#[test]
fn sources_can_be_narrowed() {
    let mut desk = Desk::new();
    database(&desk);
    desk.plays("붉은 모자", &[say(good("붉은 모자"))]);
    desk.plays("둥근 모자", &[say(good("둥근 모자"))]);
    let db = ["--db", "source/db.sqlite"];
    desk.batch_of(&db, &["--only-source", "cash"]).expect(3);
    assert_eq!(desk.names(), ["둥근 모자"]);
    assert_eq!(names(&desk.errors()), ["빈 모자"]);
    let first = ["--batch", "--outdir", "first", "--max-samples", "1"];
    let mut all = first.to_vec();
    all.extend(db);
    crate::common::ended(&mut desk.command(&all)).expect(0);
    let lines = crate::common::lines(&desk.path().join("first/labels.jsonl"));
    assert_eq!(names(&lines), ["붉은 모자"]);
}

#[test]
fn a_bad_line_of_a_manifest_is_reported_and_the_rest_is_labeled() {
    let mut desk = Desk::new();
    desk.icon("a");
    desk.plays("좋은 모자", &[say(good("좋은 모자"))]);
    let row = json!({"image_path": "a.png", "item_name": "좋은 모자", "source_type": "cash"});
    let huge = "x".repeat(10 << 20);
    let manifest = format!("{{\"image_path\": \n{row}\nnull\n\"{huge}\"\n");
    std::fs::write(desk.source("m.jsonl"), manifest).unwrap();
    let ended = desk
        .batch_of(&["--input", "source/m.jsonl"], &["--json"])
        .expect(3);
    assert_eq!(desk.names(), ["좋은 모자"]);
    assert_eq!(ended.events().pop().unwrap()["refused"], 3);
    let again = desk
        .batch_of(&["--input", "source/m.jsonl"], &["--resume"])
        .expect(3);
    for warning in [
        "1 row refused: not JSON",
        "1 row refused: not a JSON object (source/m.jsonl line 3)",
        "1 row refused: longer than 1048576 bytes (source/m.jsonl line 4)",
    ] {
        assert!(again.err.contains(warning), "{}", again.err);
    }
    assert!(again.out.contains("refused: 3 rows"), "{}", again.out);
}

#[test]
fn warnings_of_one_kind_are_merged_and_an_unusable_source_is_an_error() {
    let desk = Desk::new();
    let rows = "{\"file\": \"a.png\", \"text\": \"x\"}\n".repeat(8000);
    std::fs::write(desk.source("m.jsonl"), rows).unwrap();
    let ended = desk.batch_of(&["--input", "source/m.jsonl"], &[]).expect(1);
    let expected = "000 rows refused: image_path is missing; the row has file; choose another with \
                --image-column (source/m.jsonl line 1, line 2, line 3, ...)";
    assert!(ended.err.contains(expected), "{}", ended.err);
    assert_eq!(ended.err.matches("warning:").count(), 1, "{}", ended.err);
    assert!(
        ended.err.contains("no row of the source can be used"),
        "{}",
        ended.err
    );
}

#[test]
fn images_without_names_are_labeled_without_a_name() {
    let mut desk = Desk::new();
    std::fs::create_dir_all(desk.source("icons/ab")).unwrap();
    let path = "icons/ab/d41d8cd98f00b204e9800998ecf8427e.png";
    picture("x").save(desk.source(path)).unwrap();
    let mut answer = good("것");
    answer["label_ko"] = "붉은 천으로 지은 단정한 모자".into();
    desk.otherwise(&[say(answer)]);
    desk.batch(&[]).expect(0);
    let record = desk.records().remove(0);
    assert_eq!(record["image_path"], path);
    assert_eq!(record["item_name"], "");
    assert_eq!(record["label_ko"], "붉은 천으로 지은 단정한 모자");
    assert_eq!(record["quality_flags"]["reasons"], json!([]));
}

#[test]
fn a_json_array_of_rows_is_a_manifest() {
    let mut desk = Desk::new();
    desk.icon("a");
    desk.plays("좋은 모자", &[say(good("좋은 모자"))]);
    let rows = json!([
        {"image_path": "a.png", "item_name": "좋은 모자", "source_type": "cash"},
        {"image_path": "a.png", "item_name": "같은 그림", "source_type": "cash"},
    ]);
    std::fs::write(desk.source("m.json"), rows.to_string()).unwrap();
    desk.batch_of(&["--input", "source/m.json"], &[]).expect(0);
    assert_eq!(desk.names(), ["좋은 모자"]);
}

#[test]
fn names_cannot_steer_the_terminal() {
    let mut desk = Desk::new();
    desk.icon("a");
    let name = "\u{1b}[2J\u{7}모자\u{202e}";
    desk.otherwise(&[json!({"fail": "\u{1b}]0;x\u{7}"})]);
    let row = json!({"image_path": "a.png", "item_name": name, "source_type": "cash"});
    std::fs::write(desk.source("m.jsonl"), format!("{row}\n")).unwrap();
    let ended = desk.batch_of(&["--input", "source/m.jsonl"], &[]).expect(3);
    let log = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    for text in [&ended.out, &ended.err, &log] {
        assert!(text.contains("모자"));
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn bidirectional_and_invisible_characters_are_kept_out_of_terminal_and_log() {
    const MARKS: [char; 14] = [
        '\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{2069}',
        '\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}', '\u{9b}', '\u{7f}', '\u{1b}',
    ];
    let between: String = MARKS.iter().flat_map(|mark| [*mark, 'x']).collect();
    let mut desk = Desk::new();
    // A file name may contain invisible characters.
    desk.icon("a\u{200b}\u{ad}b");
    desk.otherwise(&[json!({ "fail": between })]);
    let row = |path: &str, name: &str| {
        let row = json!({"image_path": path, "item_name": name, "source_type": between});
        let mut good = row.clone();
        good["source_type"] = "cash".into();
        format!("{row}\n{good}\n")
    };
    let marked = format!("모{between}자");
    let rows = [
        row("a\u{200b}\u{ad}b.png", &marked),
        row("turned\u{61c}.png", "모자"),
        row(&format!("{between}.png"), "모자"),
    ];
    std::fs::write(desk.source("m.jsonl"), rows.concat()).unwrap();
    let args = ["--input", "source/m.jsonl", "--log-level", "debug"];
    let plain = desk.batch_of(&args, &[]).expect(3);
    let as_json = desk.batch_of(&args, &["--resume", "--json"]).expect(3);
    let log = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    for text in [&plain.out, &plain.err, &as_json.out, &as_json.err, &log] {
        let found: Vec<char> = text.chars().filter(|c| MARKS.contains(c)).collect();
        assert!(found.is_empty(), "{found:?} in {text:?}");
    }
    let failed = as_json.events();
    let failed = failed
        .iter()
        .find(|event| event["event"] == "failed")
        .unwrap();
    assert_eq!(failed["image_path"], "a\u{200b}\u{ad}b.png");
    assert_eq!(failed["item_name"], "모xxx xxxxxxxxxxx자");
    for path in ["turned", "xxx"] {
        assert!(!as_json.out.contains(&format!("{path}.png")));
    }
}

#[test]
fn no_image_labels_from_metadata_only() {
    let mut desk = Desk::new();
    database(&desk);
    for name in ["붉은 모자", "둥근 모자", "잃은 모자", "빈 모자"] {
        desk.plays(name, &[say(good(name))]);
    }
    desk.batch_of(&["--db", "source/db.sqlite"], &["--no-image"])
        .expect(0);
    assert_eq!(desk.records().len(), 4);
}

#[test]
fn no_metadata_labels_from_the_image_only() {
    let mut desk = Desk::new();
    desk.icon("이름표");
    let mut answer = good("것");
    answer["label_ko"] = "붉은 천으로 지은 단정한 모자".into();
    desk.plays("이름표", &[json!({"fail": "the name was shown"})]);
    desk.otherwise(&[say(answer)]);
    desk.batch(&["--no-metadata"]).expect(0);
    let record: Value = desk.record("이름표");
    assert_eq!(record["quality_flags"]["reasons"], json!([]));
}

/// Two good icons, one of them in two rows, an asset that was never fetched, and an asset whose
/// file is gone.
fn database(desk: &Desk) {
    std::fs::create_dir(desk.source("icons")).unwrap();
    for name in ["a", "b"] {
        let path = desk.source(&format!("icons/{name}.png"));
        picture(name).save(path).unwrap();
    }
    let db = rusqlite::Connection::open(desk.source("db.sqlite")).unwrap();
    db.execute_batch(
        "CREATE TABLE runs (run_id TEXT, target_date TEXT, created_at TEXT, params_json TEXT);
         CREATE TABLE icon_assets (url TEXT, sha256 TEXT, local_path TEXT, error TEXT);
         CREATE TABLE equipment_shape_items (run_id TEXT, ocid TEXT, item_equipment_part TEXT,
             equipment_slot TEXT, item_name TEXT, item_description TEXT, item_shape_name TEXT,
             item_shape_icon_url TEXT);
         CREATE TABLE cash_items (run_id TEXT, ocid TEXT, preset_no INT,
             cash_item_equipment_part TEXT, cash_item_equipment_slot TEXT, cash_item_name TEXT,
             cash_item_description TEXT, cash_item_icon_url TEXT);
         INSERT INTO runs VALUES ('r1', '2026-01-11', '2026-01-11', '{}');
         INSERT INTO icon_assets VALUES
             ('u:a', NULL, 'icons/a.png', NULL), ('u:b', NULL, 'icons/b.png', NULL),
             ('u:gone', NULL, 'icons/gone.png', NULL), ('u:none', NULL, NULL, 'timeout');
         INSERT INTO equipment_shape_items VALUES
             ('r1', 'o', '모자', '모자', '붉은 모자', NULL, NULL, 'u:a'),
             ('r1', 'o', '모자', '', '같은 그림', NULL, NULL, 'u:a'),
             ('r1', 'o', '모자', '', NULL, NULL, NULL, 'u:a'),
             ('r1', 'o', '모자', '', '잃은 모자', NULL, NULL, 'u:gone');
         INSERT INTO cash_items VALUES
             ('r1', 'o', 1, '모자', '모자', '둥근 모자', '둥글다.', 'u:b'),
             ('r1', 'o', 1, '모자', '모자', '주소 없는 것', NULL, NULL),
             ('r1', 'o', 1, '모자', '모자', '빈 모자', NULL, 'u:none');",
    )
    .unwrap();
}

#[test]
fn a_long_text_of_a_source_is_shortened_in_messages_and_kept_in_the_files() {
    let desk = Desk::new();
    let (name, path) = ("가".repeat(300_000), "x".repeat(900_000));
    let row = |name: &str, path: &str| {
        json!({"image_path": path, "item_name": name, "source_type": "cash"}).to_string()
    };
    let rows = format!("{}\n{}\n", row(&name, "no.png"), row("모자", &path));
    std::fs::write(desk.source("m.jsonl"), rows).unwrap();
    let ended = desk.batch_of(&["--input", "source/m.jsonl"], &[]).expect(3);
    for line in ended.err.lines().chain(ended.out.lines()) {
        let (chars, start) = (line.chars().count(), line.chars().take(80));
        assert!(chars < 2100, "{chars}: {}", start.collect::<String>());
    }
    assert!(
        ended.err.contains("missing_image (there is no file"),
        "{}",
        ended.err
    );
    let errors = desk.errors();
    assert_eq!(
        (&errors[0]["item_name"], &errors[1]["image_path"]),
        (&json!(name), &json!(path))
    );
    for error in errors {
        assert!(error["detail"].as_str().unwrap().chars().count() < 2100);
    }
    let log = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    assert_eq!(log.matches(" failed name=").count(), 2);
    assert!(log.lines().all(|line| line.chars().count() < 20_000));
    // The lines of the first run are known to the second.
    desk.batch_of(&["--input", "source/m.jsonl"], &["--resume"])
        .expect(3);
    assert_eq!(desk.errors().len(), 2);
}

#[test]
fn many_failures_are_listed_in_the_log_and_counted_in_messages() {
    let desk = Desk::new();
    let row = |n: u32| {
        let path = format!("{n}.png");
        json!({"image_path": path, "item_name": "모자", "source_type": "cash"}).to_string() + "\n"
    };
    std::fs::write(desk.source("m.jsonl"), (0..50).map(row).collect::<String>()).unwrap();
    let ended = desk.batch_of(&["--input", "source/m.jsonl"], &[]).expect(3);
    let err = &ended.err;
    assert_eq!(
        err.matches("failed: 모자: missing_image").count(),
        10,
        "{err}"
    );
    let more = "failed: more items with missing_image, which are listed in labeler.log\n";
    assert_eq!(err.matches(more).count(), 1, "{err}");
    assert!(
        ended.out.contains("failed: 50 missing_image\n"),
        "{}",
        ended.out
    );
    let log = std::fs::read_to_string(desk.out("labeler.log")).unwrap();
    assert_eq!(log.matches("missing_image").count(), 50);
    assert_eq!(desk.errors().len(), 50);
}

#[test]
fn labels_inside_their_source_are_never_read_as_rows() {
    let desk = Desk::with_icons(&["가"]);
    let row = json!({"image_path": "가.png", "item_name": "가", "source_type": "cash"});
    // Not the folder of the sources, where nothing may be written.
    let set = desk.path().join("set");
    std::fs::create_dir(&set).unwrap();
    std::fs::copy(desk.source("가.png"), set.join("가.png")).unwrap();
    std::fs::write(set.join("rows.jsonl"), format!("{row}\n")).unwrap();
    let labels = |outdir: &str, resume: &[&str]| {
        let mut args = vec!["--batch", "--json", "--input", "set", "--outdir", outdir];
        args.extend(resume);
        let ended = crate::common::ended(&mut desk.command(&args)).expect(0);
        let summary = ended.events().pop().unwrap();
        assert_eq!(summary["records"], 1, "{outdir}: {summary}");
        assert_eq!(summary["rows"], 1, "{outdir}: {summary}");
        ended.err + &ended.out
    };
    labels("set/out", &[]);
    let again = labels("set/out", &["--resume"]);
    assert_eq!(
        again.matches("skipped out, written by").count(),
        1,
        "{again}"
    );
    labels("set/out2", &[]);
    labels("set", &[]);
    labels("set", &["--resume"]);
    labels("out", &[]);
}
