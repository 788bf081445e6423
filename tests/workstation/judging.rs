//! An audit and a blind comparison of two sets, from start to report.

use super::*;

/// Writes records of an earlier run that pass all rules, with their icons.
fn good_records(dir: &Path, file: &str, color: &str) {
    let mut lines = String::new();
    for (name, red) in [("모자", 200), ("장갑", 220), ("망토", 240)] {
        let icon = image::RgbaImage::from_pixel(24, 24, image::Rgba([red, 30, 35, 255]));
        icon.save(dir.join(format!("{name}.png"))).unwrap();
        let record = serde_json::json!({
            "image_path": format!("{name}.png"), "image_sha256": null, "source_type": "cash",
            "item_name": name, "item_description": null,
            "label_ko": format!("{color} 천으로 지은 단정한 {name}"), "label_en": null,
            "tags_ko": ["장비", "빨간색", "천", "단정한", name],
            "attributes": {
                "colors": ["red"], "theme": ["fashion"], "material": ["fabric"], "vibe": ["cute"],
                "item_type_guess": "hat",
            },
            "query_variants_ko": ["빨간 옷", "천 장비", format!("단정한 {name}")],
            "quality_flags": {"is_uncertain": false, "reasons": []},
            "model": "m", "prompt_version": "v2", "generated_at": "2026-01-10T00:00:00Z",
        });
        lines.push_str(&format!("{record}\n"));
    }
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, lines).unwrap();
}

/// Runs a command without a screen; returns its output on both streams.
#[track_caller]
fn prints(dir: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_labeler-tui"));
    let command = command.args(arguments).env_clear().env("HOME", dir);
    let output = command.current_dir(dir).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

fn json_of(dir: &Path, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&prints(dir, arguments)).unwrap()
}

#[test]
fn an_audit_is_judged_blind_resumed_and_reported_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    good_records(dir.path(), "out/labels.jsonl", "붉은");
    prints(dir.path(), &["journal", "rebuild", "--outdir", "out"]);
    // Without pictures there are no icons to wait for.
    let audit = ["audit", "--outdir", "out", "--pictures", "none"];
    let json = ["audit", "--outdir", "out", "--json"];
    let before = json_of(dir.path(), &json);
    assert_eq!(
        (&before["records"], &before["judged"]),
        (&3.into(), &0.into())
    );

    let mut operator = Operator::start(dir.path(), &audit);
    operator.wait_for("Is this right?");
    operator.press("1");
    operator.wait_for("1/3");
    // Wrong in the colors, taken back; then wrong in the tags.
    operator.press("2");
    operator.wait_for("What is wrong?");
    operator.press("3");
    operator.wait_for("2/3");
    operator.press("u");
    operator.wait_for("taken back");
    operator.press("2");
    operator.wait_for("What is wrong?");
    operator.press("2");
    operator.wait_for("2/3");
    operator.press("q");
    let (status, output) = operator.leave();
    assert_eq!(status, 0);
    let (_, after) = output.split_once(LEAVE_SCREEN).unwrap();
    assert!(
        after.contains("2 of 3 records without a reason are judged"),
        "{after}"
    );
    assert!(after.contains("error rate: 50.0 % (1.3-98.7 %)"), "{after}");

    // The next audit continues with the remaining record.
    let mut operator = Operator::start(dir.path(), &audit);
    operator.wait_for("2/3");
    operator.press("0");
    operator.wait_for("All are judged.");
    operator.press("\r");
    assert_eq!(operator.leave().0, 0);

    let found = json_of(dir.path(), &json);
    assert_eq!(
        (&found["right"], &found["wrong"], &found["unsure"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(found["error"]["rate"], 0.5);
    assert_eq!(found["wrong_fields"][0]["field"], "tags_ko");
    let listed = prints(
        dir.path(),
        &[
            "list",
            "--outdir",
            "out",
            "--filter",
            "judged:wrong",
            "--json",
        ],
    );
    let (line, note) = listed.split_once('\n').unwrap();
    assert!(
        line.contains(r#""judgment":{"verdict":"wrong","field":"tags_ko"}"#),
        "{line}"
    );
    assert!(
        note.contains("error rate 50.0 % (1.3-98.7 %), 1 of 2 judged are wrong"),
        "{note}"
    );
    let export = [
        "export",
        "--outdir",
        "out",
        "--to",
        "set",
        "--format",
        "imagefolder",
        "--images",
        ".",
    ];
    prints(dir.path(), &export);
    let card = std::fs::read_to_string(dir.path().join("set/README.md")).unwrap();
    assert!(
        card.contains("## Audit") && card.contains("- error rate: 50.0 % (1.3-98.7 %)"),
        "{card}"
    );
    prints(
        dir.path(),
        &["report", "--outdir", "out", "--html", "page.html"],
    );
    let page = std::fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(page.contains("<b>50.0 % (1.3-98.7 %)</b>error rate"));
}

#[test]
fn a_blind_comparison_of_sets_without_a_common_image_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    good_records(dir.path(), "first.jsonl", "붉은");
    let other = std::fs::read_to_string(dir.path().join("first.jsonl")).unwrap();
    let other = other.replace(".png", "-2.png");
    std::fs::write(dir.path().join("second.jsonl"), other).unwrap();
    let blind = ["compare", "first.jsonl", "second.jsonl", "--blind"];
    let (status, output) = Operator::start(dir.path(), &blind).leave();
    assert_eq!(status, 2);
    assert!(output.contains("no image is in both sets"), "{output}");
}

#[test]
fn votes_of_a_blind_comparison_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    good_records(dir.path(), "first/labels.jsonl", "붉은");
    prints(dir.path(), &["journal", "rebuild", "--outdir", "first"]);
    good_records(dir.path(), "second.jsonl", "새빨간");
    let blind = [
        "compare",
        "first",
        "second.jsonl",
        "--blind",
        "--pictures",
        "none",
        "--votes",
        "out/votes.jsonl",
    ];
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let mut operator = Operator::start(dir.path(), &blind);
    operator.wait_for("0/3");
    for (key, far) in [("1", "1/3"), ("0", "2/3")] {
        // The two texts may be in either order.
        operator.wait_until("both texts", |screen| {
            screen.contains("새빨간 천으로") && screen.contains(" 붉은 천으로")
        });
        operator.press(key);
        operator.wait_for(far);
    }
    operator.press("q");
    let (status, output) = operator.leave();
    assert_eq!(status, 0);
    assert!(output.contains("votes are in out/votes.jsonl"), "{output}");

    // A crash cut off the last line.
    let votes = dir.path().join("out/votes.jsonl");
    let mut text = std::fs::read_to_string(&votes).unwrap();
    assert_eq!(text.lines().count(), 2);
    text.push_str("{\"at\":\"20");
    std::fs::write(&votes, text).unwrap();
    let mut operator = Operator::start(dir.path(), &blind);
    operator.wait_until("both texts", |screen| {
        screen.contains("2/3") && screen.contains("새빨간 천으로")
    });
    operator.press("2");
    operator.wait_for("All are judged.");
    operator.press("\r");
    assert_eq!(operator.leave().0, 0);

    let found = json_of(dir.path(), &[&blind[..], &["--json"]].concat());
    assert_eq!(
        (&found["differing"], &found["votes"], &found["equal"]),
        (&3.into(), &3.into(), &1.into())
    );
    // Swapping the sets swaps the counts.
    let votes = ["--blind", "--json", "--votes", "out/votes.jsonl"];
    let swapped = [&["compare", "second.jsonl", "first"][..], &votes].concat();
    let swapped = json_of(dir.path(), &swapped);
    assert_eq!((&swapped["a"], &swapped["b"]), (&found["b"], &found["a"]));
}
