//! Measures time and memory of reading and grouping. Not part of `cargo test`; run
//! `cargo test --release --test source_bench -- --ignored --nocapture --test-threads 1 NAME`,
//! with one NAME per process, since memory is the peak of the process.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use labeler_tui::source::{GroupEvent, SourceEnd, SourceKind, SourceOptions, group, open};
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

const LIMIT_MIB: u64 = 300;

#[test]
#[ignore = "a benchmark"]
fn database_of_140_000_rows_and_8_000_icons() {
    database(140_000, 8_000);
}

#[test]
#[ignore = "a benchmark"]
fn database_of_1_000_000_rows_and_20_000_icons() {
    database(1_000_000, 20_000);
}

#[test]
#[ignore = "a benchmark"]
fn manifest_of_1_000_000_rows_and_as_many_images() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    for row in 0..1_000_000 {
        use std::io::Write as _;
        writeln!(
            file,
            r#"{{"image_path":"icons/cash/{row:064x}.png","item_name":"이름 {row}","source_type":"cash"}}"#
        )
        .unwrap();
    }
    drop(file);
    let end = measure(SourceKind::Manifest(path));
    assert_eq!(end.rows_of_groups.len(), 1_000_000);
}

fn database(rows: u64, icons: u64) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("icons")).unwrap();
    for icon in 0..icons {
        // About as large as a real icon; grouping hashes the bytes without decoding them.
        let bytes: Vec<u8> = (0..900)
            .map(|i| (icon >> (i % 4 * 8)) as u8 ^ i as u8)
            .collect();
        fs::write(dir.path().join(format!("icons/{icon}.png")), bytes).unwrap();
    }
    let path = dir.path().join("db.sqlite");
    let mut sql = String::from(
        "BEGIN;
         CREATE TABLE icon_assets(url TEXT PRIMARY KEY, sha256 TEXT, local_path TEXT, error TEXT);
         CREATE TABLE cash_items(run_id TEXT, ocid TEXT, preset_no INTEGER,
           cash_item_equipment_part TEXT, cash_item_equipment_slot TEXT, cash_item_name TEXT,
           cash_item_description TEXT, cash_item_icon_url TEXT,
           UNIQUE(run_id, ocid, preset_no, cash_item_equipment_part, cash_item_equipment_slot));",
    );
    for icon in 0..icons {
        writeln!(
            sql,
            "INSERT INTO icon_assets VALUES ('https://x/{icon}', NULL, 'icons/{icon}.png', NULL);"
        )
        .unwrap();
    }
    writeln!(
        sql,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows})
         INSERT INTO cash_items SELECT 'run', 'ocid' || (i / 20), i % 3, '모자', '모자 ' || i,
           '아이템 ' || (i * 7 % {icons}), '설명이 조금 있는 아이템', 'https://x/' || (i * 7 % {icons}) FROM n;
         COMMIT;"
    )
    .unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(&sql)
        .unwrap();
    drop(sql);
    let end = measure(SourceKind::Database(path));
    assert_eq!(end.rows, rows);
    assert_eq!(end.rows_of_groups.len() as u64, icons);
}

/// Reads and groups a source, prints time and memory, and checks the memory limit.
fn measure(kind: SourceKind) -> SourceEnd {
    let before = peak_mib();
    let start = Instant::now();
    let source = open(&SourceOptions::new(kind)).unwrap();
    let mut groups = 0u64;
    let end = group(source, None, &mut |event| {
        groups += u64::from(matches!(event, GroupEvent::New(_)));
        ControlFlow::Continue(())
    })
    .unwrap();
    println!(
        "{} rows, {groups} groups: {:.2} s, {} MiB at most ({before} MiB before)",
        end.rows,
        start.elapsed().as_secs_f64(),
        peak_mib(),
    );
    assert!(peak_mib() < LIMIT_MIB);
    end
}

/// Peak resident memory of the process; 0 if unknown.
fn peak_mib() -> u64 {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}
