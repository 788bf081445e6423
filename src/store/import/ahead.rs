//! Reads a labels file on a thread of its own, ahead of the import: decoding, parsing and the rules
//! do not need the journal.

use super::line::{self, ImportedLine};
use crate::error::Result;
use crate::outdir::file_error;
use crate::record::{Origin, Reason, ReasonSource, Record, Vocabulary};
use crate::store::tables::computed::Observed;
use crate::store::tables::drafts::DraftRow;
use crate::text::clean_text;
use crate::text::encoding::{Encoding, Lines, decode_line};
use crossbeam_channel::Sender;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A line that is not blank.
pub struct ReadLine {
    pub number: u64,
    pub bytes: Vec<u8>,
    pub decoded: Decoded,
}

pub enum Decoded {
    UnknownEncoding,
    Text {
        text: String,
        encoding: Encoding,
        /// An error if it is not JSON.
        records: Result<Vec<ParsedRecord>, String>,
    },
}

/// A record in a line, usually the only one.
pub struct ParsedRecord {
    pub line: ImportedLine,
    /// The record's text, checked with the record's own item name.
    pub draft: Option<DraftRow>,
}

/// Sends every line, until the end of the file or until the receiver is dropped.
pub fn read(path: &Path, vocabulary: &Vocabulary, out: &Sender<ReadLine>) -> Result<()> {
    let reading = file_error("reading", path);
    let opened = File::open(path).map_err(&reading)?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, opened)).map_err(&reading)?;
    for number in 1.. {
        let mut bytes = Vec::new();
        if !lines.next(&mut bytes).map_err(&reading)? {
            break;
        }
        let decoded = match decode_line(&bytes, lines.encoding) {
            Some((text, _)) if is_blank(&text) => continue,
            Some((text, encoding)) => Decoded::Text {
                records: line::read(&text).map(|lines| with_drafts(lines, vocabulary)),
                text,
                encoding,
            },
            None => Decoded::UnknownEncoding,
        };
        let line = ReadLine {
            number,
            bytes,
            decoded,
        };
        if out.send(line).is_err() {
            break;
        }
    }
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c == '\u{feff}' || c.is_whitespace())
}

fn with_drafts(lines: Vec<ImportedLine>, vocabulary: &Vocabulary) -> Vec<ParsedRecord> {
    let parsed = |line: ImportedLine| ParsedRecord {
        draft: line.record.as_ref().ok().map(|record| {
            let name = clean_text(&record.item_name);
            draft_of(record, vocabulary, &name)
        }),
        line,
    };
    lines.into_iter().map(parsed).collect()
}

/// Builds the draft of a record and checks it with this item name.
pub fn draft_of(record: &Record, vocabulary: &Vocabulary, name: &str) -> DraftRow {
    let flagged = record.quality_flags.reasons.iter().copied();
    let kept: Vec<Reason> = flagged
        .clone()
        .filter(|reason| {
            matches!(
                reason.source(),
                ReasonSource::Attempt | ReasonSource::Import | ReasonSource::Confidence
            )
        })
        .collect();
    let mut labels = record.labels.clone();
    labels.model_reasons = flagged
        .filter(|reason| reason.source() == ReasonSource::Model)
        .collect();
    let mut draft = DraftRow {
        origin: Origin::Import,
        // Not cleaned: the exported line keeps it unchanged.
        item_name: record.item_name.clone(),
        labels,
        reasons: Vec::new(),
        confidence: Vec::new(),
        with_image: true,
        with_metadata: true,
        kept,
        model: record.model.clone(),
        prompt_version: record.prompt_version.clone(),
        generated_at: record.generated_at.clone(),
    };
    draft.reasons = reasons_with_name(&draft, vocabulary, name);
    draft
}

/// Applies the rules to a draft with this item name, before the image is measured.
pub fn reasons_with_name(draft: &DraftRow, vocabulary: &Vocabulary, name: &str) -> Vec<Reason> {
    draft.check(vocabulary, name, &Observed::default())
}
