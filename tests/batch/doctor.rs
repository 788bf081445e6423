//! `doctor` on everything that a run needs: model, device, source, outdir.

use crate::common::{Desk, Ended, ended};
use labeler_tui::store::Lock;
use serde_json::Value;

/// The areas that `doctor` checked, with verdict, finding and hint.
fn findings(ended: &Ended) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["works"], ended.status == 0);
    report["findings"].as_array().unwrap().clone()
}

fn doctor(desk: &Desk, args: &[&str], status: i32) -> Vec<Value> {
    let mut all = vec!["doctor", "--json", "--model", "demo", "--outdir", "out"];
    all.extend(args);
    findings(&ended(&mut desk.plain(&all)).expect(status))
}

#[track_caller]
fn expect(findings: &[Value], area: &str, verdict: &str, texts: &[&str]) {
    let found = findings.iter().find(|finding| finding["area"] == area);
    let found = found.unwrap_or_else(|| panic!("no finding for {area}"));
    assert_eq!(found["verdict"], verdict, "{found}");
    for text in texts {
        assert!(found.to_string().contains(text), "{found}");
    }
}

#[test]
fn everything_works_with_the_demo_model() {
    let desk = Desk::with_icons(&["가", "나"]);
    let found = doctor(&desk, &["--images", "source"], 0);
    expect(&found, "terminal", "limited", &["--batch"]);
    expect(&found, "device", "works", &["cpu"]);
    expect(&found, "model", "works", &["every tensor in place"]);
    expect(&found, "source", "works", &["rows: 2, images: 2"]);
    expect(
        &found,
        "outdir",
        "works",
        &["created by the first run", "free"],
    );
    assert!(!desk.path().join("out").exists());

    let text = ended(&mut desk.plain(&["doctor", "--demo"])).expect(0).out;
    assert!(
        text.contains("built-in sample, rows: 117, images: 111"),
        "{text}"
    );
}

#[test]
fn a_model_that_is_not_cached_is_reported_without_a_download() {
    let desk = Desk::new();
    let ended = ended(&mut desk.plain(&["doctor", "--json"])).expect(0);
    let words = ["not complete in the local cache", "--model demo"];
    expect(&findings(&ended), "model", "limited", &words);
}

#[test]
fn obstacles_are_reported_with_hints() {
    let desk = Desk::with_icons(&["가"]);
    let manifest = ["가", "나"].map(|name| {
        format!(r#"{{"image_path": "{name}.png", "item_name": "{name}", "source_type": "cash"}}"#)
    });
    let lines = format!("{}\nnonsense\n{}\n", manifest[0], manifest[1]);
    std::fs::write(desk.source("m.jsonl"), lines).unwrap();
    let found = doctor(&desk, &["--input", "source/m.jsonl"], 0);
    let words = [
        "images: 1, items without an image: 1, rows refused: 1, warnings: 1",
        "line 2",
    ];
    expect(&found, "source", "limited", &words);

    std::fs::create_dir(desk.path().join("out")).unwrap();
    let lock = Lock::take(&desk.path().join("out")).unwrap();
    let found = doctor(&desk, &["--images", "nowhere"], 1);
    expect(&found, "source", "broken", &["nowhere", "check the path"]);
    let holder = format!("process {}", std::process::id());
    expect(&found, "outdir", "broken", &[&holder, "another --outdir"]);
    drop(lock);

    let output = ended(&mut desk.plain(&["doctor", "--json", "--model", "source"])).expect(1);
    expect(
        &findings(&output),
        "model",
        "broken",
        &["lacks config.json"],
    );

    std::fs::remove_dir_all(desk.path().join("out")).unwrap();
    std::fs::write(desk.path().join("out"), "").unwrap();
    let found = doctor(&desk, &[], 1);
    expect(&found, "outdir", "broken", &["not a folder"]);
}

#[test]
fn a_path_cannot_steer_the_terminal() {
    let desk = Desk::new();
    let marks = ['\u{61c}', '\u{202e}', '\u{200b}', '\u{9b}', '\u{1b}'];
    let path: String = marks.iter().flat_map(|mark| [*mark, 'x']).collect();
    let text = ended(&mut desk.plain(&["doctor", "--model", "demo", "--images", &path])).expect(1);
    assert!(text.out.contains("\u{fffd}x\u{fffd}x"), "{}", text.out);
    let as_json = ["doctor", "--json", "--model", "demo", "--images", &path];
    let as_json = ended(&mut desk.plain(&as_json)).expect(1);
    for text in [&text.out, &text.err, &as_json.out, &as_json.err] {
        assert!(!text.contains(marks), "{text:?}");
    }
    expect(&findings(&as_json), "source", "broken", &["x\u{202e}x"]);
}
