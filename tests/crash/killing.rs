//! Starts the program, kills it at a random moment, and checks what it left.

use crate::common::{Desk, lines};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Result of a run that was to be killed.
pub struct KilledRun {
    /// The run ended before it could be killed.
    pub ended: bool,
    /// The complete lines of its standard output.
    pub output: Vec<String>,
}

/// Runs the program for a random part of `full_run`, the time of a complete run, and kills it. If
/// it ends before, it must succeed.
pub fn run_and_kill(command: &mut Command, full_run: Duration, random: &mut StdRng) -> KilledRun {
    let wait = full_run.mul_f64(random.random_range(0.0..1.1));
    let mut stderr = tempfile::tempfile().unwrap();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(stderr.try_clone().unwrap())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        let mut out = BufReader::new(out);
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.ends_with('\n') {
                output.push(line.trim_end().to_owned());
            }
            line.clear();
        }
        output
    });
    // Never unparked: this waits for a moment, not for an event.
    std::thread::park_timeout(wait);
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    if let Some(status) = ended {
        let mut errors = String::new();
        stderr.rewind().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        assert!(status.success(), "{status}: {errors}");
    }
    KilledRun {
        ended: ended.is_some(),
        output: reader.join().unwrap(),
    }
}

/// Runs the program to its end, which must succeed, and returns the time it took.
pub fn run_to_end(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    begun.elapsed()
}

/// Copies the journal of a killed program with its log and checks it; `None` if there is none.
pub fn journal(desk: &Desk) -> Option<(tempfile::TempDir, rusqlite::Connection)> {
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("journal.sqlite{end}");
        match std::fs::copy(desk.out(&name), copy.path().join(&name)) {
            Ok(_) => {}
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{name}: {error}"),
            Err(_) if end.is_empty() => return None,
            Err(_) => {}
        }
    }
    let journal = rusqlite::Connection::open(copy.path().join("journal.sqlite")).unwrap();
    let sound: String = journal
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    Some((copy, journal))
}

pub fn number(journal: &rusqlite::Connection, query: &str) -> i64 {
    journal.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Checks that every line is complete, no path occurs twice, and each line matches the file at its
/// path in `folder`.
pub fn check_lines(labels: &Path, folder: &Path) -> Vec<Value> {
    let records = lines(labels);
    let mut paths = HashSet::new();
    for record in &records {
        let path = record["image_path"].as_str().unwrap();
        assert!(paths.insert(path.to_owned()), "{path} occurs twice");
        if let Some(hash) = record["image_sha256"].as_str() {
            let bytes = std::fs::read(folder.join(path)).unwrap();
            let now: String = Sha256::digest(bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hash, now, "{path}");
        }
    }
    records
}
