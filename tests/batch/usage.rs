//! Usage errors, configuration layers and help.

use crate::common::{Desk, ended};

#[test]
fn usage_errors_have_status_2() {
    let desk = Desk::with_icons(&["가"]);
    for args in [
        &["--batch"][..],
        &["--batch", "--images", "source", "--db", "x"],
        &[
            "--batch",
            "--images",
            "source",
            "--no-image",
            "--no-metadata",
        ],
        &["--batch", "--images", "source", "--upscale", "9"],
        &["--batch", "--images", "source", "--prompt-version", "v9"],
        &["--batch", "--images", "source", "--nonsense"],
        &["--images", "source", "--json"],
        &["--images", "source", "--keymap", "nowhere.toml"],
        &["--batch", "--input", "source/x.txt"],
        &["--batch", "--demo", "--names", "none"],
    ] {
        let ended = ended(&mut desk.command(args)).expect(2);
        assert!(ended.err.starts_with("error: "), "{args:?}: {}", ended.err);
    }
    assert!(!desk.path().join("labels").exists());
}

#[test]
fn an_argument_cannot_reverse_the_text_of_an_error() {
    let desk = Desk::with_icons(&["가"]);
    let args = ["--batch", "--images", "source", "--opinions", "\u{202e}1"];
    let ended = ended(&mut desk.command(&args)).expect(2);
    assert!(ended.err.contains("'1' for '--opinions"), "{}", ended.err);
}

/// Common mistakes of newcomers, each with the exit status and a part of the message.
#[test]
fn common_mistakes_get_a_helpful_message() {
    let desk = Desk::with_icons(&["가"]);
    std::fs::create_dir(desk.path().join("empty")).unwrap();
    for name in ["model.gguf", "taken"] {
        std::fs::write(desk.path().join(name), "").unwrap();
    }
    let long = "가".repeat(80);
    let long = format!("{long}/{long}");
    let folder = &["--batch", "--images", "source"][..];
    let cases: &[(&[&str], &[&str], i32, &str)] = &[
        (
            &[],
            &["run", "--db", "db.sqlite"],
            2,
            "hint: labeling needs no command: labeler-tui --batch",
        ),
        (&[], &["label"], 2, "hint: labeling needs no command"),
        (folder, &["--no-quality-retry"], 2, "hint: omit it"),
        (folder, &["--load-8bit"], 2, "hint: use --quantize q8_0"),
        (
            folder,
            &["--log-level", "loud"],
            2,
            "possible values: error, warn, info",
        ),
        (
            folder,
            &["--precision", "fp8"],
            2,
            "possible values: auto, fp32, bf16, fp16",
        ),
        (
            folder,
            &["--precision", "int4"],
            2,
            "hint: use --quantize q4k",
        ),
        (
            &[],
            &["source"],
            2,
            "hint: give a source with --db, --input or --images",
        ),
        (
            folder,
            &["--device", "gpu"],
            2,
            "expected auto, cpu, cuda, cuda:N or metal",
        ),
        (
            &["--batch"],
            &["--input", "source"],
            1,
            "hint: use --images for a folder of images",
        ),
        (
            &["--batch"],
            &["--input", "empty"],
            1,
            "hint: a dataset has metadata.jsonl",
        ),
        (
            &["--batch"],
            &["--input", "-"],
            2,
            "cannot be read from standard input",
        ),
        (folder, &["--model", "model.gguf"], 1, "llama-server"),
        (
            folder,
            &["--model", "./nowhere"],
            2,
            "hint: give a checkpoint folder",
        ),
        (
            folder,
            &["--offline", "--model", "no/such"],
            1,
            "hint: run once without --offline",
        ),
        (
            &[],
            &["completions", "tcsh"],
            2,
            "possible values: bash, elvish, fish, powershell, zsh",
        ),
        (folder, &["--outdir", "taken"], 1, "taken is not a folder"),
        (
            folder,
            &["--outdir", "taken/x"],
            1,
            "not a folder, or is inside a file",
        ),
        (
            folder,
            &["--outdir", &long],
            2,
            "hint: choose an --outdir with a shorter path",
        ),
        (
            folder,
            &["--endpoint", "http://localhost:1/v1/chat/completions"],
            2,
            "hint: use --endpoint http://localhost:1/v1",
        ),
        (folder, &["--wait"], 2, "--wait needs --endpoint"),
    ];
    for (first, args, status, message) in cases {
        let args = [*first, *args].concat();
        let output = ended(&mut desk.plain(&args)).expect(*status).err;
        assert!(output.contains(message), "{args:?}: {output}");
        assert!(!output.contains("environment"), "{args:?}: {output}");
        assert!(!output.contains("write permission"), "{args:?}: {output}");
    }
    // A refused run creates no files.
    let left = std::fs::read_dir(desk.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["empty", "home", "model.gguf", "source", "taken"]);
}

#[test]
fn a_manifest_named_json_may_contain_json_lines() {
    let mut desk = Desk::with_icons(&["가"]);
    desk.plays("가", &[crate::common::say(crate::common::good("가"))]);
    let row = r#"{"image_path": "가.png", "item_name": "가", "source_type": "cash"}"#;
    std::fs::write(desk.source("rows.json"), format!("{row}\n")).unwrap();
    desk.batch_of(&["--input", "source/rows.json"], &[])
        .expect(0);
    assert_eq!(desk.names(), ["가"]);
}

#[test]
fn a_reader_that_went_away_is_not_an_error() {
    let desk = Desk::new();
    for args in [
        &["--help"][..],
        &["man"],
        &["completions", "zsh"],
        &["show", "vocabulary"],
        &["doctor", "--model", "demo"],
        &["ask", "--model", "demo", "--max-new-tokens", "8", "모자"],
        &[
            "ask",
            "--model",
            "demo",
            "--max-new-tokens",
            "4",
            "--json",
            "모자",
        ],
        &[
            "bench",
            "--model",
            "demo",
            "--icons",
            "1",
            "--new-tokens",
            "2",
        ],
    ] {
        let mut command = desk.plain(args);
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer).stderr(std::process::Stdio::piped());
        drop(reader);
        let child = command.spawn().unwrap();
        drop(command);
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {message}");
        assert_eq!(message, "", "{args:?}");
    }
}

#[test]
fn without_a_terminal_the_workstation_points_to_batch() {
    let desk = Desk::with_icons(&["가"]);
    let ended = ended(&mut desk.command(&["--images", "source"])).expect(2);
    assert!(ended.err.contains("--batch"), "{}", ended.err);
}

#[test]
fn flags_win_over_environment_over_file() {
    let desk = Desk::with_icons(&["가", "나", "다"]);
    let config = "images = \"source\"\noutdir = \"from-file\"\nmax-samples = 1\nbatch = true\n";
    std::fs::write(desk.path().join("c.toml"), config).unwrap();
    let mut command = desk.command(&["--config", "c.toml", "--outdir", "from-flag"]);
    command
        .env("LABELER_MAX_SAMPLES", "2")
        .env("LABELER_OUTDIR", "from-environment");
    ended(&mut command).expect(0);
    let lines = crate::common::lines(&desk.path().join("from-flag/labels.jsonl"));
    assert_eq!(lines.len(), 2);
    assert!(!desk.path().join("from-file").exists());
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let desk = Desk::with_icons(&["가"]);
    let mut command = desk.command(&["--batch", "--images", "source", "--outdir", "out"]);
    for name in ["DB", "DEVICE", "CONFIG", "MAX_SAMPLES", "OFFLINE", "OUTDIR"] {
        command.env(format!("LABELER_{name}"), "");
    }
    ended(&mut command).expect(0);
    assert_eq!(desk.records().len(), 1);
}

#[test]
fn a_bad_value_is_reported_with_its_origin() {
    let desk = Desk::with_icons(&["가"]);
    let args = ["--batch", "--images", "source", "--outdir", "out"];
    let mut command = desk.command(&args);
    command.env("LABELER_UPSCALE", "x");
    let output = ended(&mut command).expect(2).err;
    assert!(output.contains("'x' for '--upscale <N>'"), "{output}");
    assert!(output.contains("from 1 to 8"), "{output}");
    assert!(output.contains("LABELER_UPSCALE"), "{output}");

    for (line, value) in [("lang = 'jp'", "jp"), ("max-samples = -3", "-3")] {
        std::fs::write(desk.path().join("c.toml"), line).unwrap();
        let output = desk.batch(&["--config", "c.toml"]).expect(2).err;
        assert!(
            output.contains(value) && output.contains("c.toml"),
            "{output}"
        );
    }

    let output = desk.batch(&["--batch-size", "-3"]).expect(2).err;
    assert!(output.contains("from 1 to 1024"), "{output}");
    assert!(!output.contains("environment"), "{output}");
    assert!(!desk.path().join("out").exists());
}

#[test]
fn an_unreadable_source_is_reported_with_a_hint() {
    let desk = Desk::with_icons(&["가"]);
    for (option, value, hint) in [
        ("--db", "nowhere", "check the path"),
        ("--db", "source", "--images"),
        ("--db", "source/가.png", "that the collector wrote"),
        ("--input", "nowhere.jsonl", "check the path"),
        ("--images", "source/가.png", "--db or --input"),
    ] {
        let output = desk.batch_of(&[option, value], &[]).expect(1).err;
        assert!(output.contains(value), "{output}");
        let shown = output.lines().find(|line| line.starts_with("hint: "));
        assert!(shown.is_some_and(|line| line.contains(hint)), "{output}");
    }
    let none = desk.batch(&["--json", "--only-source", "cash"]).expect(1);
    let last = none.events().pop().unwrap();
    assert_eq!(last["event"], "broken");
    assert_eq!(last["cause"], "the source has no items");
    assert!(
        none.err.contains("check how it was written"),
        "{}",
        none.err
    );
}

#[test]
fn help_manual_and_completions_need_no_source() {
    let desk = Desk::new();
    for (args, word) in [
        (&["--help"][..], "--quality-retry"),
        (&["man"], "labeler\\-tui\\-ask(1)"),
        (&["man", "ask"], "\\-\\-temperature"),
        (&["completions", "bash"], "--quality-retry"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ended = ended(&mut desk.plain(args)).expect(0);
        assert!(ended.out.contains(word), "{args:?}");
    }
}

#[test]
fn the_error_names_a_missing_source() {
    let desk = Desk::new();
    let ended = desk.batch_of(&["--db", "nowhere.sqlite"], &[]).expect(1);
    assert!(ended.err.contains("nowhere.sqlite"), "{}", ended.err);
    assert!(!desk.path().join("out").exists());
}

/// Files and folders that a command cannot use, each with a part of the message.
#[test]
fn what_cannot_be_used_is_refused_at_once_with_a_hint() {
    use std::os::unix::fs::symlink;
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let at = |name: &str| desk.path().join(name);
    for name in ["empty.csv", "empty.parquet", "empty.sqlite", "file"] {
        std::fs::write(at(name), "").unwrap();
    }
    std::fs::write(at("ff.csv"), [0xff; 4096]).unwrap();
    let row = r#"{"image_path": "source/가.png", "item_name": "가", "source_type": "cash"}"#;
    std::fs::write(at("rows.jsonl"), row).unwrap();
    std::fs::create_dir_all(at("none")).unwrap();
    std::fs::create_dir_all(at("owner")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("owner/link")).unwrap();
    for name in ["pipe", "pipe.jsonl", "owner/pipe"] {
        let made = std::process::Command::new("mkfifo").arg(at(name)).status();
        assert!(made.unwrap().success());
    }
    let a_file = "not a regular file; write it to a file first";
    let label = &["--batch", "--model", "demo", "--outdir", "new"][..];
    let demo = ["--batch", "--demo", "--outdir", "new"];
    let cases: &[(&[&str], &[&str], &str)] = &[
        (label, &["--db", "pipe"], a_file),
        (label, &["--db", "/dev/null"], a_file),
        (label, &["--db", "empty.sqlite"], "must be the SQLite file"),
        (label, &["--input", "pipe.jsonl"], a_file),
        (label, &["--input", "empty.csv"], "a table starts with"),
        (label, &["--input", "ff.csv"], "a table starts with"),
        (label, &["--input", "empty.parquet"], "a complete Parquet"),
        (label, &["--demo", "--device", "mps"], "only on macOS"),
        (&demo, &["--model", "owner/pipe"], "neither a folder"),
        (&demo, &["--model", "owner/link"], "leads nowhere"),
        (
            &[],
            &["--batch", "--demo", "--outdir", "loop"],
            "leads back",
        ),
        (&[], &["list", "--outdir", "loop"], "leads back to itself"),
        (&["bench", "--model", "demo"], &["--replay", "pipe"], a_file),
        (&["doctor", "--demo"], &["--config", "pipe"], a_file),
        (
            &["list", "--outdir", "out"],
            &["--vocabulary", "pipe"],
            a_file,
        ),
        (
            &["list", "--outdir", "out"],
            &["--vocabulary", "nowhere"],
            "hint: check the path",
        ),
        (
            &["export", "--outdir", "out", "--to", "exported"],
            &["--format", "csv", "--images", "file"],
            "--images file is not a folder",
        ),
        (
            &["audit", "--outdir", "out", "--json"],
            &["--images", "file"],
            "--images file is not a folder",
        ),
        (
            &["journal", "rebuild"],
            &["--outdir", "none"],
            "nothing to rebuild from in none",
        ),
    ];
    for (command, args, part) in cases {
        let args: Vec<&str> = command.iter().chain(*args).copied().collect();
        let ended = ended(&mut desk.plain(&args));
        assert_ne!(ended.status, 0, "{args:?}");
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
    assert!(!at("new").exists());
    assert_eq!(std::fs::read_dir(at("none")).unwrap().count(), 0);
    let args = ["--batch", "--outdir", "mapped", "--input", "rows.jsonl"];
    let mut command = desk.command(&args);
    let mapped = ended(command.args(["--image-column", "zz"])).expect(1);
    assert!(
        mapped.err.contains("zz is missing; the row has"),
        "{}",
        mapped.err
    );
}

#[test]
fn a_backup_is_restored_into_a_new_folder() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let backup = ["journal", "backup", "saved.sqlite", "--outdir", "out"];
    ended(&mut desk.plain(&backup)).expect(0);
    let restore = ["journal", "restore", "saved.sqlite", "--outdir", "a/new"];
    ended(&mut desk.plain(&restore)).expect(0);
    assert!(desk.path().join("a/new/journal.sqlite").exists());
}

#[test]
fn an_error_names_the_variable_that_a_bad_value_came_from() {
    let desk = Desk::with_icons(&["가"]);
    for (name, value, args) in [
        ("ENDPOINT", "ftp://x", &["--batch", "--demo"][..]),
        ("DEVICE", "mps", &["--batch", "--demo"]),
        ("MODEL", "no/such/folder", &["--batch", "--demo"]),
        ("DB", "nowhere.sqlite", &["--batch"]),
        ("INPUT", "nowhere.jsonl", &["--batch"]),
        ("IMAGES", "nowhere", &["--batch"]),
        ("OUTDIR", "nowhere", &["list"]),
        ("PROMPT", "nowhere", &["--batch", "--demo"]),
        ("PROMPT_VERSION", "v9", &["--batch", "--demo"]),
        ("VOCABULARY", "nowhere", &["--batch", "--demo"]),
        ("THEME", "nowhere", &["--demo"]),
        ("KEYMAP", "nowhere", &["--demo"]),
        ("REDO", "zzz:1", &["--batch", "--resume", "--demo"]),
    ] {
        let variable = format!("LABELER_{name}");
        let ended = ended(desk.plain(args).env(&variable, value));
        assert_ne!(ended.status, 0, "{name}");
        let place = format!("set by {variable} in the environment");
        assert_eq!(
            ended.err.matches(&place).count(),
            1,
            "{name}: {}",
            ended.err
        );
    }
    let mut plain = desk.plain(&["--batch", "--db", "nowhere.sqlite"]);
    let flag = ended(plain.env("LABELER_DB", "nowhere.sqlite")).expect(1);
    assert!(!flag.err.contains("LABELER_DB"), "{}", flag.err);
    let mut plain = desk.plain(&["show", "schema"]);
    let unknown = ended(plain.env("LABELER_MODELS", "x")).expect(0);
    assert_eq!(
        unknown.err,
        "warning: there is no variable LABELER_MODELS; do you mean LABELER_MODEL?\n"
    );
}

#[test]
fn a_variable_of_labeling_does_not_stop_other_commands() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let mut list = desk.plain(&["list"]);
    list.env("LABELER_NAMES", "odd")
        .env("LABELER_OUTDIR", "out");
    ended(&mut list).expect(0);
    let mut label = desk.plain(&["--batch", "--images", "source"]);
    let refused = ended(label.env("LABELER_NAMES", "odd")).expect(2);
    assert!(refused.err.contains("LABELER_NAMES"), "{}", refused.err);
}
