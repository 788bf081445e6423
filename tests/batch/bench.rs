//! Time and memory of a complete `--batch` run without a model. Not part of `cargo test`; run
//! `cargo test --release --test batch -- --ignored --nocapture --test-threads 1 NAME`.
//! Run one NAME per process, because the peak memory covers all that ran. LABELER_TUI can name
//! another build of the program to measure.

use crate::common::{Desk, Ended, good, picture, say};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT_MIB: u64 = 300;

#[test]
#[ignore = "a benchmark"]
fn database_of_140_000_rows_and_8_000_icons() {
    labeled(140_000, 8_000);
}

#[test]
#[ignore = "a benchmark"]
fn database_of_1_000_000_rows_and_8_000_icons() {
    labeled(1_000_000, 8_000);
}

/// No images are shared and none can be labeled: the most memory per group.
#[test]
#[ignore = "a benchmark"]
fn manifest_of_1_000_000_rows_whose_images_are_gone() {
    const ROWS: u64 = 1_000_000;
    let desk = Desk::new();
    let file = std::fs::File::create(desk.source("m.jsonl")).unwrap();
    let mut file = std::io::BufWriter::new(file);
    for row in 0..ROWS {
        writeln!(
            file,
            r#"{{"image_path":"icons/cash/{row:064x}.png","item_name":"이름 {row}","source_type":"cash"}}"#
        )
        .unwrap();
    }
    drop(file);
    let summary = measured(&desk, &["--input", "source/m.jsonl"]);
    assert_eq!(summary["failures"]["missing_image"], ROWS);
}

/// Every icon gets an answer; a second run finds nothing to do.
fn labeled(rows: u64, icons: u64) {
    let mut desk = Desk::new();
    desk.slots(8);
    desk.otherwise(&[say(good("모자"))]);
    database(&desk, rows, icons);
    let source = ["--db", "source/db.sqlite", "--no-metadata"];
    let summary = measured(&desk, &source);
    assert_eq!(
        (&summary["rows"], &summary["records"]),
        (&rows.into(), &icons.into())
    );
    let again = measured(&desk, &[&source[..], &["--resume"]].concat());
    assert_eq!(again["requests"], 0);
}

/// A database like the collector's: many rows share each icon, under a few names.
fn database(desk: &Desk, rows: u64, icons: u64) {
    let mut sql = String::from(
        "BEGIN;
         CREATE TABLE icon_assets(url TEXT PRIMARY KEY, sha256 TEXT, local_path TEXT, error TEXT);
         CREATE TABLE cash_items(run_id TEXT, ocid TEXT, preset_no INTEGER,
           cash_item_equipment_part TEXT, cash_item_equipment_slot TEXT, cash_item_name TEXT,
           cash_item_description TEXT, cash_item_icon_url TEXT);",
    );
    for icon in 0..icons {
        let mut pixels = picture("");
        for bit in 0..24 {
            pixels.get_pixel_mut(0, bit).0[0] = 180 + 40 * (icon >> bit & 1) as u8;
        }
        pixels.save(desk.source(&format!("{icon}.png"))).unwrap();
        writeln!(
            sql,
            "INSERT INTO icon_assets VALUES ('https://x/{icon}', NULL, '{icon}.png', NULL);"
        )
        .unwrap();
    }
    write!(
        sql,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows})
         INSERT INTO cash_items SELECT 'run', 'ocid' || (i / 20), i % 3, '모자', '모자 ' || i,
           '아이템 ' || (i * 7 % {icons}) || ' ' || (i % 5), '설명이 조금 있는 아이템',
           'https://x/' || (i * 7 % {icons}) FROM n;
         COMMIT;"
    )
    .unwrap();
    let db = rusqlite::Connection::open(desk.source("db.sqlite")).unwrap();
    db.execute_batch(&sql).unwrap();
}

/// Runs a batch to its end, prints seconds and peak memory, checks the memory limit and returns the
/// summary.
fn measured(desk: &Desk, source: &[&str]) -> serde_json::Value {
    let args = [&["--batch", "--json", "--outdir", "out"], source].concat();
    let command = desk.command(&args);
    let mut chosen = match std::env::var_os("LABELER_TUI") {
        Some(program) => Command::new(program),
        None => Command::new(command.get_program()),
    };
    chosen
        .args(command.get_args())
        .env_clear()
        .env("HOME", desk.path().join("home"))
        .current_dir(desk.path());
    let start = Instant::now();
    let (Ended { status, out, err }, peak) = ended_with_peak(&mut chosen);
    let seconds = start.elapsed().as_secs_f64();
    let summary = out.lines().last().unwrap_or_default();
    let summary: serde_json::Value =
        serde_json::from_str(summary).unwrap_or_else(|_| panic!("{err}"));
    let read = out.lines().find(|line| line.contains("source_read"));
    println!(
        "status {status}, {} rows, {} groups, {} records: {seconds:.1} s, peak {peak} MiB",
        summary["rows"], summary["groups"], summary["records"]
    );
    assert!(read.is_some());
    assert!(peak < LIMIT_MIB);
    summary
}

/// Runs a program to its end. Returns its peak memory in MiB too.
fn ended_with_peak(command: &mut Command) -> (Ended, u64) {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (send, ended) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output().unwrap()));
    let mut peak = 0;
    let output = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default() / 1024);
        match ended.recv_timeout(Duration::from_millis(20)) {
            Err(RecvTimeoutError::Timeout) => {}
            output => break output.unwrap(),
        }
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ended = Ended {
        status: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    (ended, peak)
}
