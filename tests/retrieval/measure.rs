//! The `retrieval` command: ranks, metrics, and the `not_found` reason.

use super::{distance, open, options, retriever};
use crate::common::{Desk, Ended, ended, good, say};
use labeler_tui::icon::{self, Picture};
use labeler_tui::record::{Background, Change, Field, GroupId, Vocabulary};
use labeler_tui::store::{Journal, Lock};
use serde_json::{Value, json};
use std::sync::Arc;

const ICONS: usize = 40;

fn name(at: usize) -> String {
    format!("{at:02}번 모자")
}

/// Icons that look very different from each other, each with a committed record.
fn desk() -> Desk {
    let mut desk = Desk::new();
    for at in 0..ICONS {
        let path = desk.source(&format!("{}.png", name(at)));
        picture(at).save(path).unwrap();
        desk.plays(&name(at), &[say(good(&name(at)))]);
    }
    desk.batch(&[]).expect(0);
    desk
}

fn picture(at: usize) -> image::RgbaImage {
    image::RgbaImage::from_fn(20, 20, |x, y| {
        let cell = (x / 5 + 7 * (y / 5) + 1) as usize * (2 * at + 3);
        let level = |by: usize| (cell * by % 256) as u8;
        image::Rgba([level(31), level(57), level(101), 255])
    })
}

fn measure(desk: &Desk, args: &[&str]) -> Ended {
    let retriever = retriever("siglip");
    let mut all = vec!["retrieval", "--outdir", "out", "--offline", "--retriever"];
    all.push(retriever.to_str().unwrap());
    all.extend(args);
    ended(&mut desk.plain(&all))
}

fn measured(desk: &Desk) -> Value {
    serde_json::from_str(&measure(desk, &["--json"]).expect(0).out).unwrap()
}

fn journal(desk: &Desk) -> Journal {
    Journal::lock(&desk.out(""), Arc::new(Vocabulary::builtin().unwrap())).unwrap()
}

fn listed(desk: &Desk, filter: &str) -> Vec<Value> {
    let ended = ended(&mut desk.plain(&["list", "--outdir", "out", "--json", "--filter", filter]));
    ended.expect(0).events()
}

#[test]
fn ranks_follow_from_the_vectors() {
    let desk = desk();
    let measured = measured(&desk);
    assert_eq!(measured["images"], ICONS);
    let records = measured["records"].as_array().unwrap();
    assert_eq!(records.len(), ICONS);
    let retriever = open(&options(&retriever("siglip"))).unwrap();
    let pictures: Vec<Picture> = records
        .iter()
        .map(|record| {
            let path = desk.source(record["image_path"].as_str().unwrap());
            let icon = icon::decode(&std::fs::read(path).unwrap()).unwrap();
            icon::picture(&icon, 1, Background::White)
        })
        .collect();
    let images = retriever.images.embed(&pictures).unwrap();
    assert!(distance(&images[0], &images[1]) > 1e-3);
    let mut ranks = Vec::new();
    for (own, record) in records.iter().enumerate() {
        let label = &record["label"];
        let text = label["text"].as_str().unwrap();
        let text = retriever.texts.embed(&[text]).unwrap().remove(0);
        let dot = |image: &Vec<f32>| image.iter().zip(&text).map(|(a, b)| a * b).sum::<f32>();
        let scores: Vec<f32> = images.iter().map(dot).collect();
        let better = scores
            .iter()
            .filter(|score| **score > scores[own] + 1e-6)
            .count();
        assert_eq!(label["rank"], better + 1, "{record}");
        ranks.push(better + 1);
        let best = (0..ICONS)
            .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
            .unwrap();
        match better {
            0 => assert!(label["confused"].is_null()),
            _ => assert_eq!(label["confused"]["image_path"], records[best]["image_path"]),
        }
        assert_eq!(record["queries"].as_array().unwrap().len(), 3);
    }
    let share = |most: usize| {
        let within = ranks.iter().filter(|rank| **rank <= most).count();
        within as f64 / ICONS as f64
    };
    let labels = &measured["labels"]["after"];
    assert_eq!(labels["texts"], ICONS);
    assert_eq!(labels["recall_1"], share(1));
    assert_eq!(labels["recall_5"], share(5));
    assert_eq!(labels["recall_10"], share(10));
    assert_eq!(measured["labels"]["before"], *labels);
    assert_eq!(measured["queries"]["after"]["texts"], 3 * ICONS);
}

#[test]
fn a_label_that_does_not_find_its_icon_has_a_reason_until_it_is_edited() {
    let desk = desk();
    assert!(listed(&desk, "reason:not_found").is_empty());
    let records = measured(&desk)["records"].clone();
    let missed: Vec<&Value> = records
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["not_found"] == true)
        .collect();
    // With random weights, most labels miss their icon.
    assert!(!missed.is_empty() && missed.len() < ICONS);
    let found = listed(&desk, "reason:not_found");
    assert_eq!(found.len(), missed.len());
    let record = missed[0];
    let path = record["image_path"].as_str().unwrap();
    let entry = found.iter().find(|it| it["image_path"] == path).unwrap();
    let reasons = entry["reasons"].as_array().unwrap();
    let reason = reasons.iter().find(|it| it["code"] == "not_found").unwrap();
    assert_eq!(reason["fixes"], json!([]));
    assert_eq!(
        reason["about"][0],
        format!("{}/{ICONS}", record["label"]["rank"])
    );
    let other = record["label"]["confused"]["image_path"].as_str().unwrap();
    assert_eq!(reason["about"][1], record["label"]["confused"]["item_name"]);
    assert_eq!(reason["about"][2], other);
    // The report and the dataset card show it too.
    ended(&mut desk.plain(&["report", "--outdir", "out", "--html", "page.html"])).expect(0);
    let page = std::fs::read_to_string(desk.path().join("page.html")).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let shown = data["records"].as_array().unwrap();
    let shown = shown.iter().find(|it| it["path"] == path).unwrap();
    assert_eq!(shown["instead"], other);
    assert!(page.contains("find their icon first"));
    assert!(page.contains("<h2>Retrieval</h2>") && page.contains("<th>labels</th><td>40</td>"));
    let export = [
        "export", "--outdir", "out", "--to", "set", "--format", "sidecar",
    ];
    ended(&mut desk.plain(&export)).expect(0);
    let card = std::fs::read_to_string(desk.path().join("set/README.md")).unwrap();
    assert!(
        card.contains("## Retrieval") && card.contains("| labels | 40 |"),
        "{card}"
    );
    // An edit removes the reason: the rank of the new text is not known yet.
    let mut journal = journal(&desk);
    let group = journal.group_at(path).unwrap().unwrap();
    write(&mut journal, group, "금색 왕관이 달린 모자");
    drop(journal);
    let after = listed(&desk, "reason:not_found");
    assert!(after.iter().all(|it| it["image_path"] != path));
    assert_eq!(after.len(), found.len() - 1);
}

fn write(journal: &mut Journal, group: GroupId, label: &str) {
    let change = Change::Set {
        field: Field::LabelKo,
        values: vec![label.to_owned()],
    };
    journal.apply(&[group], &change, "edit").unwrap();
}

#[test]
fn vectors_are_cached_and_edits_are_compared_with_the_first_texts() {
    let desk = desk();
    let first = measured(&desk);
    let again = measure(&desk, &[]).expect(0).out;
    assert!(again.contains(" 0 vectors computed"), "{again}");
    assert!(again.contains("40 images"), "{again}");
    let mut journal = journal(&desk);
    for at in 0..5 {
        let path = format!("{}.png", name(at));
        let group = journal.group_at(&path).unwrap().unwrap();
        write(
            &mut journal,
            group,
            &format!("별 {at}개가 박힌 {}", name(at)),
        );
    }
    drop(journal);
    let edited = measure(&desk, &[]).expect(0).out;
    assert!(edited.contains(" 5 vectors computed"), "{edited}");
    let edited = measured(&desk);
    assert_eq!(edited["labels"]["before"], first["labels"]["after"]);
    assert_ne!(edited["labels"]["after"], edited["labels"]["before"]);
    assert_eq!(edited["queries"]["after"], first["queries"]["after"]);
    // Deleted vector files are computed again.
    for file in std::fs::read_dir(desk.out("")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("vectors-") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let recomputed = measured(&desk);
    let ranks = |measured: &Value| -> Vec<Value> {
        let records = measured["records"].as_array().unwrap().iter();
        records
            .map(|record| record["label"]["rank"].clone())
            .collect()
    };
    assert_eq!(ranks(&recomputed), ranks(&edited));
}

#[test]
fn a_missing_image_is_reported_and_the_rest_is_searched() {
    let desk = desk();
    let missing = format!("{}.png", name(7));
    std::fs::remove_file(desk.source(&missing)).unwrap();
    let ended = measure(&desk, &["--json"]).expect(3);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(object["images"], ICONS - 1);
    assert_eq!(object["unreadable"][0]["image_path"], missing);
}

#[test]
fn the_outdir_must_be_unlocked_and_contain_records() {
    let desk = desk();
    let lock = Lock::take(&desk.out("")).unwrap();
    let busy = measure(&desk, &[]);
    assert_eq!(busy.status, 1, "{}", busy.err);
    assert!(busy.err.contains("process"), "{}", busy.err);
    drop(lock);
    let empty = Desk::new();
    empty.icon("가");
    std::fs::create_dir(empty.path().join("out")).unwrap();
    assert_ne!(measure(&empty, &[]).status, 0);
}
