//! `labeler-tui compare`: how far two sets of records agree, and which of them people prefer.

mod blind;

use blind::Labeled;

use super::{check_images_folder, find_image, write_out};
use crate::commands::options::CompareOptions;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::export;
use crate::outdir::{JOURNAL, LABELS};
use crate::record::{GroupId, Record, RecordComparison, Vocabulary, compare};
use crate::store::{self, Journal, LabelsFile, Prefer};
use crate::text::{count, for_line, pad, percent, plural};
use crate::tui::Exit;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// How many paths are listed of the images that only one side has.
const MAX_LISTED: usize = 3;
/// What to compare.
const RECORDS: &str = "give an --outdir of labeler-tui, or a labels.jsonl";

/// Prints the comparison as a table or, with `--json`, as one object; with `--blind` starts a vote.
pub fn run(options: &CompareOptions, out: &mut dyn Write) -> Result<Exit> {
    let vocabulary = Arc::new(Vocabulary::builtin()?);
    let images = options
        .blind
        .as_ref()
        .and_then(|blind| blind.images.as_deref());
    check_images_folder(images)?;
    let a = records(&options.a, images, &vocabulary)?;
    let b = records(&options.b, images, &vocabulary)?;
    if let Some(blind_options) = &options.blind {
        return blind::run(options, blind_options, &a, &b, out);
    }
    let records = |all: Vec<Labeled>| -> Vec<Record> {
        all.into_iter().map(|labeled| labeled.record).collect()
    };
    let comparison = compare(&records(a), &records(b), &vocabulary);
    let text = match options.json {
        true => {
            let json = serde_json::to_string(&comparison);
            json.context(ErrorKind::Internal, "writing the comparison")? + "\n"
        }
        false => table(&comparison),
    };
    write_out(out, text.as_bytes())?;
    Ok(Exit::ByOperator)
}

/// Reads the records of an outdir or of a `labels.jsonl`, in source order. Lines of an earlier
/// program are read as an import would read them. `images` is the folder of the images, if they
/// are not where the records say.
fn records(
    path: &Path,
    images: Option<&Path>,
    vocabulary: &Arc<Vocabulary>,
) -> Result<Vec<Labeled>> {
    if path.is_dir() && path.join(JOURNAL).exists() {
        let copy = store::copy_to_read(path, Arc::clone(vocabulary))?;
        let records = export::exported_records(&copy.journal, &path.join(LABELS))?;
        let records = records
            .into_iter()
            .map(|(group, record): (GroupId, Record)| {
                let picture = match images {
                    Some(folder) => Some(folder.join(&record.image_path).into()),
                    None => copy.journal.item(group)?.0.file,
                };
                Ok(Labeled { record, picture })
            });
        return records.collect();
    }
    let file = match path.is_dir() {
        true => path.join(LABELS),
        false => path.to_owned(),
    };
    let no_records = || {
        let cause = format!("there are no records in {}", path.display());
        Error::new(ErrorKind::Usage, cause).with_hint(RECORDS)
    };
    if !path.exists() {
        let cause = format!("{} does not exist", path.display());
        return Err(Error::new(ErrorKind::Usage, cause).with_hint(RECORDS));
    }
    if !file.exists() {
        return Err(no_records());
    }
    let folder = tempfile::tempdir().context(ErrorKind::Store, "making a temporary folder")?;
    let mut journal = Journal::lock(folder.path(), Arc::clone(vocabulary))?;
    journal.import(&LabelsFile {
        path: &file,
        known_sha256: None,
        is_stale: false,
        prefer: Prefer::File,
    })?;
    let records = export::exported_records(&journal, &file)?;
    if records.is_empty() {
        return Err(no_records());
    }
    let records = records.into_iter();
    let folder = file.parent().unwrap_or(Path::new("."));
    let records = records.map(|(_, record)| {
        let picture = find_image(&record.image_path, images, folder);
        Labeled { record, picture }
    });
    Ok(records.collect())
}

fn table(comparison: &RecordComparison) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut text, comparison);
    text
}

fn write_table(text: &mut String, comparison: &RecordComparison) -> std::fmt::Result {
    let both = comparison.both;
    writeln!(
        text,
        "{} with a record in A and in B",
        plural(both, "image")
    )?;
    for (side, only) in [("A", &comparison.only_a), ("B", &comparison.only_b)] {
        if !only.is_empty() {
            let first: Vec<String> = only
                .iter()
                .take(MAX_LISTED)
                .map(|path| for_line(path))
                .collect();
            let more = if only.len() > MAX_LISTED { ", ..." } else { "" };
            let paths = first.join(", ");
            writeln!(
                text,
                "{} only in {side}: {paths}{more}",
                plural(only.len(), "image")
            )?;
        }
    }
    if both == 0 {
        return Ok(());
    }
    writeln!(text, "\nfield      images   equal   same words   overlap")?;
    for agreement in &comparison.fields {
        let share = |n: usize| percent(n as f64 / agreement.compared as f64, 0);
        writeln!(
            text,
            "{} {:>6}   {:>3} %   {:>8} %   {:>7.2}",
            pad(agreement.field.name(), 10),
            count(agreement.compared as u64),
            share(agreement.equal),
            share(agreement.same_words),
            agreement.overlap
        )?;
    }
    writeln!(
        text,
        "\nreason                        A       B  gained    lost"
    )?;
    for counts in &comparison.reasons {
        writeln!(
            text,
            "{} {:>7} {:>7} {:>7} {:>7}",
            pad(counts.reason.code(), 22),
            counts.a,
            counts.b,
            counts.gained,
            counts.lost
        )?;
    }
    writeln!(
        text,
        "{} {:>7} {:>7}",
        pad("uncertain", 22),
        comparison.uncertain_a,
        comparison.uncertain_b
    )
}
