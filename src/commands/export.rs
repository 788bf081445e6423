//! `labeler-tui export`: writes committed records with their images as a training set.

use super::{check_images_folder, latest_audit, load_vocabulary, progress_bar, write_out};
use crate::error::Result;
use crate::export::{DatasetOptions, DatasetProgress, export_dataset};
use crate::store;
use crate::text::{count, for_line, plural};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

/// Writes the dataset and prints a summary. Returns `false` if records were left out because of
/// their images.
pub fn run(options: &DatasetOptions, out: &mut dyn Write) -> Result<bool> {
    check_images_folder(options.images.as_deref())?;
    let vocabulary = load_vocabulary(&options.outdir, None)?;
    let copy = store::copy_to_read(&options.outdir, Arc::clone(&vocabulary))?;
    let bar = progress_bar("{msg:8} {wide_bar} {pos}/{len}");
    let audit = latest_audit(&copy.journal)?;
    let mut progress = |step: DatasetProgress| {
        bar.set_message(if step.writes { "writing" } else { "checking" });
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
    };
    let journal = &copy.journal;
    let exported = export_dataset(journal, options, &vocabulary, audit.as_ref(), &mut progress);
    bar.finish_and_clear();
    let exported = exported?;
    let mut text = String::new();
    let to = options.to.display();
    let images: usize = exported.splits.iter().map(|(_, images)| images).sum();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{} in {to} as {}",
        plural(images, "image"),
        options.format
    );
    let splits = exported
        .splits
        .iter()
        .map(|(name, images)| format!("{name} {}", count(*images as u64)));
    let _ = writeln!(text, ": {}", splits.collect::<Vec<_>>().join(", "));
    if exported.kept_shards > 0 {
        let _ = writeln!(
            text,
            "{} from an earlier run kept",
            plural(exported.kept_shards, "file")
        );
    }
    if !exported.mixed_types.is_empty() {
        let _ = writeln!(
            text,
            "note: the images are of several types ({}), of which `datasets` reads only one from \
             tars; --flatten white writes all as PNG",
            exported.mixed_types.join(", ")
        );
    }
    for left in &exported.left_out {
        let _ = writeln!(text, "{}", for_line(&left.to_string()));
    }
    write_out(out, text.as_bytes())?;
    Ok(!exported.left_out.iter().any(|left| left.is_error()))
}
