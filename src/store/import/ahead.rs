//! Reads a file of records ahead of their import: what takes a processor and no journal (decoding,
//! parsing, the rules) is done on a thread of its own.

use super::line::{self, Line};
use crate::error::Result;
use crate::outdir::file;
use crate::record::{Origin, Reason, Record, Vocabulary};
use crate::store::rules::{Observed, reasons};
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
    /// In no encoding that is known.
    Not,
    Text {
        text: String,
        encoding: Encoding,
        /// An error where it is no JSON.
        found: Result<Vec<Found>, String>,
    },
}

/// What stands in a line, most often alone.
pub struct Found {
    pub line: Line,
    /// The text of its record, checked under the record's own name.
    pub draft: Option<DraftRow>,
}

/// Sends every line, until there is none or nobody wants more.
pub fn read(path: &Path, vocabulary: &Vocabulary, out: &Sender<ReadLine>) -> Result<()> {
    let reading = file("reading", path);
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
                found: line::read(&text).map(|lines| with_drafts(lines, vocabulary)),
                text,
                encoding,
            },
            None => Decoded::Not,
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

fn with_drafts(lines: Vec<Line>, vocabulary: &Vocabulary) -> Vec<Found> {
    let found = |line: Line| Found {
        draft: line.record.as_ref().ok().map(|record| {
            let name = clean_text(&record.item_name);
            draft_of(record, vocabulary, &name)
        }),
        line,
    };
    lines.into_iter().map(found).collect()
}

/// The text of a record, checked as that of an item of this name.
pub fn draft_of(record: &Record, vocabulary: &Vocabulary, name: &str) -> DraftRow {
    let said = record.quality_flags.reasons.iter().copied();
    let kept: Vec<Reason> = said
        .clone()
        .filter(|reason| {
            matches!(
                reason,
                Reason::Truncated
                    | Reason::QualityRetryFailed
                    | Reason::LowConfidence
                    | Reason::UnreadLine
            )
        })
        .collect();
    let mut labels = record.labels.clone();
    labels.model_reasons = said.filter(|reason| reason.reported_by_model()).collect();
    let mut draft = DraftRow {
        origin: Origin::Import,
        // The line keeps its name as it is.
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
    draft.reasons = reasons_under(&draft, vocabulary, name);
    draft
}

/// What the rules say of a draft while nothing is known of the image.
pub fn reasons_under(draft: &DraftRow, vocabulary: &Vocabulary, name: &str) -> Vec<Reason> {
    let observed = Observed::default();
    let facts = draft.facts(vocabulary, name, &observed);
    reasons(&draft.labels, &facts)
}
