//! The files that others read, written from the journal. Each is written beside its target,
//! synced and renamed, so that none is ever seen half written.
//!
//! During a run the journal alone is written for every record; the exports follow every few
//! seconds and at the end. Where a run ended in between, the next one rebuilds them at once.

use super::fault::{doing, file, unreadable};
use super::head::{from_json, to_json};
use super::journal::{Journal, meta_get, meta_set, with_duplicate};
use super::parquet::ParquetFile;
use crate::error::Result;
use crate::record::{Item, Record};
use rusqlite::Connection;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

pub const LABELS: &str = "labels.jsonl";
pub const ERRORS: &str = "labels_errors.jsonl";
pub const PARQUET: &str = "labels.parquet";

/// The shortest time between two exports while a run is going on.
const PAUSE: Duration = Duration::from_secs(5);
/// An export may take this part of a run's time at most.
const SHARE: u32 = 20;

/// When the last export of this process was, and how long it took.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(Instant, Duration)>,
}

impl Pace {
    fn due(&self) -> bool {
        match self.last {
            Some((at, took)) => at.elapsed() >= PAUSE.max(took * SHARE),
            None => true,
        }
    }
}

/// One line of `labels_errors.jsonl`, in this order.
#[derive(Serialize)]
struct ErrorLine<'a> {
    image_path: &'a str,
    item_name: &'a str,
    source_type: &'a str,
    code: &'a str,
    detail: &'a str,
    at: &'a str,
}

impl Journal {
    /// Brings the exports up to date where a pause has passed since the last time; for calling
    /// after every record of a run. Tells whether it did.
    pub fn export_if_due(&mut self) -> Result<bool> {
        Ok(self.pace.due() && self.export_lines()?)
    }

    /// Brings the exports up to date: at the end of a run, after an operator's commit. The Parquet
    /// file is written where it is asked for, and kept up where an earlier run has asked for it.
    pub fn export(&mut self, parquet: bool) -> Result<()> {
        self.export_lines()?;
        if (parquet || self.outdir.join(PARQUET).exists()) && self.is_behind(PARQUET)? {
            self.export_parquet()?;
        }
        Ok(())
    }

    pub(super) fn is_behind(&self, name: &str) -> Result<bool> {
        let exported = meta_get(&self.db, &exported_key(name))?;
        let changes = meta_get(&self.db, &changes_key(name))?;
        if exported != changes {
            return Ok(true);
        }
        if changes.is_none() || self.outdir.join(name).exists() {
            return Ok(false);
        }
        let has_lines = match name {
            ERRORS => "failure IS NOT NULL AND has_draft = 0 AND record IS NULL",
            _ => "record IS NOT NULL",
        };
        self.db
            .prepare_cached(&format!("SELECT 1 FROM heads WHERE {has_lines} LIMIT 1"))
            .and_then(|mut select| select.exists([]))
            .map_err(doing("counting"))
    }

    /// Writes those of the two files that lag behind; tells whether there was one.
    fn export_lines(&mut self) -> Result<bool> {
        let begun = Instant::now();
        let (labels, errors) = (self.is_behind(LABELS)?, self.is_behind(ERRORS)?);
        if labels {
            let twins = equal_labels(&self.db)?;
            self.replace(LABELS, |out| {
                each_record(&self.db, |record| {
                    out.line(&self.outdir, &record.line(&twins)?)
                })
            })?;
            mark_exported(&self.db, LABELS)?;
        }
        if errors {
            self.replace(ERRORS, |out| {
                each_error(&self.db, |line| out.line(&self.outdir, line))
            })?;
            mark_exported(&self.db, ERRORS)?;
        }
        if labels || errors {
            self.pace.last = Some((Instant::now(), begun.elapsed()));
        }
        Ok(labels || errors)
    }

    fn export_parquet(&mut self) -> Result<()> {
        let twins = equal_labels(&self.db)?;
        let target = self.outdir.join(PARQUET);
        self.replace(PARQUET, |out| {
            let mut parquet = ParquetFile::begin(out, &target)?;
            each_record(&self.db, |record| parquet.push(record.record(&twins)?))?;
            parquet.finish()
        })?;
        mark_exported(&self.db, PARQUET)
    }

    /// Writes a file anew; not where it would be empty and is not there.
    fn replace(&self, name: &str, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<()> {
        let target = self.outdir.join(name);
        let temporary = self.outdir.join(format!(".{name}.tmp"));
        let written = File::create(&temporary)
            .map_err(file("writing", &temporary))
            .and_then(|created| {
                let mut sink = Sink {
                    out: BufWriter::with_capacity(1 << 16, created),
                    hash: Sha256::new(),
                    empty: true,
                };
                fill(&mut sink)?;
                sink.out.flush().map_err(file("writing", &target))?;
                if sink.empty && !target.exists() {
                    return Ok(false);
                }
                let created = sink.out.get_ref();
                created.sync_all().map_err(file("writing", &target))?;
                // Before the rename: cut off in between, the old file is then looked through for
                // records that the journal lacks, and has none.
                meta_set(&self.db, &written_key(name), &hex(&sink.hash.finalize()))?;
                std::fs::rename(&temporary, &target).map_err(file("replacing", &target))?;
                sync_folder(&self.outdir)?;
                Ok(true)
            });
        if !matches!(written, Ok(true)) {
            // Best effort: the next export overwrites what cannot be removed now.
            let _ = std::fs::remove_file(&temporary);
        }
        written.map(|_| ())
    }
}

/// Where the changes of what a file holds are counted; an export remembers where it stood. The
/// Parquet file holds the same records as the lines.
fn changes_key(name: &str) -> String {
    match name {
        LABELS | PARQUET => "changes".to_owned(),
        other => format!("changes:{other}"),
    }
}

/// Where the hash of a file as it was last written here is kept.
pub(super) fn written_key(name: &str) -> String {
    format!("written:{name}")
}

fn exported_key(name: &str) -> String {
    format!("exported:{name}")
}

/// A file being written.
pub(super) struct Sink {
    out: BufWriter<File>,
    hash: Sha256,
    empty: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.empty &= written == 0;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Sink {
    fn line(&mut self, folder: &Path, text: &str) -> Result<()> {
        self.write_all(text.as_bytes())
            .and_then(|()| self.write_all(b"\n"))
            .map_err(file("writing into", folder))
    }
}

/// A record as the journal holds it.
pub(super) struct StoredRecord {
    pub record: String,
    /// The line of an earlier file, byte for byte.
    pub raw: Option<String>,
    pub label_key: String,
}

impl StoredRecord {
    /// The record's line. One that came from an earlier file stands as it stood there.
    fn line(self, twins: &HashSet<String>) -> Result<String> {
        match self.raw {
            Some(raw) => Ok(raw),
            None if !twins.contains(&self.label_key) => Ok(self.record),
            None => to_json(&self.record(twins)?),
        }
    }

    fn record(&self, twins: &HashSet<String>) -> Result<Record> {
        let record: Record = from_json(&self.record)?;
        if self.raw.is_none() && twins.contains(&self.label_key) {
            return Ok(with_duplicate(record));
        }
        Ok(record)
    }
}

/// Hands over the records in source order.
pub(super) fn each_record(
    db: &Connection,
    mut take: impl FnMut(StoredRecord) -> Result<()>,
) -> Result<()> {
    let mut select = db
        .prepare_cached(
            "SELECT r.record, r.raw, r.label_key
             FROM groups g
                 JOIN heads h ON h.group_id = g.id
                 JOIN records r ON r.id = h.record
             ORDER BY g.ord, g.id",
        )
        .map_err(doing("reading the records"))?;
    let mut rows = select.query([]).map_err(doing("reading the records"))?;
    while let Some(row) = rows.next().map_err(doing("reading the records"))? {
        let stored = (|| {
            Ok(StoredRecord {
                record: row.get(0)?,
                raw: row.get(1)?,
                label_key: row.get(2)?,
            })
        })()
        .map_err(doing("reading the records"))?;
        take(stored)?;
    }
    Ok(())
}

/// Labels that more than one record holds.
pub(super) fn equal_labels(db: &Connection) -> Result<HashSet<String>> {
    db.prepare_cached(
        "SELECT r.label_key FROM heads h JOIN records r ON r.id = h.record
         WHERE r.label_key <> '' GROUP BY r.label_key HAVING count(*) > 1",
    )
    .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
    .map_err(doing("looking for equal labels"))
}

fn each_error(db: &Connection, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut select = db
        .prepare_cached(
            "SELECT g.image_path, g.item, f.code, f.detail, f.at
             FROM groups g
                 JOIN heads h ON h.group_id = g.id
                 JOIN failures f ON f.id = h.failure
             WHERE h.has_draft = 0 AND h.record IS NULL
             ORDER BY g.ord, g.id",
        )
        .map_err(doing("reading the failures"))?;
    let mut rows = select.query([]).map_err(doing("reading the failures"))?;
    while let Some(row) = rows.next().map_err(doing("reading the failures"))? {
        let (image_path, item, code, detail, at): (String, String, String, String, String) =
            row.try_into().map_err(doing("reading the failures"))?;
        let item: Item = from_json(&item)?;
        let line = to_json(&ErrorLine {
            image_path: &image_path,
            item_name: &item.item_name,
            source_type: item.source_type.as_str(),
            code: &code,
            detail: &detail,
            at: &at,
        })?;
        take(&line)?;
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(file("syncing", folder))
}

/// A folder cannot be opened for syncing here.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<()> {
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Notes that an export holds everything up to now.
pub(super) fn mark_exported(db: &Connection, name: &str) -> Result<()> {
    match meta_get(db, &changes_key(name))? {
        Some(changes) => meta_set(db, &exported_key(name), &changes),
        None => Ok(()),
    }
}

/// Counts one change of what the export `name` holds, inside the transaction that makes it.
pub(super) fn count_change(db: &Connection, name: &str) -> Result<()> {
    let key = changes_key(name);
    let next = match meta_get(db, &key)? {
        Some(text) => {
            let count: u64 = text
                .parse()
                .map_err(|error| unreadable("reading a count", error))?;
            count + 1
        }
        None => 1,
    };
    meta_set(db, &key, &next.to_string())
}
