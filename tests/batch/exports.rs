//! Exported lines match the image files, and no bytes of other programs are lost from an outdir.

use crate::common::{Desk, Ended, good, lines, picture, say};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// A manifest of pictures under `folder`, each named after its file.
fn manifest(desk: &Desk, folder: &str, names: &[&str]) {
    let row = |name: &&str| {
        let path = format!("{folder}{name}.png");
        let row = json!({ "image_path": path, "item_name": name, "source_type": "cash" });
        format!("{row}\n")
    };
    let text: String = names.iter().map(row).collect();
    std::fs::write(desk.source("m.jsonl"), text).unwrap();
}

fn run(desk: &Desk, args: &[&str]) -> Ended {
    let mut all = vec!["--resume", "--json"];
    all.extend(args);
    desk.batch_of(&["--input", "source/m.jsonl"], &all)
}

fn desk(names: &[&str]) -> Desk {
    let desk = Desk::with_icons(names);
    manifest(&desk, "", names);
    run(&desk, &["--parquet"]).expect(0);
    desk
}

fn summary(ended: &Ended) -> Value {
    ended.events().pop().unwrap()
}

fn sha256(path: &Path) -> String {
    let hash = Sha256::digest(std::fs::read(path).unwrap());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The labels by the hash of the image that is at their path now. Fails if a record has another
/// hash or a path is there twice.
#[track_caller]
fn labels(desk: &Desk) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut paths = Vec::new();
    for record in desk.records() {
        let path = record["image_path"].as_str().unwrap().to_owned();
        let hash = sha256(&desk.source(&path));
        assert_eq!(record["image_sha256"], hash, "{path}");
        assert!(!paths.contains(&path), "{path} is there twice");
        paths.push(path);
        found.insert(hash, record["label_ko"].as_str().unwrap().to_owned());
    }
    found
}

fn read_first_line(desk: &Desk) -> String {
    let text = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    text.lines().next().unwrap().to_owned()
}

fn rename(desk: &Desk, from: &str, to: &str) {
    std::fs::rename(desk.source(from), desk.source(to)).unwrap();
}

#[test]
fn swapped_images_keep_their_labels() {
    let desk = desk(&["가", "나", "다"]);
    let before = labels(&desk);
    rename(&desk, "가.png", "t");
    rename(&desk, "나.png", "가.png");
    rename(&desk, "t", "나.png");
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(labels(&desk), before);
    assert_eq!(summary(&ended)["moved"], 2);
    assert_eq!(summary(&ended)["requests"], 0);
    assert_eq!(summary(&run(&desk, &[]).expect(0))["moved"], 0);
}

#[test]
fn a_renamed_image_and_a_new_one_with_its_old_name_have_a_line_each() {
    for names in [["가", "나", "하"], ["하", "나", "가"]] {
        let mut desk = desk(&["가", "나"]);
        let before = labels(&desk);
        rename(&desk, "가.png", "하.png");
        picture("새것").save(desk.source("가.png")).unwrap();
        manifest(&desk, "", &names);
        let mut answer = good("가");
        answer["label_ko"] = "붉은 천으로 새로 지은 가".into();
        desk.plays("가", &[say(answer)]);
        let ended = run(&desk, &[]).expect(0);
        assert_eq!(summary(&ended)["requests"], 1, "{names:?}");
        let mut after = labels(&desk);
        let new = after.remove(&sha256(&desk.source("가.png"))).unwrap();
        assert!(new.contains("새로"));
        assert_eq!(after, before);
        let paths: Vec<Value> = desk
            .records()
            .iter()
            .map(|r| r["image_path"].clone())
            .collect();
        assert_eq!(paths, names.map(|name| format!("{name}.png")));
    }
}

#[test]
fn the_lines_of_a_renamed_folder_have_its_new_path() {
    let desk = Desk::with_icons(&["가", "나"]);
    std::fs::create_dir(desk.source("i")).unwrap();
    for name in ["가.png", "나.png"] {
        rename(&desk, name, &format!("i/{name}"));
    }
    manifest(&desk, "i/", &["가", "나"]);
    run(&desk, &["--parquet"]).expect(0);
    let before = labels(&desk);
    rename(&desk, "i", "j");
    manifest(&desk, "j/", &["가", "나"]);
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(labels(&desk), before);
    assert_eq!(summary(&ended)["moved"], 2);
}

#[test]
fn the_record_of_a_replaced_image_is_withheld_until_the_image_returns() {
    let desk = desk(&["가", "나"]);
    let before = labels(&desk);
    rename(&desk, "가.png", "away");
    picture("다른 것").save(desk.source("가.png")).unwrap();
    let line = read_first_line(&desk);
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(summary(&ended)["withheld"], 1);
    assert_eq!(summary(&ended)["withheld_paths"], json!(["가.png"]));
    assert_eq!(summary(&ended)["requests"], 1);
    let events = ended.events();
    let read = events.iter().find(|event| event["event"] == "source_read");
    assert_eq!(read.unwrap()["withheld"], 1);
    // Its text can be read there.
    let kept = std::fs::read_to_string(desk.out("labels_kept.jsonl")).unwrap();
    assert_eq!(kept.lines().next(), Some(line.as_str()));
    assert_eq!(labels(&desk).len(), 2);
    let text = desk
        .batch_of(&["--input", "source/m.jsonl"], &["--resume"])
        .expect(0);
    assert!(text.out.contains("withheld: 1 ("), "{}", text.out);
    assert!(text.out.contains("\n  가.png\n"), "{}", text.out);

    rename(&desk, "away", "하.png");
    manifest(&desk, "", &["가", "나", "하"]);
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(summary(&ended)["withheld"], 0);
    assert_eq!(summary(&ended)["requests"], 0);
    let after = labels(&desk);
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|(hash, label)| after[hash] == *label));
}

#[test]
fn the_record_of_an_overwritten_image_is_withheld() {
    let desk = desk(&["가", "나"]);
    std::fs::copy(desk.source("가.png"), desk.source("나.png")).unwrap();
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(summary(&ended)["withheld"], 1);
    assert_eq!(labels(&desk).len(), 1);
}

#[test]
fn an_image_that_is_merely_missing_keeps_its_line() {
    let desk = desk(&["가", "나"]);
    let before = std::fs::read(desk.out("labels.jsonl")).unwrap();
    std::fs::remove_file(desk.source("가.png")).unwrap();
    let ended = run(&desk, &[]);
    assert_eq!(summary(&ended)["withheld"], 0);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), before);
}

/// A line as another program writes it, with its own spacing and keys.
fn foreign_line(path: &str, hash: &str, name: &str) -> String {
    format!(
        "{{\"score\": 0.50, \"image_path\" : \"{path}\",  \"image_sha256\": \"{hash}\", \
         \"source_type\": \"cash\", \"item_name\": \"{name}\", \"label_ko\": \"{name}\\u0021\"}}"
    )
}

#[test]
fn only_the_path_changes_in_a_line_of_an_earlier_file() {
    let desk = Desk::with_icons(&["가", "나"]);
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let line = |path: &str, name: &str| {
        foreign_line(path, &sha256(&desk.source(&format!("{name}.png"))), name)
    };
    let earlier = format!("{}\n{}\n", line("옛/나.png", "나"), line("가.png", "가"));
    std::fs::write(desk.out("labels.jsonl"), earlier).unwrap();
    manifest(&desk, "", &["가", "나"]);
    let ended = run(&desk, &[]).expect(0);
    assert_eq!(summary(&ended)["moved"], 1);
    let expected = format!("{}\n{}\n", line("가.png", "가"), line("나.png", "나"));
    let text = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    assert_eq!(text, expected);
    assert!(!desk.out("labels_kept.jsonl").exists());
}

#[test]
fn a_withheld_line_of_an_earlier_file_is_kept_aside() {
    let desk = Desk::with_icons(&["가"]);
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let line = foreign_line("가.png", &"0".repeat(64), "가");
    std::fs::write(desk.out("labels.jsonl"), format!("{line}\n")).unwrap();
    manifest(&desk, "", &["가"]);
    let ended = desk
        .batch_of(&["--input", "source/m.jsonl"], &["--resume"])
        .expect(0);
    assert!(ended.err.contains("labels_kept.jsonl"), "{}", ended.err);
    assert!(
        ended.out.contains("kept lines: out/labels_kept.jsonl"),
        "{}",
        ended.out
    );
    let kept = std::fs::read_to_string(desk.out("labels_kept.jsonl")).unwrap();
    assert_eq!(kept, format!("{line}\n"));
    assert_eq!(labels(&desk).len(), 1);
    run(&desk, &[]).expect(0);
    let again = std::fs::read_to_string(desk.out("labels_kept.jsonl")).unwrap();
    assert_eq!(again, kept);
}

#[test]
fn a_line_that_was_edited_between_two_runs_is_kept_aside() {
    let mut desk = desk(&["가", "나"]);
    let text = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    let edited = text.replacen("붉은", "내가 고친", 1);
    std::fs::write(desk.out("labels.jsonl"), &edited).unwrap();
    desk.icon("다");
    desk.plays("다", &[say(good("다"))]);
    manifest(&desk, "", &["가", "나", "다"]);
    let ended = run(&desk, &[]).expect(0);
    let kept = std::fs::read_to_string(desk.out("labels_kept.jsonl")).unwrap();
    assert_eq!(
        kept.lines().collect::<Vec<_>>(),
        [edited.lines().next().unwrap()]
    );
    let warned = ended.events().into_iter().any(|event| {
        event["event"] == "warning" && event["text"].as_str().unwrap().contains("labels_kept")
    });
    assert!(warned, "{}", ended.out);
    assert_eq!(labels(&desk).len(), 3);
}

#[test]
fn a_link_to_the_labels_stays_a_link() {
    let desk = Desk::with_icons(&["가", "나"]);
    let shared = desk.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::create_dir(desk.path().join("out")).unwrap();
    std::fs::write(shared.join("theirs.jsonl"), "").unwrap();
    symlink("../shared/theirs.jsonl", desk.out("labels.jsonl")).unwrap();
    symlink("../shared/missing.parquet", desk.out("labels.parquet")).unwrap();
    manifest(&desk, "", &["가", "나"]);
    run(&desk, &["--parquet"]).expect(0);
    for name in ["labels.jsonl", "labels.parquet"] {
        let there = std::fs::symlink_metadata(desk.out(name)).unwrap();
        assert!(there.is_symlink(), "{name}");
    }
    assert_eq!(lines(&shared.join("theirs.jsonl")).len(), 2);
    let mut files: Vec<_> = std::fs::read_dir(&shared)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["missing.parquet", "theirs.jsonl"]);
}

#[test]
fn a_link_to_another_programs_file_is_not_written_through() {
    for name in ["labels.jsonl", "labels_errors.jsonl", "labels.parquet"] {
        // A file whose extension differs, and one with the same extension but other contents.
        let (_, ending) = name.split_once('.').unwrap();
        for (theirs, why) in [
            ("notes.txt".to_owned(), "a file of another type"),
            (format!("notes.{ending}"), "did not write"),
        ] {
            let desk = Desk::with_icons(&["가"]);
            let theirs = desk.path().join(theirs);
            std::fs::write(&theirs, "somebody's notes\n").unwrap();
            std::fs::create_dir(desk.path().join("out")).unwrap();
            symlink(&theirs, desk.out(name)).unwrap();
            manifest(&desk, "", &["가"]);
            let ended = run(&desk, &["--parquet"]).expect(2);
            assert!(ended.err.contains(why), "{name}: {}", ended.err);
            let now = std::fs::read_to_string(&theirs).unwrap();
            assert_eq!(now, "somebody's notes\n", "{name}");
        }
    }
}

#[test]
fn an_export_keeps_mode_and_group_of_the_file_it_replaces() {
    let mut desk = desk(&["가"]);
    let path = desk.out("labels.jsonl");
    // Created with the umask of this process, like any other file.
    let other = desk.path().join("any");
    std::fs::write(&other, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&path), mode(&other));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&path, None, Some(4242)).unwrap();
    }
    desk.icon("나");
    desk.plays("나", &[say(good("나"))]);
    manifest(&desk, "", &["가", "나"]);
    run(&desk, &[]).expect(0);
    assert_eq!(lines(&path).len(), 2);
    assert_eq!(mode(&path), 0o640);
    if is_root {
        assert_eq!(std::fs::metadata(&path).unwrap().gid(), 4242);
    }
}

#[test]
fn only_temporary_files_of_labeler_tui_are_removed() {
    let desk = desk(&["가"]);
    let precious = desk.path().join("precious");
    std::fs::write(&precious, "mine").unwrap();
    let planted = ".labels.jsonl.Abcdefg1.tmp";
    symlink(&precious, desk.out(planted)).unwrap();
    for name in [
        ".labels.jsonl.0123abCD.tmp",
        ".labels.parquet.tmp",
        ".labels.jsonl.mine.tmp",
    ] {
        std::fs::write(desk.out(name), "half").unwrap();
    }
    run(&desk, &[]).expect(0);
    assert!(!desk.out(".labels.jsonl.0123abCD.tmp").exists());
    assert!(!desk.out(".labels.parquet.tmp").exists());
    assert!(desk.out(".labels.jsonl.mine.tmp").exists());
    assert!(desk.out(planted).is_symlink());
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "mine");
}

#[test]
fn a_damaged_record_does_not_replace_its_good_line() {
    let mut desk = desk(&["가", "나"]);
    let before = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    let db = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    let damaged = db.execute(
        "UPDATE records SET record = replace(record, '붉은', '푸른') WHERE id = 1",
        [],
    );
    assert_eq!(damaged.unwrap(), 1);
    drop(db);
    desk.icon("다");
    desk.plays("다", &[say(good("다"))]);
    manifest(&desk, "", &["가", "나", "다"]);
    let ended = run(&desk, &[]).expect(3);
    let after = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    assert!(after.starts_with(&before), "{after}");
    assert_eq!(after.lines().count(), 3);
    assert_eq!(summary(&ended)["damaged"], 1);
    let warnings: Vec<String> = ended
        .events()
        .iter()
        .filter_map(|event| event["text"].as_str().map(str::to_owned))
        .collect();
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("가.png") && text.contains("damaged"))
    );
    assert!(warnings.iter().any(|text| text.contains("journal rebuild")));
    // It is reported again when there is nothing to export.
    assert_eq!(summary(&run(&desk, &[]).expect(3))["damaged"], 1);
    assert_eq!(
        std::fs::read_to_string(desk.out("labels.jsonl")).unwrap(),
        after
    );
}
