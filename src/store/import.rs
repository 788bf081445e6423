//! Takes in a `labels.jsonl` that something else has written, such as an earlier Python run: its
//! records are committed ones, its lines are kept byte for byte until an operator commits anew.

use super::contents::{Content, bump, hex, lossy};
use super::fault::{doing, file};
use super::groups::{GroupRow, find_by_hash, find_by_path, insert_group, link, path_key};
use super::head::{DraftRow, Heads, MadeBy, insert_draft};
use super::journal::{Journal, insert_record_row, now_text};
use super::rules::{Facts, reasons};
use crate::error::Result;
use crate::record::{
    Attributes, GroupId, Item, Labels, Origin, QualityFlags, Reason, Record, SourceType,
    Vocabulary, clean_text,
};
use crate::source::fault_of_line;
use rusqlite::{Connection, params};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind as IoKind, Read};
use std::path::Path;

/// Where a group stands until a source names it: behind everything that a source has named.
const AFTER_SOURCES: i64 = 1 << 40;
/// Faulty lines told one by one; the journal keeps all of them.
const TOLD: usize = 20;

/// A record as other programs write it: what a label cannot do without must be there.
#[derive(Deserialize)]
struct Line {
    image_path: String,
    #[serde(default)]
    image_sha256: Option<String>,
    source_type: SourceType,
    item_name: String,
    #[serde(default)]
    item_description: Option<String>,
    label_ko: String,
    #[serde(default)]
    label_en: Option<String>,
    #[serde(default)]
    tags_ko: Vec<String>,
    #[serde(default)]
    attributes: LineAttributes,
    #[serde(default)]
    query_variants_ko: Vec<String>,
    #[serde(default)]
    quality_flags: LineFlags,
    #[serde(default)]
    model: String,
    #[serde(default)]
    prompt_version: String,
    #[serde(default)]
    generated_at: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LineAttributes {
    colors: Vec<String>,
    theme: Vec<String>,
    material: Vec<String>,
    vibe: Vec<String>,
    item_type_guess: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LineFlags {
    is_uncertain: bool,
    /// Codes that are not ours stay in the line and are not shown.
    reasons: Vec<String>,
}

impl Line {
    fn into_record(self) -> Record {
        let reasons = self.quality_flags.reasons.iter();
        Record {
            image_path: self.image_path,
            image_sha256: self.image_sha256,
            source_type: self.source_type,
            item_name: self.item_name,
            item_description: self.item_description,
            label_ko: self.label_ko,
            label_en: self.label_en,
            tags_ko: self.tags_ko,
            attributes: Attributes {
                colors: self.attributes.colors,
                theme: self.attributes.theme,
                material: self.attributes.material,
                vibe: self.attributes.vibe,
                item_type_guess: self.attributes.item_type_guess,
            },
            query_variants_ko: self.query_variants_ko,
            quality_flags: QualityFlags {
                is_uncertain: self.quality_flags.is_uncertain,
                reasons: reasons.filter_map(|code| Reason::parse(code)).collect(),
            },
            model: self.model,
            prompt_version: self.prompt_version,
            generated_at: self.generated_at,
        }
    }
}

/// What the file held.
#[derive(Default)]
struct Tally {
    taken: u64,
    doubled: u64,
    differing: Vec<Vec<u8>>,
    faults: Vec<(u64, String)>,
}

/// What became of a file of records.
#[derive(Debug)]
pub struct Imported {
    /// Of the file as it was read.
    pub sha256: String,
    /// How many records are new to the journal.
    pub records: u64,
    /// Lines of images whose record was never this line, byte for byte; they are not imported.
    pub differing: Vec<Vec<u8>>,
    pub notices: Vec<String>,
}

impl Journal {
    /// Imports what a file of records holds that the journal does not know. `None` where there is
    /// no file, or where its SHA-256 is `known`.
    pub fn import(&mut self, path: &Path, known: Option<&str>) -> Result<Option<Imported>> {
        let Some(sha256) = file_sha256(path)? else {
            return Ok(None);
        };
        if known == Some(sha256.as_str()) {
            return Ok(None);
        }
        let opened = File::open(path).map_err(file("reading", path))?;
        let transaction = self.db.transaction().map_err(doing("taking in labels"))?;
        let mut taking = Taking {
            db: &transaction,
            vocabulary: &self.vocabulary,
            heads: Heads::new(&transaction),
            met: HashSet::new(),
            tally: Tally::default(),
        };
        let mut lines = BufReader::with_capacity(1 << 16, opened);
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            let read = lines
                .read_until(b'\n', &mut bytes)
                .map_err(file("reading", path))?;
            if read == 0 {
                break;
            }
            taking.line(number, bytes.strip_suffix(b"\n").unwrap_or(&bytes))?;
        }
        let mut tally = taking.tally;
        taking.heads.finish()?;
        if tally.taken > 0 {
            bump(&transaction, Content::Records)?;
        }
        transaction.commit().map_err(doing("taking in labels"))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Some(Imported {
            sha256,
            records: tally.taken,
            differing: std::mem::take(&mut tally.differing),
            notices: tally.told(&name),
        }))
    }
}

/// The SHA-256 of a file; `None` where there is none.
pub(crate) fn file_sha256(path: &Path) -> Result<Option<String>> {
    let mut opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(file("reading", path)(error)),
    };
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = opened.read(&mut chunk).map_err(file("reading", path))?;
        if read == 0 {
            return Ok(Some(hex(&hash.finalize())));
        }
        hash.update(&chunk[..read]);
    }
}

struct Taking<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    heads: Heads<'a>,
    /// Groups that a line of this file has given its record.
    met: HashSet<GroupId>,
    tally: Tally,
}

impl Taking<'_> {
    fn line(&mut self, number: u64, bytes: &[u8]) -> Result<()> {
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => return self.fault(number, "not UTF-8", bytes),
        };
        match serde_json::from_str::<Line>(text.trim_start_matches('\u{feff}')) {
            Ok(line) if line.image_path.is_empty() => {
                self.fault(number, "image_path is empty", bytes)
            }
            Ok(line) => self.take(number, text, line.into_record()),
            Err(error) => self.fault(number, &fault_of_line(&error), bytes),
        }
    }

    fn take(&mut self, number: u64, text: &str, record: Record) -> Result<()> {
        let item = item_of(&record);
        let path = path_key(&item);
        let known = match (find_by_path(self.db, &path)?, &record.image_sha256) {
            (Some(id), _) => Some(id),
            (None, Some(sha256)) => find_by_hash(self.db, sha256)?,
            (None, None) => None,
        };
        let id = match known {
            Some(id) => id,
            None => {
                let row = GroupRow {
                    order: AFTER_SOURCES.saturating_add_unsigned(number),
                    image_path: record.image_path.clone(),
                    sha256: record.image_sha256.clone(),
                    item: item.clone(),
                    other_names: Vec::new(),
                    rows: 1,
                    histogram: None,
                };
                let id = insert_group(self.db, &row)?;
                link(self.db, &path, id)?;
                id
            }
        };
        let mut standing = self.heads.read(id)?;
        let ours = standing.head.record.is_some() || standing.head.draft.is_some();
        if ours && !self.met.contains(&id) {
            if !self.was_exported(id, text)? {
                self.tally.differing.push(text.as_bytes().to_vec());
            }
            return Ok(());
        }
        let draft = self.draft(&item, &record);
        let draft = insert_draft(self.db, id, &draft)?;
        standing.head.draft = Some(draft);
        if standing.failure.take().is_some() {
            bump(self.db, Content::Failures)?;
        }
        standing.head.record = Some(insert_record_row(
            self.db,
            id,
            draft,
            self.heads.now,
            MadeBy::Import,
            &record,
            Some(text),
        )?);
        self.heads.write(id, &standing)?;
        if self.met.insert(id) {
            self.tally.taken += 1;
        } else {
            self.tally.doubled += 1;
        }
        Ok(())
    }

    fn draft(&self, item: &Item, record: &Record) -> DraftRow {
        let said = record.quality_flags.reasons.iter().copied();
        let kept: Vec<Reason> = said
            .clone()
            .filter(|reason| {
                matches!(
                    reason,
                    Reason::Truncated | Reason::QualityRetryFailed | Reason::LowConfidence
                )
            })
            .collect();
        let labels = Labels {
            label_ko: record.label_ko.clone(),
            label_en: record.label_en.clone(),
            tags_ko: record.tags_ko.clone(),
            attributes: record.attributes.clone(),
            query_variants_ko: record.query_variants_ko.clone(),
            model_reasons: said.filter(|reason| reason.said_by_model()).collect(),
        };
        let facts = Facts {
            vocabulary: self.vocabulary,
            item_name: &item.item_name,
            histogram: None,
            confidence: &[],
            with_image: true,
            with_metadata: true,
            kept: &kept,
        };
        DraftRow {
            origin: Origin::Import,
            reasons: reasons(&labels, &facts),
            labels,
            confidence: Vec::new(),
            with_image: true,
            with_metadata: true,
            kept,
            model: record.model.clone(),
            prompt_version: record.prompt_version.clone(),
            generated_at: record.generated_at.clone(),
        }
    }

    /// Whether a record of the group, now or earlier, is the line.
    fn was_exported(&self, group: GroupId, line: &str) -> Result<bool> {
        let reading = doing("reading a record");
        let sought = comparable(line);
        let mut select = self
            .db
            .prepare_cached("SELECT record, raw FROM records WHERE group_id = ?1 ORDER BY id DESC")
            .map_err(&reading)?;
        let mut rows = select.query([group.0]).map_err(&reading)?;
        while let Some(row) = rows.next().map_err(&reading)? {
            let record = lossy(row, 0).map_err(&reading)?.unwrap_or_default();
            let raw = lossy(row, 1).map_err(&reading)?;
            if comparable(raw.as_deref().unwrap_or(&record)) == sought {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fault(&mut self, number: u64, why: &str, bytes: &[u8]) -> Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO import_faults (at, line, why, text) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    now_text(self.heads.now),
                    i64::try_from(number).unwrap_or(i64::MAX),
                    why,
                    String::from_utf8_lossy(bytes),
                ])
            })
            .map_err(doing("taking in labels"))?;
        self.tally.faults.push((number, clean_text(why)));
        Ok(())
    }
}

/// A line without what an export changes in it: the path follows the picture, and
/// `duplicate_label` comes and goes with other records.
fn comparable(line: &str) -> Option<serde_json::Value> {
    let mut line: serde_json::Value =
        serde_json::from_str(line.trim_start_matches('\u{feff}')).ok()?;
    line.as_object_mut()?.remove("image_path");
    if let Some(flags) = line.get_mut("quality_flags")
        && let Some(reasons) = flags.get_mut("reasons")
        && let Some(reasons) = reasons.as_array_mut()
    {
        let code = Reason::DuplicateLabel.code();
        let before = reasons.len();
        reasons.retain(|reason| reason != code);
        if reasons.len() < before {
            let is_uncertain = !reasons.is_empty();
            flags["is_uncertain"] = is_uncertain.into();
        }
    }
    Some(line)
}

fn item_of(record: &Record) -> Item {
    Item {
        image_path: record.image_path.clone(),
        file: None,
        claimed_sha256: record.image_sha256.clone(),
        source_type: record.source_type,
        item_name: record.item_name.clone(),
        item_description: record.item_description.clone(),
        item_part: None,
        image_url: None,
        ocid: None,
        ranking: None,
    }
}

impl Tally {
    fn told(self, name: &str) -> Vec<String> {
        let mut told = Vec::new();
        if self.taken > 0 {
            told.push(format!(
                "{name}: took in {} records of an earlier run",
                self.taken
            ));
        }
        if self.doubled > 0 {
            told.push(format!(
                "{name}: {} lines speak of an image that an earlier line has; the last one counts",
                self.doubled
            ));
        }
        let more = self.faults.len().saturating_sub(TOLD);
        for (number, why) in self.faults.into_iter().take(TOLD) {
            told.push(format!("{name} line {number} is no record: {why}"));
        }
        if more > 0 {
            told.push(format!("{name}: {more} more lines are no records"));
        }
        told
    }
}
