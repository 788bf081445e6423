//! `report`: writes one self-contained page.

use crate::common::{Desk, Ended, ended, good, say};
use serde_json::{Value, json};

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{202e} & 모자";

fn report(desk: &Desk, args: &[&str]) -> Ended {
    let mut all = vec!["report", "--outdir", "out"];
    all.extend(args);
    ended(&mut desk.plain(&all))
}

/// The data that the page's script reads.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn a_page_has_every_record_with_its_icon_and_needs_nothing_else() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.icon("다");
    std::fs::write(desk.source("다.txt"), HOSTILE).unwrap();
    std::fs::write(desk.source("글.png"), "no picture").unwrap();
    desk.otherwise(&[say(good("모자"))]);
    desk.batch(&[]).expect(3);
    let ended = report(&desk, &["--html", "page.html"]).expect(0);
    assert!(
        ended
            .out
            .starts_with("4 images in page.html\n1 image could not"),
        "{}",
        ended.out
    );
    let page = std::fs::read_to_string(desk.path().join("page.html")).unwrap();
    // No item text can close the script element, and nothing is fetched.
    assert_eq!(page.matches("</script>").count(), 2);
    for forbidden in [
        "http://",
        "https://",
        "url(",
        "@import",
        "\u{202e}",
        "<img src=x",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let data = data(&page);
    let records = data["records"].as_array().unwrap();
    let names: Vec<&str> = records
        .iter()
        .map(|record| record["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "가",
            "글",
            "나",
            "</script><img src=x onerror=alert(1)> & 모자"
        ]
    );
    assert_eq!(records[0]["icon"][0], "image/png");
    assert_eq!(records[1]["icon"], Value::Null);
    assert!(
        records[1]["failure"]
            .as_str()
            .unwrap()
            .starts_with("image_load_failed")
    );
    let states = &data["meta"]["states"];
    let state = records[0]["state"].as_u64().unwrap() as usize;
    assert_eq!(states[state], "committed");
    assert_eq!(records[0]["before"], Value::Null);
}

#[test]
fn an_edit_is_shown_beside_the_first_text() {
    let mut desk = Desk::with_icons(&["가"]);
    let mut careless = good("나");
    careless["label_ko"] = "붉은 천으로 지은 모자".into();
    desk.icon("나");
    desk.plays("나", &[say(careless)]);
    desk.batch(&[]).expect(0);
    let fix = ["fix", "--outdir", "out", "--filter", ""];
    ended(&mut desk.plain(&fix)).expect(0);
    report(&desk, &["--html", "page.html"]).expect(0);
    let page = std::fs::read_to_string(desk.path().join("page.html")).unwrap();
    let data = data(&page);
    assert_eq!(data["meta"]["fields"][0]["key"], "label_ko");
    let record = &data["records"][1];
    assert_eq!(record["before"][0], json!(["붉은 천으로 지은 모자"]));
    assert!(record["values"][0][0].as_str().unwrap().contains('나'));
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_and_leaves_no_files() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    std::fs::create_dir(desk.path().join("folder")).unwrap();
    let ended = report(&desk, &["--html", "folder"]).expect(1);
    assert!(ended.err.contains("not a regular file"), "{}", ended.err);
    report(&desk, &["--html", "nowhere/page.html"]).expect(1);
    let left = std::fs::read_dir(desk.path().join("folder")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn only_an_earlier_page_is_replaced() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let thesis = "<!doctype html>\n<title>my thesis</title>\n";
    std::fs::write(desk.path().join("thesis.html"), thesis).unwrap();
    for name in [
        "out/journal.sqlite",
        "out/labels.jsonl",
        "source/가.png",
        "thesis.html",
    ] {
        let path = desk.path().join(name);
        let before = std::fs::read(&path).unwrap();
        let refused = report(&desk, &["--html", name]).expect(2);
        assert!(
            refused.err.contains("is not a report of labeler-tui"),
            "{}",
            refused.err
        );
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
    }
    for _ in 0..2 {
        report(&desk, &["--html", "page.html"]).expect(0);
    }
}
