//! Real models: the built-in one, and the smallest fixture checkpoint.

use crate::common::{Desk, ended};
use serde_json::Value;
use std::path::Path;

fn journal(desk: &Desk, query: &str) -> Vec<Value> {
    let db = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    let mut select = db.prepare(query).unwrap();
    let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap())
        .collect()
}

#[test]
fn the_demo_labels_the_sample_items() {
    let desk = Desk::new();
    let args = [
        "--demo",
        "--batch",
        "--outdir",
        "out",
        "--max-samples",
        "6",
        "--json",
    ];
    let demo = ended(&mut desk.plain(&args)).expect(0);
    let records = desk.records();
    assert_eq!(records.len(), 6);
    for record in &records {
        let name = record["item_name"].as_str().unwrap();
        assert!(
            record["label_ko"].as_str().unwrap().contains(name),
            "{record}"
        );
        assert_eq!(record["model"], "demo");
        assert_eq!(record["prompt_version"], "demo");
    }
    let summary = demo.events().pop().unwrap();
    for stage in ["preprocess", "vision", "prefill", "decode"] {
        assert!(
            summary["stage_seconds"][stage].as_f64().unwrap() > 0.0,
            "{stage}"
        );
    }
    for attempt in journal(&desk, "SELECT attempt FROM attempts") {
        assert!(!attempt["confidence"].as_array().unwrap().is_empty());
        assert!(attempt["tokens"]["forced"].as_u64().unwrap() > 0);
    }
    let mut again = args.to_vec();
    again.push("--resume");
    let again = ended(&mut desk.plain(&again)).expect(0);
    assert_eq!(again.events().pop().unwrap()["requests"], 0);
}

#[test]
fn memory_that_has_room_for_no_icon_is_refused_with_what_suffices() {
    let desk = Desk::new();
    let run = |memory: &str| {
        let args = [
            "--demo",
            "--batch",
            "--outdir",
            "out",
            "--max-samples",
            "1",
            "--resume",
            "--kv-memory",
            memory,
        ];
        ended(&mut desk.plain(&args))
    };
    let refused = run("1MiB").expect(2).err;
    let (_, enough) = refused.split_once("give --kv-memory ").unwrap();
    run(enough.split(' ').next().unwrap()).expect(0);
    assert_eq!(desk.records().len(), 1);
    assert!(desk.errors().is_empty());
}

#[test]
fn an_untrained_checkpoint_still_writes_valid_records() {
    let desk = Desk::with_icons(&["가죽 모자"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flat");
    let model = folder.to_str().unwrap();
    for (outdir, more) in [
        ("plain", &["--quantize", "none", "--precision", "fp32"][..]),
        (
            "q8",
            &["--quantize", "q8_0", "--device", "cpu", "--batch-size", "1"],
        ),
        ("q4", &["--load-4bit", "--max-new-tokens", "40"]),
    ] {
        let mut args = vec!["--batch", "--images", "source", "--outdir", outdir];
        args.extend(["--model", model, "--prompt-version", "v1", "--offline"]);
        args.extend(more);
        ended(&mut desk.plain(&args)).expect(0);
        let records = crate::common::lines(&desk.path().join(outdir).join("labels.jsonl"));
        assert_eq!(records.len(), 1, "{outdir}");
        let label = records[0]["label_ko"].as_str().unwrap();
        assert!(label.contains("가죽 모자"), "{label}");
        let reasons = records[0]["quality_flags"]["reasons"].to_string();
        assert!(outdir != "q4" || reasons.contains("truncated"), "{reasons}");
    }
}
