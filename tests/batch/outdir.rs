//! Outdirs that already contain sources, links, files of other programs or earlier labels, and the
//! commands that move the journal.

use crate::common::{Desk, Ended, ended, good, lines, picture, say};
use labeler_tui::record::{Change, Field, Vocabulary};
use labeler_tui::store::Journal;
use serde_json::json;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Every file in a folder with its bytes.
fn listing(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn journal(desk: &Desk, args: &[&str]) -> Ended {
    let mut all = vec!["journal"];
    all.extend(args);
    all.extend(["--outdir", "out"]);
    ended(&mut desk.plain(&all))
}

#[test]
fn a_source_that_an_export_would_replace_is_refused_and_nothing_is_written() {
    let row = json!({"image_path": "가.png", "item_name": "가", "source_type": "cash"});
    for (option, name) in [
        ("--input", "labels.jsonl"),
        ("--input", "labels_errors.jsonl"),
        ("--input", "labels_unread.jsonl"),
        ("--input", "labels.parquet"),
        ("--db", "journal.sqlite"),
        ("--db", "labeler.lock"),
    ] {
        let desk = Desk::with_icons(&["가"]);
        std::fs::write(desk.source(name), format!("{row}\n")).unwrap();
        let before = listing(&desk.source(""));
        let source = format!("source/{name}");
        let args = ["--batch", "--resume", option, &source, "--outdir", "source"];
        let output = ended(&mut desk.command(&args)).expect(2).err;
        assert_eq!(output.matches(name).count(), 2, "{output}");
        // The same file under another name.
        std::os::unix::fs::symlink(name, desk.source("link.jsonl")).unwrap();
        let args = [
            "--batch",
            "--resume",
            option,
            "source/link.jsonl",
            "--outdir",
            "source",
        ];
        ended(&mut desk.command(&args)).expect(2);
        std::fs::remove_file(desk.source("link.jsonl")).unwrap();
        assert_eq!(listing(&desk.source("")), before);
    }
}

#[test]
fn planted_links_are_refused_before_anything_is_written() {
    for name in [
        "labeler.lock",
        "labeler.log",
        "journal.sqlite",
        "labels_kept.jsonl",
    ] {
        for hard in [false, true] {
            let desk = Desk::with_icons(&["가"]);
            let target = desk.path().join("precious");
            std::fs::write(&target, "precious").unwrap();
            std::fs::create_dir(desk.path().join("out")).unwrap();
            match hard {
                true => std::fs::hard_link(&target, desk.out(name)).unwrap(),
                false => std::os::unix::fs::symlink(&target, desk.out(name)).unwrap(),
            }
            let output = desk.batch(&[]).expect(1).err;
            assert!(
                output.contains(name) && output.contains("hint: "),
                "{output}"
            );
            assert_eq!(std::fs::read(&target).unwrap(), b"precious");
            assert_eq!(
                std::fs::read_dir(desk.path().join("out")).unwrap().count(),
                1
            );
        }
    }
}

#[test]
fn a_database_of_another_program_is_left_unchanged() {
    let desk = Desk::with_icons(&["가"]);
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let other = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    other
        .execute_batch("CREATE TABLE runs (run_id TEXT)")
        .unwrap();
    drop(other);
    let before = std::fs::read(desk.out("journal.sqlite")).unwrap();
    let output = desk.batch(&[]).expect(1).err;
    assert!(
        output.contains("is not a journal of labeler-tui"),
        "{output}"
    );
    assert_eq!(std::fs::read(desk.out("journal.sqlite")).unwrap(), before);
}

#[test]
fn the_journal_follows_the_umask() {
    for (umask, mode) in [("0002", 0o664), ("0077", 0o600)] {
        let desk = Desk::with_icons(&["가"]);
        let program = desk.command(&["--batch", "--images", "source", "--outdir", "out"]);
        let mut shell = std::process::Command::new("/bin/sh");
        shell
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .env("HOME", desk.path().join("home"))
            .current_dir(desk.path());
        ended(&mut shell).expect(0);
        for name in ["journal.sqlite", "labeler.lock", "labeler.log"] {
            let metadata = std::fs::metadata(desk.out(name)).unwrap();
            assert_eq!(metadata.mode() & 0o777, mode, "{name} under {umask}");
        }
    }
}

#[test]
fn a_line_that_cannot_be_read_is_reported_and_its_image_is_labeled() {
    let desk = Desk::with_icons(&["가", "나"]);
    desk.batch(&[]).expect(0);
    let whole = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    let (first, second) = whole.split_once('\n').unwrap();
    let cut = &second[..second.len() - 60];
    let earlier = Desk::with_icons(&["가", "나"]);
    std::fs::create_dir(earlier.path().join("out")).unwrap();
    std::fs::write(earlier.out("labels.jsonl"), format!("{first}\n{cut}")).unwrap();

    let ended = earlier.batch(&["--resume"]).expect(0);
    assert!(ended.err.contains("line 2: "), "{}", ended.err);
    assert!(ended.err.contains("labels_unread.jsonl"), "{}", ended.err);
    let summary = ended.out;
    assert!(summary.contains("2 records (1 new)"), "{summary}");
    assert!(
        summary.contains("unread lines: out/labels_unread.jsonl"),
        "{summary}"
    );
    let read = |name| std::fs::read_to_string(earlier.out(name)).unwrap();
    assert!(read("labels.jsonl").starts_with(&format!("{first}\n")));
    assert_eq!(earlier.records().len(), 2);
    assert_eq!(read("labels_unread.jsonl"), format!("{cut}\n"));
    let before = listing(&earlier.path().join("out"));
    let events = earlier.batch(&["--resume", "--json"]).expect(0).events();
    let summary = events.last().unwrap();
    assert_eq!(summary["requests"], 0, "{summary}");
    assert_eq!(summary["committed"], 2, "{summary}");
    let exports = |files: Vec<(String, Vec<u8>)>| {
        let mut files = files;
        files.retain(|(name, _)| name.ends_with(".jsonl"));
        files
    };
    assert_eq!(
        exports(listing(&earlier.path().join("out"))),
        exports(before)
    );
}

fn change(desk: &Desk, name: &str, changes: &[Change]) {
    let vocabulary = Arc::new(Vocabulary::builtin().unwrap());
    let mut journal = Journal::lock(&desk.out(""), vocabulary).unwrap();
    let all = journal.summaries().unwrap();
    let id = all.iter().find(|group| group.name == name).unwrap().id;
    for change in changes {
        journal.apply(&[id], change, "step").unwrap();
    }
}

fn edit() -> Change {
    Change::Set {
        field: Field::LabelKo,
        values: vec!["손으로 고친 붉은 천 모자".to_owned()],
    }
}

#[test]
fn rejected_items_and_uncommitted_edits_of_records_are_counted_and_complete() {
    let desk = Desk::with_icons(&["가", "나", "다"]);
    desk.batch(&[]).expect(0);
    let reject = Change::Reject {
        reason: "icon of another item".to_owned(),
    };
    change(&desk, "가", &[reject.clone(), Change::Commit]);
    change(&desk, "나", &[reject]);
    change(&desk, "다", &[edit()]);
    let ended = desk.batch(&["--resume"]).expect(0);
    assert!(
        ended
            .out
            .contains("every image has a record or is rejected"),
        "{}",
        ended.out
    );
    for line in [
        "2 records (0 new) of 3",
        "\nrejected: 1 (",
        "\nnot committed: 2 (",
    ] {
        assert!(ended.out.contains(line), "{}", ended.out);
    }
    let events = desk.batch(&["--resume", "--json"]).expect(0).events();
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["rejected"], &summary["uncommitted"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn an_edit_without_a_record_is_named_and_gives_status_3() {
    let desk = Desk::with_icons(&["가", "나"]);
    desk.batch(&[]).expect(0);
    let reason = "icon of another item".to_owned();
    change(
        &desk,
        "가",
        &[Change::Reject { reason }, Change::Commit, edit()],
    );
    let ended = desk.batch(&["--resume"]).expect(3);
    assert!(ended.out.contains("1 record (0 new) of 2"), "{}", ended.out);
    let listed = "no record: 1 (edited by an operator and not committed; commit them in the \
                  workstation)\n  가.png\n";
    assert!(ended.out.contains(listed), "{}", ended.out);
    let events = desk.batch(&["--resume", "--json"]).expect(3).events();
    let summary = events.last().unwrap();
    assert_eq!(summary["open_paths"], json!(["가.png"]));
}

#[test]
fn a_check_of_a_damaged_journal_names_each_problem_once() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let path = desk.out("journal.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3 * 4096..6 * 4096].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    let output = journal(&desk, &["check"]).expect(1).out;
    let problems: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("wrong: "))
        .collect();
    let different: BTreeSet<&&str> = problems.iter().collect();
    assert!(!problems.is_empty(), "{output}");
    assert_eq!(problems.len(), different.len(), "{output}");
}

#[test]
fn a_check_compares_the_files_line_by_line() {
    let desk = Desk::with_icons(&["가", "나", "다", "라"]);
    std::fs::write(desk.source("망가짐.png"), b"no picture").unwrap();
    desk.batch(&[]).expect(3);
    let output = journal(&desk, &["check"]).expect(0).out;
    assert!(!output.contains("note"), "{output}");
    let text = std::fs::read_to_string(desk.out("labels.jsonl")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1] = lines[1].replace("단정한", "손으로 고친");
    lines.remove(0);
    lines.push("{\"image_path\": \"하.png\"}".to_owned());
    std::fs::write(desk.out("labels.jsonl"), lines.join("\n") + "\n").unwrap();
    std::fs::write(desk.out("labels_errors.jsonl"), "").unwrap();
    let output = journal(&desk, &["check"]).expect(0).out;
    let expected = "note: labels.jsonl: 1 line missing (가.png), 1 line that the journal does not \
                    have (하.png), 1 line different (나.png)";
    assert!(output.contains(expected), "{output}");
    let expected = "note: labels_errors.jsonl: 1 line missing (망가짐.png)";
    assert!(output.contains(expected), "{output}");
    // The check changed nothing.
    assert_eq!(
        std::fs::read_to_string(desk.out("labels_errors.jsonl")).unwrap(),
        ""
    );
}

#[test]
fn a_check_reports_withheld_records() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    picture("다른 것").save(desk.source("가.png")).unwrap();
    desk.batch(&["--resume"]).expect(0);
    let output = journal(&desk, &["check"]).expect(0).out;
    let expected = "note: another image is at the path of records: 1, edits: 0 (가.png)";
    assert!(output.contains(expected), "{output}");
}

#[test]
fn failures_of_a_lost_journal_are_not_kept_as_lines_of_other_programs() {
    let mut desk = Desk::with_icons(&["가"]);
    for name in ["망가짐", "고쳐짐"] {
        desk.broken_icon(name);
    }
    desk.batch(&[]).expect(3);
    let text = std::fs::read_to_string(desk.out("labels_errors.jsonl")).unwrap();
    let mut old: Vec<String> = Vec::new();
    for line in text.lines() {
        let (start, _) = line.split_once("\"at\":").unwrap();
        old.push(format!("{start}\"at\":\"2026-01-01T00:00:00Z\"}}"));
    }
    old.push("{\"image_path\":\"a\",\"remark\":\"somebody's own\"}".to_owned());
    std::fs::write(desk.out("labels_errors.jsonl"), old.join("\n") + "\n").unwrap();
    desk.lose_journal();
    desk.icon("고쳐짐");
    desk.plays("고쳐짐", &[say(good("고쳐짐"))]);
    desk.batch(&["--resume"]).expect(3);
    let kept = std::fs::read_to_string(desk.out("labels_kept.jsonl")).unwrap();
    assert_eq!(kept.lines().collect::<Vec<_>>(), [old.last().unwrap()]);
}

#[test]
fn the_journal_is_backed_up_restored_checked_and_rebuilt() {
    let desk = Desk::with_icons(&["가", "나"]);
    desk.batch(&["--max-samples", "1"]).expect(0);
    let output = journal(&desk, &["check"]).expect(0).out;
    assert!(output.contains("is sound"), "{output}");
    journal(&desk, &["backup", "saved"]).expect(0);
    journal(&desk, &["backup", "saved"]).expect(2);
    desk.batch(&["--resume"]).expect(0);
    let whole = std::fs::read(desk.out("labels.jsonl")).unwrap();

    let output = journal(&desk, &["restore", "saved"]).expect(0).out;
    assert!(output.contains("is kept as out/journal_kept_"), "{output}");
    // The record that the backup lacks is imported from the file.
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), whole);

    let mut bytes = std::fs::read(desk.out("journal.sqlite")).unwrap();
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(desk.out("journal.sqlite"), bytes).unwrap();
    let output = journal(&desk, &["check"]).expect(1).out;
    assert!(
        output.contains("wrong: ") && output.contains("journal rebuild"),
        "{output}"
    );
    let output = journal(&desk, &["rebuild"]).expect(0).out;
    assert!(output.contains("records 2"), "{output}");
    journal(&desk, &["check"]).expect(0);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), whole);
    let events = desk.batch(&["--resume", "--json"]).expect(0).events();
    assert_eq!(events.last().unwrap()["requests"], 0);
    assert_eq!(lines(&desk.out("labels.jsonl")).len(), 2);
}

#[test]
fn a_journal_command_reads_no_pipe_and_writes_through_no_foreign_link() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let labels = desk.out("labels.jsonl");
    std::fs::remove_file(&labels).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &labels).unwrap();
    assert_ne!(journal(&desk, &["rebuild"]).status, 0);
    assert!(!desk.path().join("elsewhere").exists());
    std::fs::remove_file(&labels).unwrap();

    let pipe = |path: &std::path::Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    pipe(&desk.path().join("pipe"));
    for from in ["pipe", "/dev/zero", "."] {
        let output = journal(&desk, &["restore", from]).expect(2).err;
        assert!(output.contains("is not a regular file"), "{output}");
    }
    for (name, action) in [
        ("labels.jsonl", "rebuild"),
        ("vocabulary.toml", "check"),
        ("vocabulary.toml", "rebuild"),
    ] {
        pipe(&desk.out(name));
        let output = journal(&desk, &[action]).expect(2).err;
        assert!(output.contains("not a regular file"), "{output}");
        std::fs::remove_file(desk.out(name)).unwrap();
    }
    journal(&desk, &["check"]).expect(0);
}

#[test]
fn a_journal_command_needs_a_journal_and_an_outdir() {
    let desk = Desk::new();
    for action in ["check", "rebuild"] {
        ended(&mut desk.plain(&["journal", action])).expect(2);
        let output = journal(&desk, &[action]).expect(1).err;
        assert!(output.contains("out"), "{output}");
    }
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let output = journal(&desk, &["check"]).expect(1).err;
    assert!(
        output.contains("there is no journal.sqlite in out"),
        "{output}"
    );
    let manual = ended(&mut desk.plain(&["man", "journal", "restore"]))
        .expect(0)
        .out;
    assert!(manual.contains("journal backup"), "{manual}");
}
