//! Which committed records are exported, and how: a line is true of the picture that is at its
//! path now.

use super::image_path::with_image_path;
use crate::error::{Context, ErrorKind, Result};
use crate::outdir::file;
use crate::record::{GroupId, Reason, Record};
use crate::store::{Committed, Journal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Records that are not exported as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of pictures that are no longer at their path.
    pub withheld: u64,
    /// Edited or accepted texts that no record holds, of such pictures.
    pub withheld_edits: u64,
    /// The first paths of both.
    pub withheld_paths: Vec<String>,
    /// Records whose bytes are not the ones that were committed.
    pub damaged: Vec<DamagedRecord>,
}

/// Withheld texts named one by one.
const NAMED: usize = 3;

impl Tally {
    fn name(&mut self, path: String) {
        if self.withheld_paths.len() < NAMED {
            self.withheld_paths.push(path);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    pub image_path: String,
    pub item_name: String,
    /// `labels.jsonl` holds a good line of it, which stays.
    pub has_line: bool,
}

/// What is known of the journal's records at one moment.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub tally: Tally,
    /// What is withheld, each text as a line; those of an earlier file byte for byte.
    pub withheld_lines: Vec<String>,
    /// By the record's number; the others are exported as they stand.
    fates: HashMap<i64, Fate>,
    /// Labels that more than one exported record has.
    twins: HashSet<String>,
}

#[derive(Debug)]
enum Fate {
    Withheld,
    /// The line that stands in `labels.jsonl`.
    Damaged(Option<String>),
}

/// What a line says of its picture.
#[derive(Deserialize)]
pub(super) struct PictureOfLine {
    pub image_path: Option<String>,
    image_sha256: Option<String>,
}

impl PictureOfLine {
    /// Of a line that another program may have written: a value of another type counts as none,
    /// and of a key that stands twice the last one counts. `None` where it is no object.
    pub fn of(line: &str) -> Option<Self> {
        if let Ok(picture) = serde_json::from_str(line) {
            return Some(picture);
        }
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let mut text = |key: &str| match fields.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Some(Self {
            image_path: text("image_path"),
            image_sha256: text("image_sha256"),
        })
    }
}

impl Truth {
    /// Looks through the records; `labels` is where good lines of damaged ones may stand.
    pub fn of(journal: &Journal, labels: &Path) -> Result<Self> {
        let mut truth = Self::default();
        let mut labels_met = HashSet::new();
        let mut damaged = Vec::new();
        journal.each_record(|committed| {
            if !committed.is_intact && !committed.is_displaced {
                damaged.push(committed);
                return Ok(());
            }
            if committed.is_displaced || !is_of_its_picture(&committed)? {
                truth.tally.withheld += 1;
                truth.tally.name(committed.image_path);
                let line = committed.raw.unwrap_or(committed.record);
                truth.withheld_lines.push(line);
                truth.fates.insert(committed.id, Fate::Withheld);
            } else if !committed.label_key.is_empty() {
                let key = committed.label_key;
                if !labels_met.insert(key.clone()) {
                    truth.twins.insert(key);
                }
            }
            Ok(())
        })?;
        journal.each_displaced_edit(|edit| {
            truth.tally.withheld_edits += 1;
            truth.tally.name(edit.image_path);
            truth.withheld_lines.push(edit.record);
            Ok(())
        })?;
        if damaged.is_empty() {
            return Ok(truth);
        }
        let mut standing = StandingLines::read(labels)?;
        for committed in damaged {
            let line = standing.take(&committed);
            truth.tally.damaged.push(DamagedRecord {
                image_path: committed.image_path,
                item_name: committed.item_name,
                has_line: line.is_some(),
            });
            truth.fates.insert(committed.id, Fate::Damaged(line));
        }
        Ok(truth)
    }
}

/// A record without a hash cannot be checked and counts as true.
fn is_of_its_picture(committed: &Committed) -> Result<bool> {
    let picture: PictureOfLine = parse(&committed.record)?;
    Ok(match (&picture.image_sha256, &committed.image_sha256) {
        (Some(then), Some(now)) => then.eq_ignore_ascii_case(now),
        _ => true,
    })
}

/// The lines of the exported file, by their pictures.
struct StandingLines {
    by_hash: HashMap<String, String>,
    by_path: HashMap<String, String>,
}

impl StandingLines {
    fn read(labels: &Path) -> Result<Self> {
        let mut lines = Self {
            by_hash: HashMap::new(),
            by_path: HashMap::new(),
        };
        let text = match std::fs::read(labels) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(lines),
            Err(error) => return Err(file("reading", labels)(error)),
        };
        for line in text.split('\n') {
            // What is no record is no line of one.
            let Some(picture) = PictureOfLine::of(line) else {
                continue;
            };
            match (picture.image_sha256, picture.image_path) {
                (Some(hash), _) => lines.by_hash.insert(hash, line.to_owned()),
                (None, Some(path)) => lines.by_path.insert(path, line.to_owned()),
                (None, None) => None,
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

/// What exporters see: the journal, and which of its records are true now.
pub(super) struct View<'a> {
    pub journal: &'a Journal,
    pub truth: &'a Truth,
}

impl View<'_> {
    /// Hands over the records that are true of their pictures, in source order.
    pub fn each_record(&self, mut take: impl FnMut(ExportedRecord) -> Result<()>) -> Result<()> {
        self.journal.each_record(|committed| {
            let (record, raw) = match self.truth.fates.get(&committed.id) {
                Some(Fate::Withheld | Fate::Damaged(None)) => return Ok(()),
                Some(Fate::Damaged(Some(line))) => (None, Some(line.clone())),
                None => (Some(committed.record), committed.raw),
            };
            take(ExportedRecord {
                group: committed.group,
                is_twin: self.truth.twins.contains(&committed.label_key),
                image_path: committed.image_path,
                record,
                raw,
            })
        })
    }
}

/// The records that are true of their pictures, in source order, each with its group; `labels` is
/// where good lines of damaged ones may stand.
pub fn true_records(journal: &Journal, labels: &Path) -> Result<Vec<(GroupId, Record)>> {
    let truth = Truth::of(journal, labels)?;
    let view = View {
        journal,
        truth: &truth,
    };
    let mut records = Vec::new();
    view.each_record(|exported| {
        let group = exported.group;
        records.extend(exported.record()?.map(|record| (group, record)));
        Ok(())
    })?;
    Ok(records)
}

/// A record on its way into a file.
pub(super) struct ExportedRecord {
    pub group: GroupId,
    pub image_path: String,
    /// In the record's form; `None` where only the line is left.
    record: Option<String>,
    /// A line that stands as it is, but for its path.
    raw: Option<String>,
    is_twin: bool,
}

impl ExportedRecord {
    /// The record's line. One that came from an earlier file stands as it stood there.
    pub fn line(self) -> Result<String> {
        if let Some(raw) = &self.raw {
            let picture = PictureOfLine::of(raw.trim_start_matches('\u{feff}'));
            let path = picture.and_then(|picture| picture.image_path);
            let is_there = path.as_ref() == Some(&self.image_path);
            if is_there || self.image_path.is_empty() {
                return Ok(raw.clone());
            }
            if let Some(moved) = with_image_path(raw, &self.image_path) {
                return Ok(moved);
            }
        }
        match self.record {
            Some(record) if !self.is_twin => {
                let picture: PictureOfLine = parse(&record)?;
                let is_there = picture.image_path.as_ref() == Some(&self.image_path);
                match is_there || self.image_path.is_empty() {
                    true => Ok(record),
                    false => write(&in_place(parse(&record)?, self.image_path)),
                }
            }
            Some(record) => {
                let record = in_place(parse(&record)?, self.image_path);
                write(&with_duplicate(record))
            }
            None => Ok(self.raw.unwrap_or_default()),
        }
    }

    /// The record for a file of another form; `None` where only a line of another program's is
    /// left, which need not be one.
    pub fn record(self) -> Result<Option<Record>> {
        let Some(record) = self.record else {
            let line: Option<Record> = self.raw.and_then(|line| serde_json::from_str(&line).ok());
            return Ok(line.map(|record| in_place(record, self.image_path)));
        };
        let record = in_place(parse(&record)?, self.image_path);
        Ok(Some(match self.is_twin && self.raw.is_none() {
            true => with_duplicate(record),
            false => record,
        }))
    }
}

fn in_place(mut record: Record, image_path: String) -> Record {
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
