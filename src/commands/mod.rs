//! The commands besides labeling, one file each.

pub mod ask;
pub mod audit;
pub mod bench;
pub mod compare;
pub mod doctor;
pub mod export;
pub mod fix;
pub mod journal;
pub mod list;
mod opening;
pub mod options;
pub mod report;
pub mod retriever;
mod selection;
pub mod show;

use crate::error::{Error, ErrorKind, Result};
use crate::export::{AuditSummary, check_outdir};
use crate::outdir::{VOCABULARY, file_error, is_absent};
use crate::prompt;
use crate::record::{AuditEstimate, ImageLocation, Vocabulary};
use crate::store::{Journal, require_journal};
use crate::wording::Words;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Loads the vocabulary of `file`, or the built-in one, with the outdir's own words on top.
fn load_vocabulary(outdir: &Path, file: Option<&Path>) -> Result<Arc<Vocabulary>> {
    if let Err(error) = outdir.metadata()
        && !is_absent(&error)
    {
        return Err(file_error("examining", outdir)(error));
    }
    let overlay = outdir.join(VOCABULARY);
    Ok(Arc::new(prompt::vocabulary(file, Some(&overlay))?))
}

/// Locks the journal of an outdir for a command that writes to it.
///
/// # Errors
/// If the outdir has no journal.
fn lock_journal(outdir: &Path, vocabulary: &Arc<Vocabulary>) -> Result<Journal> {
    require_journal(outdir)?;
    check_outdir(outdir, None)?;
    Journal::lock(outdir, Arc::clone(vocabulary))
}

/// Rejects a value of `--images` that is no folder.
fn check_images_folder(images: Option<&Path>) -> Result<()> {
    let Some(folder) = images.filter(|folder| !folder.is_dir()) else {
        return Ok(());
    };
    let what = match folder.exists() {
        true => "is not a folder",
        false => "does not exist",
    };
    let cause = format!("--images {} {what}", folder.display());
    Err(Error::new(ErrorKind::Usage, cause)
        .with_hint("give the folder that the records' image paths are relative to"))
}

/// Finds the image of a record: in the folder given for images, else in `beside`, the folder of the
/// record's file, else in its parent, because an outdir usually is beside its source.
fn find_image(image_path: &str, images: Option<&Path>, beside: &Path) -> Option<ImageLocation> {
    if let Some(folder) = images {
        return Some(folder.join(image_path).into());
    }
    let folders = [beside.to_owned(), beside.join(".."), PathBuf::new()];
    let mut places = folders.into_iter().map(|folder| folder.join(image_path));
    places.find(|place| place.is_file()).map(Into::into)
}

/// The latest audit; `None` if it has no verdict yet.
fn judged_audit(journal: &Journal) -> Result<Option<AuditEstimate>> {
    let audit = journal.audit(None, AuditEstimate::WIDTH)?;
    Ok(audit.filter(|audit| audit.right + audit.wrong > 0))
}

/// The result of the latest audit, as text for an export.
fn latest_audit(journal: &Journal) -> Result<Option<AuditSummary>> {
    let audit = judged_audit(journal)?;
    Ok(audit.map(|audit| AuditSummary {
        rate: audit
            .error_before_changes
            .unwrap_or(audit.error)
            .to_string(),
        lines: Words::ENGLISH.audit_lines(&audit),
    }))
}

/// A progress bar on standard error, hidden unless that is a terminal.
fn progress_bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes what a command prints. A reader that has gone away (`| head`) is not an error.
pub fn write_out(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    write_to_reader(out, bytes).map(|_| ())
}

/// Writes to `out`. Returns `false` if its reader has gone away.
fn write_to_reader(out: &mut dyn Write, bytes: &[u8]) -> Result<bool> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(
            ErrorKind::Internal,
            format!("writing to standard output: {error}"),
        )),
    }
}
