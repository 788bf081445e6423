//! Selects the records to export. An exported line always describes the image that is at its path
//! now.

use super::image_path::with_image_path;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::outdir::file_error;
use crate::record::{GroupId, Reason, Record, read_sha256};
use crate::store::{Committed, Journal};
use crate::text::sha256_in;
use crate::threads;
use crossbeam_channel::bounded;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::thread;

/// Records that are not exported as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportIssues {
    /// Number of records whose images are no longer at their paths.
    pub withheld: u64,
    /// Number of uncommitted edited or accepted texts for such images.
    pub withheld_edits: u64,
    /// The first paths of both kinds.
    pub withheld_paths: Vec<String>,
    /// Records whose bytes differ from what was committed.
    pub damaged: Vec<DamagedRecord>,
}

/// How many withheld paths are listed.
const MAX_LISTED: usize = 3;
/// Number of records that are examined in one go.
const BATCH: usize = 256;
/// Number of batches that are read ahead.
const BATCHES_AHEAD: usize = 4;

impl ExportIssues {
    fn list_path(&mut self, path: String) {
        if self.withheld_paths.len() < MAX_LISTED {
            self.withheld_paths.push(path);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    pub image_path: String,
    pub item_name: String,
    /// `labels.jsonl` still has the intact line, which is kept.
    pub has_line: bool,
}

/// Which of the journal's records are exported, and which exceptions apply.
#[derive(Debug, Default)]
pub(super) struct ExportSelection {
    pub issues: ExportIssues,
    /// Withheld texts as lines; imported ones byte for byte.
    pub withheld_lines: Vec<String>,
    /// By record id. All other records are exported as stored.
    exceptions: HashMap<i64, Exception>,
    /// Keys of labels that more than one exported record has.
    duplicate_labels: HashSet<String>,
}

/// Why a record is not exported as stored.
#[derive(Debug)]
enum Exception {
    Withheld,
    /// The record is damaged; the intact line from `labels.jsonl`, if there is one.
    Damaged(Option<String>),
}

/// The image that a line describes.
#[derive(Deserialize)]
pub(super) struct LineImage {
    pub image_path: Option<String>,
    #[serde(default, deserialize_with = "read_sha256")]
    image_sha256: Option<String>,
}

impl LineImage {
    /// Reads a line that another program may have written. A value of another type counts as
    /// missing, and the last of duplicate keys wins. `None` if the line is not an object.
    pub fn of(line: &str) -> Option<Self> {
        if let Ok(image) = serde_json::from_str(line) {
            return Some(image);
        }
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let mut text = |key: &str| match fields.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Some(Self {
            image_path: text("image_path"),
            image_sha256: text("image_sha256").and_then(|text| sha256_in(&text)),
        })
    }
}

impl ExportSelection {
    /// Examines all records. `labels` is the file that may have intact lines of damaged records.
    pub fn of(journal: &Journal, labels: &Path) -> Result<Self> {
        let (mut selection, damaged) = examine(journal)?;
        journal.each_displaced_edit(|edit| {
            selection.issues.withheld_edits += 1;
            selection.issues.list_path(edit.image_path);
            selection.withheld_lines.push(edit.record);
            Ok(())
        })?;
        if damaged.is_empty() {
            return Ok(selection);
        }
        let mut exported = ExportedLines::read(labels)?;
        for committed in damaged {
            let line = exported.take(&committed);
            selection.issues.damaged.push(DamagedRecord {
                image_path: committed.image_path,
                item_name: committed.item_name,
                has_line: line.is_some(),
            });
            selection
                .exceptions
                .insert(committed.id, Exception::Damaged(line));
        }
        Ok(selection)
    }
}

/// Examines all records, on a thread of its own while they are read. Returns the selection, and the
/// damaged records apart.
fn examine(journal: &Journal) -> Result<(ExportSelection, Vec<Committed>)> {
    thread::scope(|scope| {
        let (batches, read_ahead) = bounded(BATCHES_AHEAD);
        let examiner = threads::spawn_scoped(scope, "examining", move || {
            let mut examiner = Examiner::default();
            let mut records = read_ahead.into_iter().flatten();
            records.try_for_each(|record| examiner.add(record))?;
            Ok((examiner.selection, examiner.damaged))
        })?;
        let ended = |_| Error::new(ErrorKind::Internal, "examining the records ended early");
        let mut batch = Vec::with_capacity(BATCH);
        let read = journal.each_record(|committed| {
            batch.push(committed);
            match batch.len() < BATCH {
                true => Ok(()),
                false => batches.send(std::mem::take(&mut batch)).map_err(ended),
            }
        });
        let read = read.and_then(|()| batches.send(batch).map_err(ended));
        drop(batches);
        let examined = examiner.join();
        let examined =
            examined.map_err(|panic| threads::panicked("examining the records", panic.as_ref()))?;
        // An error of the examiner explains why it took no more batches.
        examined.and_then(|examined| read.map(|()| examined))
    })
}

#[derive(Default)]
struct Examiner {
    selection: ExportSelection,
    damaged: Vec<Committed>,
    labels: HashSet<String>,
}

impl Examiner {
    fn add(&mut self, committed: Committed) -> Result<()> {
        let selection = &mut self.selection;
        if !committed.is_displaced && !committed.is_intact() {
            self.damaged.push(committed);
        } else if committed.is_displaced || !matches_its_image(&committed)? {
            selection.issues.withheld += 1;
            selection.issues.list_path(committed.image_path);
            let line = committed.raw.unwrap_or(committed.record);
            selection.withheld_lines.push(line);
            selection
                .exceptions
                .insert(committed.id, Exception::Withheld);
        } else if !committed.label_key.is_empty() {
            let key = committed.label_key;
            if !self.labels.insert(key.clone()) {
                selection.duplicate_labels.insert(key);
            }
        }
        Ok(())
    }
}

/// Whether the record describes the image of its group. True if either hash is missing.
fn matches_its_image(committed: &Committed) -> Result<bool> {
    let image: LineImage = parse(&committed.record)?;
    Ok(match (&image.image_sha256, &committed.image_sha256) {
        (Some(then), Some(now)) => then == now,
        _ => true,
    })
}

/// The lines of the exported file, by image.
struct ExportedLines {
    by_hash: HashMap<String, String>,
    by_path: HashMap<String, String>,
}

impl ExportedLines {
    fn read(labels: &Path) -> Result<Self> {
        let mut lines = Self {
            by_hash: HashMap::new(),
            by_path: HashMap::new(),
        };
        let text = match std::fs::read(labels) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(lines),
            Err(error) => return Err(file_error("reading", labels)(error)),
        };
        for line in text.split('\n') {
            let Some(image) = LineImage::of(line) else {
                continue;
            };
            match (image.image_sha256, image.image_path) {
                (Some(hash), _) => lines.by_hash.insert(hash, line.to_owned()),
                (_, Some(path)) => lines.by_path.insert(path, line.to_owned()),
                (_, None) => None,
            };
        }
        Ok(lines)
    }

    fn take(&mut self, committed: &Committed) -> Option<String> {
        let by_hash = match &committed.image_sha256 {
            Some(hash) => self.by_hash.remove(hash),
            None => None,
        };
        by_hash.or_else(|| self.by_path.remove(&committed.image_path))
    }
}

/// What exporters read: the journal and the selection of its records.
pub(super) struct ExportView<'a> {
    pub journal: &'a Journal,
    pub selection: &'a ExportSelection,
}

impl ExportView<'_> {
    /// Passes the records to export to `take`, in source order.
    pub fn each_record(&self, mut take: impl FnMut(ExportedRecord) -> Result<()>) -> Result<()> {
        self.journal.each_record(|committed| {
            let (record, raw) = match self.selection.exceptions.get(&committed.id) {
                Some(Exception::Withheld | Exception::Damaged(None)) => return Ok(()),
                Some(Exception::Damaged(Some(line))) => (None, Some(line.clone())),
                None => (Some(committed.record), committed.raw),
            };
            take(ExportedRecord {
                group: committed.group,
                is_duplicate: self
                    .selection
                    .duplicate_labels
                    .contains(&committed.label_key),
                image_path: committed.image_path,
                record,
                raw,
            })
        })
    }
}

/// Returns the records to export with their groups, in source order. `labels` is the file that may
/// have intact lines of damaged records.
pub fn exported_records(journal: &Journal, labels: &Path) -> Result<Vec<(GroupId, Record)>> {
    let selection = ExportSelection::of(journal, labels)?;
    let view = ExportView {
        journal,
        selection: &selection,
    };
    let mut records = Vec::new();
    view.each_record(|exported| {
        let group = exported.group;
        records.extend(exported.record()?.map(|record| (group, record)));
        Ok(())
    })?;
    Ok(records)
}

/// A record that is being exported.
pub(super) struct ExportedRecord {
    pub group: GroupId,
    pub image_path: String,
    /// The record as JSON; `None` if only the exported line is intact.
    record: Option<String>,
    /// A line that is exported unchanged except for its path.
    raw: Option<String>,
    is_duplicate: bool,
}

impl ExportedRecord {
    /// Returns the record's line. An imported line is unchanged except for its path.
    pub fn line(self) -> Result<String> {
        if let Some(raw) = &self.raw {
            let image = LineImage::of(raw.trim_start_matches('\u{feff}'));
            let path = image.and_then(|image| image.image_path);
            let is_current_path = path.as_ref() == Some(&self.image_path);
            if is_current_path || self.image_path.is_empty() {
                return Ok(raw.clone());
            }
            if let Some(moved) = with_image_path(raw, &self.image_path) {
                return Ok(moved);
            }
        }
        match self.record {
            Some(record) if !self.is_duplicate => {
                let image: LineImage = parse(&record)?;
                let is_current_path = image.image_path.as_ref() == Some(&self.image_path);
                match is_current_path || self.image_path.is_empty() {
                    true => Ok(record),
                    false => write(&with_path(parse(&record)?, self.image_path)),
                }
            }
            Some(record) => {
                let record = with_path(parse(&record)?, self.image_path);
                write(&with_duplicate(record))
            }
            None => Ok(self.raw.unwrap_or_default()),
        }
    }

    /// Returns the record for a file that does not consist of lines. `None` if only a line of
    /// another program is left that is not a complete record.
    pub fn record(self) -> Result<Option<Record>> {
        let Some(record) = self.record else {
            let line: Option<Record> = self.raw.and_then(|line| serde_json::from_str(&line).ok());
            return Ok(line.map(|record| with_path(record, self.image_path)));
        };
        let record = with_path(parse(&record)?, self.image_path);
        Ok(Some(match self.is_duplicate && self.raw.is_none() {
            true => with_duplicate(record),
            false => record,
        }))
    }
}

fn with_path(mut record: Record, image_path: String) -> Record {
    if !image_path.is_empty() {
        record.image_path = image_path;
    }
    record
}

fn with_duplicate(mut record: Record) -> Record {
    let flags = &mut record.quality_flags;
    flags.reasons.push(Reason::DuplicateLabel);
    flags.reasons.sort_unstable();
    flags.reasons.dedup();
    flags.is_uncertain = true;
    record
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context(ErrorKind::Store, "reading a record of the journal")
}

fn write(record: &Record) -> Result<String> {
    serde_json::to_string(record).context(ErrorKind::Internal, "writing a record")
}
