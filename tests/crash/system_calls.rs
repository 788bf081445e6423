//! Makes system calls fail one by one while the program labels and exports. Needs `strace`: `cargo
//! test --test crash -- --ignored`.

use crate::common::{Desk, files, lines};

use crate::killing::{check_lines, journal};
use crate::{kills, labeling};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// System calls, and the error with which each fails.
const CALLS: [(&str, &str); 15] = [
    ("openat", "EMFILE"),
    ("write", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pread64", "EIO"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("rename", "EIO"),
    ("renameat", "EIO"),
    ("renameat2", "EACCES"),
    ("ftruncate", "EIO"),
    ("unlink", "EIO"),
    ("mkdir", "ENOSPC"),
    ("fchmod", "EPERM"),
    ("flock", "ENOLCK"),
    ("clone3", "EAGAIN"),
];

/// A system call: the n-th of its name in its thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    name: &'static str,
    error: &'static str,
    nth: usize,
}

/// Returns the same command under `strace`, which writes its log to `log`.
fn traced(command: &Command, log: &Path, fails: Option<&Call>) -> Command {
    let mut strace = Command::new("strace");
    let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    strace.args(["-f", "-q", "-y", "-s", "300", "-e", "signal=none", "-o"]);
    strace.arg(log);
    strace.args(["-e", &format!("trace={}", names.join(","))]);
    if let Some(Call { name, error, nth }) = fails {
        strace.args(["-e", &format!("inject={name}:error={error}:when={nth}")]);
    }
    strace.arg(command.get_program()).args(command.get_args());
    let path = std::env::var_os("PATH").unwrap_or_default();
    strace.env_clear().env("PATH", path).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    strace.current_dir(command.get_current_dir().unwrap());
    strace
}

/// Returns the lines of a log, each with its thread and the name of the call.
fn calls(log: &str) -> impl Iterator<Item = (&str, &'static str, &str)> {
    log.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(' ')?;
        let (name, _) = rest.trim_start().split_once('(')?;
        let (name, _) = CALLS.iter().find(|(call, _)| *call == name)?;
        Some((thread, *name, line))
    })
}

/// Selects at most about `most` calls of a successful run that concern `folder`, or start a thread.
fn some_calls(log: &str, folder: &str, most: usize) -> Vec<Call> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut found: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (thread, name, line) in calls(log) {
        let nth = counts.entry((thread, name)).or_default();
        *nth += 1;
        let ends = ["/", "\"", ">"].map(|end| format!("{folder}{end}"));
        if name == "clone3" || ends.iter().any(|end| line.contains(end)) {
            found.entry(name).or_default().insert(*nth);
        }
    }
    // Some of each name, so that a thousand writes do not crowd out a single rename.
    let each = most.div_ceil(found.len().max(1));
    let mut all = Vec::new();
    for (name, error) in CALLS {
        let places: Vec<usize> = found.get(name).into_iter().flatten().copied().collect();
        let step = places.len().div_ceil(each).max(1);
        let places = places.into_iter().step_by(step);
        all.extend(places.map(|nth| Call { name, error, nth }));
    }
    all
}

fn run_traced(command: &Command, desk: &Desk, fails: Option<&Call>) -> (Output, String) {
    let log = desk.path().join("strace.log");
    let output = traced(command, &log, fails).output().unwrap();
    (output, std::fs::read_to_string(&log).unwrap())
}

/// Checks that a run with a failed call ends with a documented exit status and without a panic. The
/// dynamic loader, which makes some of these calls first, has a status of its own.
fn check_end(output: &Output, what: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    if status == Some(127) && err.contains("loading shared libraries") {
        return;
    }
    assert!(
        matches!(status, Some(0..=3 | 130)) && !err.contains("panicked"),
        "{what}: {status:?}\n{err}"
    );
    if status != Some(0) {
        assert!(
            !err.trim().is_empty(),
            "{what}: {status:?} without a message"
        );
    }
}

/// Returns the records without the times at which they were generated.
fn records(desk: &Desk) -> Vec<serde_json::Value> {
    let mut records = desk.records();
    for record in &mut records {
        record["generated_at"].take();
    }
    records
}

#[test]
#[ignore = "needs strace"]
fn a_failed_system_call_loses_no_record() {
    let run = |desk: &Desk| {
        let mut command = desk.command(&labeling::RUN);
        command.arg("--parquet").env("RAYON_NUM_THREADS", "1");
        command
    };
    let first = labeling::desk(12);
    let (output, log) = run_traced(&run(&first), &first, None);
    assert!(output.status.success(), "{output:?}");
    let expected = records(&first);
    let calls = some_calls(&log, "out", kills());
    assert!(calls.len() > 9, "{calls:?}");
    for call in calls {
        let what = format!("{call:?}");
        let desk = labeling::desk(12);
        let (output, _) = run_traced(&run(&desk), &desk, Some(&call));
        check_end(&output, &what);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stdout: Vec<String> = stdout.lines().map(str::to_owned).collect();
        let reported: HashSet<String> = labeling::labeled(&stdout).collect();
        check_lines(&desk.out("labels.jsonl"), &desk.source(""));
        if let Ok(bytes) = std::fs::read(desk.out("labels.parquet")) {
            assert!(
                bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"),
                "{what}"
            );
        }
        let again = run(&desk).output().unwrap();
        assert!(again.status.success(), "{what}: {again:?}");
        let labeled_again = String::from_utf8_lossy(&again.stdout);
        let again: Vec<String> = labeled_again.lines().map(str::to_owned).collect();
        let again: HashSet<String> = labeling::labeled(&again).collect();
        let twice: Vec<&String> = reported.intersection(&again).collect();
        assert!(twice.is_empty(), "{what}: {twice:?} were labeled twice");
        assert_eq!(records(&desk), expected, "{what}");
        let (_copy, _journal) = journal(&desk).unwrap();
    }
}

#[test]
#[ignore = "needs strace"]
fn an_export_after_a_failed_system_call_is_completed_by_the_next_run() {
    let formats = [
        "imagefolder",
        "parquet-images",
        "webdataset",
        "csv",
        "sidecar",
        "jsonl",
    ];
    let desk = labeling::desk(12);
    let labeled = desk.command(&labeling::RUN).output().unwrap();
    assert!(labeled.status.success(), "{labeled:?}");
    for format in formats {
        let to = |name: &str| {
            let args = [
                "export", "--outdir", "out", "--to", name, "--format", format,
            ];
            desk.plain(&[&args[..], &["--shard-size", "5"]].concat())
        };
        let complete = format!("complete-{format}");
        let (output, log) = run_traced(&to(&complete), &desk, None);
        assert!(output.status.success(), "{output:?}");
        let expected = files(&desk.path().join(&complete));
        for call in some_calls(&log, &complete, kills().div_ceil(formats.len())) {
            let what = format!("{format}: {call:?}");
            let cut = desk.path().join("cut");
            let (output, _) = run_traced(&to("cut"), &desk, Some(&call));
            check_end(&output, &what);
            // Files under their final names are complete.
            let left = if cut.exists() {
                files(&cut)
            } else {
                BTreeMap::new()
            };
            for (name, bytes) in left {
                let is_complete = expected.get(&name) == Some(&bytes);
                let is_pending = name.split('/').any(|part| part.starts_with('.'));
                assert!(
                    is_complete || is_pending || name == "export.json",
                    "{what}: {name}"
                );
            }
            let again = to("cut").output().unwrap();
            assert!(again.status.success(), "{what}: {again:?}");
            assert_eq!(files(&cut), expected, "{what}");
            std::fs::remove_dir_all(cut).unwrap();
        }
    }
}

/// Returns the paths in `<...>` or `"..."` of a call's arguments.
fn paths(line: &str) -> Vec<&str> {
    line.split(['<', '>', '"'])
        .skip(1)
        .filter(|part| part.starts_with('/') || part.contains(".tmp") || part.contains("out"))
        .collect()
}

fn is_same(a: &str, b: &str) -> bool {
    a.ends_with(b) || b.ends_with(a)
}

/// After a power failure, either the old or the new file is there: a file is synced after its last
/// write and before it is renamed, and its folder is synced after the rename.
#[test]
#[ignore = "needs strace"]
fn files_are_synced_before_a_rename_and_folders_after() {
    let desk = labeling::desk(6);
    let mut command = desk.command(&labeling::RUN);
    command.arg("--parquet");
    let (output, log) = run_traced(&command, &desk, None);
    assert!(output.status.success(), "{output:?}");
    let export = desk.plain(&[
        "export",
        "--outdir",
        "out",
        "--to",
        "images",
        "--format",
        "parquet-images",
    ]);
    let (output, second) = run_traced(&export, &desk, None);
    assert!(output.status.success(), "{output:?}");
    let mut renamed = 0;
    for log in [log, second] {
        let calls: Vec<_> = calls(&log).collect();
        for (at, (thread, name, line)) in calls.iter().enumerate() {
            let (true, [.., from, _]) = (name.starts_with("rename"), &renamed_paths(line)[..])
            else {
                continue;
            };
            if !from.contains(".tmp") {
                continue;
            }
            let about = |name: &str, line: &str, names: &[&str]| {
                names.contains(&name) && paths(line).first().is_some_and(|path| is_same(path, from))
            };
            let before = &calls[..at];
            let last = |names: &[&str]| {
                before
                    .iter()
                    .rposition(|(_, name, line)| about(name, line, names))
            };
            let written = last(&["write", "pwrite64", "ftruncate"]);
            let synced = last(&["fsync", "fdatasync"]);
            assert!(synced.is_some() && written < synced, "{line}");
            let folder = Path::new(from).parent().unwrap().to_str().unwrap();
            let after = calls[at..].iter().find(|(of, name, line)| {
                of == thread
                    && *name == "fsync"
                    && paths(line)
                        .first()
                        .is_some_and(|path| path.ends_with(folder))
            });
            assert!(after.is_some(), "nothing syncs {folder} after {line}");
            renamed += 1;
        }
    }
    assert!(renamed > 4, "{renamed}");
    assert!(!lines(&desk.out("labels.jsonl")).is_empty());
}

#[test]
#[ignore = "needs strace"]
fn the_folder_of_kept_lines_is_synced_although_the_labels_are_elsewhere() {
    let desk = labeling::desk(2);
    let elsewhere = desk.path().join("elsewhere.jsonl");
    let lines = "{\"image_path\": \"whole.png\"}\n{\"image_path\": \"cut";
    std::fs::write(&elsewhere, lines).unwrap();
    std::fs::create_dir_all(desk.path().join("out")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, desk.out("labels.jsonl")).unwrap();
    let command = desk.command(&labeling::RUN);
    let (output, log) = run_traced(&command, &desk, None);
    assert!(output.status.success(), "{output:?}");
    let synced: Vec<&str> = calls(&log)
        .filter(|(_, name, _)| *name == "fsync")
        .filter_map(|(_, _, line)| paths(line).first().copied())
        .collect();
    let kept = synced
        .iter()
        .position(|path| path.ends_with("labels_unread.jsonl"));
    let next = synced[kept.unwrap() + 1];
    assert!(next.ends_with("/out"), "{next}");
}

/// The quoted paths of a rename.
fn renamed_paths(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}
