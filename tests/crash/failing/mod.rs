//! One system call after the other fails, once or from then on: the run ends in order or goes on,
//! and what it has told is there.

use crate::common::{Desk, ended};
use crate::killing::check_lines;
use crate::kills;
use crate::labeling::{RUN, check, desk, labeled};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// EIO and ENOSPC: how each fails, and for how many calls.
const FAULTS: [(&str, &str); 2] = [("5", "1"), ("28", "1000000")];

/// Builds the library that is laid under the program.
fn shim(folder: &Path) -> PathBuf {
    let library = folder.join("failing.so");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/failing/shim.rs");
    let built = Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-type=cdylib",
            "-O",
            "-Cpanic=abort",
        ])
        .args([source.as_os_str(), "-o".as_ref(), library.as_os_str()])
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    library
}

/// A run whose call `at` fails; whether it came so far.
fn run(
    desk: &Desk,
    shim: &Path,
    at: usize,
    (errno, calls): (&str, &str),
) -> (bool, HashSet<String>) {
    let mark = desk.path().join("home/failed");
    let _ = std::fs::remove_file(&mark);
    let mut command = desk.command(&RUN);
    command
        .env("LD_PRELOAD", shim)
        .env("FAIL_AT", at.to_string())
        .env("FAIL_FOR", calls)
        .env("FAIL_WITH", errno)
        .env("FAIL_MARK", &mark);
    let ended = ended(&mut command);
    assert!(
        [0, 1, 3].contains(&ended.status),
        "call {at}: {} {}",
        ended.status,
        ended.err
    );
    assert!(!ended.err.contains("panicked"), "call {at}: {}", ended.err);
    if ended.status == 1 {
        assert!(ended.err.contains("error: "), "call {at}: {}", ended.err);
    }
    let told: Vec<String> = ended.out.lines().map(str::to_owned).collect();
    (mark.exists(), labeled(&told).collect())
}

#[test]
fn a_system_call_that_fails_costs_nothing_that_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let shim = shim(folder.path());
    let wanted = desk(6);
    ended(&mut wanted.command(&RUN)).expect(0);
    // Up to a call that no run comes to.
    let mut most = 16;
    while run(&desk(6), &shim, most, FAULTS[0]).0 {
        most *= 2;
    }
    let calls = kills();
    for turn in 0..calls {
        let at = 1 + turn * most / calls;
        let fault = FAULTS[turn % FAULTS.len()];
        let desk = desk(6);
        let (_, told) = run(&desk, &shim, at, fault);
        check(&desk, &told);
        // The disk is well again.
        ended(&mut desk.command(&RUN)).expect(0);
        assert_eq!(desk.names(), wanted.names(), "call {at}");
        check(&desk, &told);
        check_lines(&desk.out("labels.jsonl"), &desk.source(""));
    }
}
