//! Takes in a `labels.jsonl` that something else has written, such as an earlier Python run: its
//! records are committed ones, its lines are kept byte for byte until an operator commits anew.

use super::exports::{ERRORS, LABELS, count_change, hex, mark_exported, written_key};
use super::fault::{doing, file};
use super::groups::{GroupRow, find_by_hash, find_by_path, insert_group, link, path_key};
use super::head::{DraftRow, Heads, insert_draft};
use super::journal::{Journal, insert_record_row, meta_get, meta_set, now_text};
use super::rules::{Facts, reasons};
use crate::error::Result;
use crate::record::{
    Attributes, CommittedBy, CurrentState, GroupId, Item, Labels, Origin, QualityFlags, Reason,
    Record, SourceType, Vocabulary, clean_text,
};
use crate::source::fault_of_line;
use rusqlite::{Connection, params};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind as IoKind, Read};

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
    differing: u64,
    faults: Vec<(u64, String)>,
}

impl Journal {
    /// Takes in what `labels.jsonl` holds that the journal does not know; says in words what it
    /// met. Nothing where the file is as it was last written here.
    pub(super) fn import(&mut self) -> Result<Vec<String>> {
        let path = self.outdir.join(LABELS);
        let mut opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file("reading", &path)(error)),
        };
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            let read = opened.read(&mut chunk).map_err(file("reading", &path))?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
        }
        let hash = hex(&hash.finalize());
        if meta_get(&self.db, &written_key(LABELS))?.as_deref() == Some(hash.as_str()) {
            return Ok(Vec::new());
        }
        let behind = self.is_behind(LABELS)?;
        let opened = File::open(&path).map_err(file("reading", &path))?;
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
                .map_err(file("reading", &path))?;
            if read == 0 {
                break;
            }
            taking.line(number, bytes.strip_suffix(b"\n").unwrap_or(&bytes))?;
        }
        let tally = taking.tally;
        taking.heads.finish()?;
        meta_set(&transaction, &written_key(LABELS), &hash)?;
        if tally.taken > 0 {
            count_change(&transaction, LABELS)?;
            if !behind {
                // The file is what it should be; a Parquet file is not.
                mark_exported(&transaction, LABELS)?;
            }
        }
        transaction.commit().map_err(doing("taking in labels"))?;
        Ok(tally.told(behind))
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
        let mut current = self.heads.read(id)?;
        // A draft is none of the file's: the line of a group that has none here is imported.
        let ours = current.review.line.is_some();
        if ours && !self.met.contains(&id) {
            if !self.stands_as(&current, text)? {
                self.tally.differing += 1;
            }
            return Ok(());
        }
        let draft = self.draft(&item, &record);
        let draft = insert_draft(self.db, id, &draft)?;
        if current.failure.is_some() {
            count_change(self.db, ERRORS)?;
        }
        let record = insert_record_row(
            self.db,
            id,
            draft,
            self.heads.now,
            CommittedBy::Import,
            &record,
            Some(text),
        )?;
        current.imported(draft, record);
        self.heads.write(id, &current)?;
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

    /// Whether the record is the line; `duplicate_label`, which comes and goes, apart.
    fn stands_as(&self, current: &CurrentState, line: &str) -> Result<bool> {
        let Some(record) = current.review.line.and_then(|line| line.record) else {
            return Ok(false);
        };
        let (record, raw): (String, Option<String>) = self
            .db
            .prepare_cached("SELECT record, raw FROM records WHERE id = ?1")
            .and_then(|mut select| select.query_row([record], |row| Ok((row.get(0)?, row.get(1)?))))
            .map_err(doing("reading a record"))?;
        let bare = |text: &str| {
            let mut record = serde_json::from_str::<Line>(text).ok()?.into_record();
            let flags = &mut record.quality_flags;
            flags
                .reasons
                .retain(|reason| *reason != Reason::DuplicateLabel);
            flags.is_uncertain = !flags.reasons.is_empty();
            Some(record)
        };
        Ok(raw.as_deref() == Some(line) || bare(&record) == bare(line))
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
    /// `behind`: the file is older than the journal because the last run was cut off.
    fn told(self, behind: bool) -> Vec<String> {
        let mut told = Vec::new();
        if self.taken > 0 {
            told.push(format!(
                "{LABELS}: took in {} records of an earlier run",
                self.taken
            ));
        }
        if self.doubled > 0 {
            told.push(format!(
                "{LABELS}: {} lines speak of an image that an earlier line has; the last one counts",
                self.doubled
            ));
        }
        if self.differing > 0 && !behind {
            told.push(format!(
                "{LABELS}: {} lines were changed by something else; the journal's records replace \
                 them when the file is next written",
                self.differing
            ));
        }
        let more = self.faults.len().saturating_sub(TOLD);
        for (number, why) in self.faults.into_iter().take(TOLD) {
            told.push(format!("{LABELS} line {number} is no record: {why}"));
        }
        if more > 0 {
            told.push(format!("{LABELS}: {more} more lines are no records"));
        }
        told
    }
}
