//! An outdir that cannot be written, and a disk that fills up.

use crate::common::{self, Desk, Ended, ended, good, say};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The user as which root runs a program that must not have root's permissions.
const NOBODY: u32 = 65534;
/// A user id without an entry in the user database.
const NO_NAME: u32 = 54321;

#[test]
fn an_outdir_that_is_a_file_is_an_error_with_a_hint() {
    let desk = Desk::with_icons(&["가"]);
    std::fs::write(desk.path().join("out"), "a file").unwrap();
    let ended = desk.batch(&[]).expect(1);
    assert!(ended.err.contains("error: "), "{}", ended.err);
    assert!(ended.err.contains("hint: "), "{}", ended.err);
}

#[test]
fn a_read_only_outdir_is_an_error_with_a_hint_and_stays_unchanged() {
    let desk = Desk::with_icons(&["가"]);
    let out = desk.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, PermissionsExt::from_mode(0o555)).unwrap();
    let ended =
        unprivileged(&desk, &["--batch", "--images", "source", "--outdir", "out"]).expect(1);
    assert!(ended.err.starts_with("error: "), "{}", ended.err);
    assert!(ended.err.contains("out"), "{}", ended.err);
    assert!(
        ended.err.contains("hint: give write permission"),
        "{}",
        ended.err
    );
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn commands_that_only_read_work_on_a_read_only_outdir() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let (out, open) = (desk.path().join("out"), desk.path().join("open"));
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::set_permissions(&out, PermissionsExt::from_mode(0o555)).unwrap();
    let before = common::files(&out);
    for args in [
        &["list"][..],
        &["journal", "check"],
        &["journal", "backup", "open/saved.sqlite"],
    ] {
        without_root(&desk, desk.plain(&[args, &["--outdir", "out"]].concat())).expect(0);
    }
    assert_eq!(common::files(&out), before);
    // The backup is complete.
    let restore = [
        "journal",
        "restore",
        "open/saved.sqlite",
        "--outdir",
        "other",
    ];
    ended(&mut desk.plain(&restore)).expect(0);
    let listed = |outdir: &str| {
        let args = ["list", "--filter", "", "--json", "--outdir", outdir];
        ended(&mut desk.plain(&args)).expect(0).out
    };
    assert_eq!(listed("other"), listed("out"));
}

/// The output may go to another disk than the outdir.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_costs_no_record() {
    for (stream, args) in [
        ("standard output", &["--json"][..]),
        ("standard output", &[]),
        ("standard error", &[]),
    ] {
        let desk = Desk::with_icons(&["가", "나"]);
        let args = [&["--batch", "--images", "source", "--outdir", "out"], args].concat();
        let mut command = desk.command(&args);
        let full = std::fs::File::options().write(true).open("/dev/full");
        let (full, pipe) = (Stdio::from(full.unwrap()), Stdio::piped());
        let (out, err) = match stream {
            "standard output" => (full, pipe),
            _ => (pipe, full),
        };
        let child = command.stdout(out).stderr(err).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{stream}");
        assert_eq!(desk.names(), ["가", "나"], "{stream}");
        let message = String::from_utf8_lossy(&output.stderr);
        let error = format!("error: writing to {stream}: ");
        assert!(
            stream == "standard error" || message.contains(&error),
            "{message}"
        );
    }
}

/// As in a container whose user has neither a name nor HOME.
#[test]
fn without_a_home_weights_are_quantized_at_every_start() {
    if !rustix::process::geteuid().is_root() {
        // Only root can become a user that does not exist.
        return;
    }
    let desk = Desk::with_icons(&["가"]);
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flat");
    let model = desk.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
        }
    }
    std::fs::create_dir(desk.path().join("out")).unwrap();
    std::fs::set_permissions(desk.path().join("out"), PermissionsExt::from_mode(0o777)).unwrap();
    let args = [
        "--batch",
        "--images",
        "source",
        "--outdir",
        "out",
        "--model",
        "model",
        "--quantize",
        "q8_0",
        "--prompt-version",
        "v1",
        "--max-new-tokens",
        "4",
    ];
    let command = desk.plain(&args);
    as_user(&desk, command, NO_NAME).expect(0);
    assert_eq!(desk.records().len(), 1);
}

/// Runs the program without root's permissions: root runs a copy that everybody can read, as
/// another user.
fn unprivileged(desk: &Desk, args: &[&str]) -> Ended {
    without_root(desk, desk.command(args))
}

fn without_root(desk: &Desk, mut command: Command) -> Ended {
    match rustix::process::geteuid().is_root() {
        true => as_user(desk, command, NOBODY),
        false => ended(&mut command),
    }
}

fn as_user(desk: &Desk, command: Command, user: u32) -> Ended {
    let program = desk.path().join("program");
    std::fs::copy(command.get_program(), &program).unwrap();
    for path in [desk.path(), &program] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut copied = Command::new(program);
    copied
        .args(command.get_args())
        .env_clear()
        .current_dir(desk.path())
        .stdin(Stdio::null())
        .uid(user);
    ended(&mut copied)
}

/// Runs the program with a limit on file sizes, in blocks of 512 bytes.
fn with_file_limit(desk: &Desk, blocks: u32, args: &[&str]) -> Ended {
    let program = desk.command(args);
    let mut limited = Command::new("/bin/sh");
    limited
        .args(["-c", &format!("ulimit -f {blocks} && exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("HOME", desk.path().join("home"))
        .current_dir(desk.path())
        .stdin(Stdio::null());
    ended(&mut limited)
}

#[test]
fn a_full_disk_ends_the_run_and_loses_nothing() {
    let names: Vec<String> = (0..40).map(|n| format!("모자 {n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::with_icons(&names);
    let args = [
        "--batch", "--images", "source", "--outdir", "out", "--resume",
    ];
    // No room for the journal, room for some of the records, room for nearly all of them.
    for blocks in [16, 600, 1200] {
        let ended = with_file_limit(&desk, blocks, &args).expect(1);
        assert!(ended.err.contains("error: "), "{}", ended.err);
        assert!(ended.err.contains("hint: "), "{}", ended.err);
        assert!(ended.err.contains("space"), "{}", ended.err);
        // Fails if a line is cut off.
        desk.records();
    }
    let saved = desk.names().len();
    assert!(saved < names.len());
    let ended = desk.batch(&["--resume", "--json"]).expect(0);
    assert_eq!(desk.names(), names);
    let summary = ended.events().pop().unwrap();
    let new = summary["new_records"].as_u64().unwrap() as usize;
    assert!(
        new + saved <= names.len(),
        "{new} new, {saved} saved before"
    );
}

#[test]
fn an_export_that_does_not_fit_leaves_the_old_one() {
    let names: Vec<String> = (0..100).map(|n| format!("모자 {n:03}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut desk = Desk::with_icons(&names);
    for name in &names {
        // Long enough that the export is larger than what the journal writes for one record.
        let mut long = good(name);
        let tags: Vec<String> = (0..15)
            .map(|n| format!("{n} {}", "긴".repeat(90)))
            .collect();
        long["tags_ko"] = tags.into();
        desk.plays(name, &[say(long)]);
    }
    desk.batch(&[]).expect(0);
    let before = std::fs::read(desk.out("labels.jsonl")).unwrap();
    desk.icon("새 모자");
    desk.plays("새 모자", &[say(good("새 모자"))]);
    let args = [
        "--batch", "--images", "source", "--outdir", "out", "--resume",
    ];
    // Enough for one more record in the journal's log, but not for the export.
    let ended = with_file_limit(&desk, (before.len() / 512) as u32, &args).expect(1);
    assert!(ended.err.contains("labels.jsonl"), "{}", ended.err);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), before);
    let left = std::fs::read_dir(desk.path().join("out")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with(".tmp")).count(), 0);
    desk.plays("새 모자", &[say("asked again".into())]);
    desk.batch(&["--resume"]).expect(0);
    names.push("새 모자");
    assert_eq!(desk.names(), names);
}
