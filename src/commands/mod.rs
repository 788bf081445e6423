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
pub mod report;
pub mod retriever;
mod selection;
pub mod show;

use crate::error::{Error, ErrorKind, Result};
use crate::export::{Audited, check_outdir};
use crate::outdir::{JOURNAL, WORDS};
use crate::prompt;
use crate::record::{AuditEstimate, ImageLocation, Vocabulary};
use crate::store::Journal;
use crate::wording::Words;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The vocabulary of a file, else the one that is built in, with the words of the outdir over it.
fn words_of(outdir: &Path, file: Option<&Path>) -> Result<Arc<Vocabulary>> {
    let overlay = outdir.join(WORDS);
    Ok(Arc::new(prompt::vocabulary(file, Some(&overlay))?))
}

/// The journal of an outdir that has one, for a command that writes it.
fn lock_journal(outdir: &Path, vocabulary: &Arc<Vocabulary>) -> Result<Journal> {
    if outdir.join(JOURNAL).symlink_metadata().is_err() {
        let cause = format!("there is no {JOURNAL} in {}", outdir.display());
        return Err(Error::new(ErrorKind::Store, cause)
            .with_hint("give the folder of an earlier run with --outdir"));
    }
    check_outdir(outdir, None)?;
    Journal::lock(outdir, Arc::clone(vocabulary))
}

/// Where the image of a record is: in the folder that was given for images, else beside the file of
/// the record, or beside the folder of that, as outdirs are beside their source.
fn find_image(image_path: &str, images: Option<&Path>, beside: &Path) -> Option<ImageLocation> {
    if let Some(folder) = images {
        return Some(folder.join(image_path).into());
    }
    let folders = [beside.to_owned(), beside.join(".."), PathBuf::new()];
    let mut places = folders.into_iter().map(|folder| folder.join(image_path));
    places.find(|place| place.is_file()).map(Into::into)
}

/// What the last audit has found, in words for an export.
fn audited(journal: &Journal) -> Result<Option<Audited>> {
    let audit = journal.audit(None, AuditEstimate::WIDTH)?;
    Ok(audit.map(|audit| Audited {
        rate: audit
            .error_before_changes
            .unwrap_or(audit.error)
            .to_string(),
        lines: Words::ENGLISH.audit_lines(&audit),
    }))
}

/// Writes what a command prints. A reader that went away early (`| head`) is no error.
pub fn write_out(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    is_read(out, bytes).map(|_| ())
}

/// The same; whether there still is somebody who reads.
fn is_read(out: &mut dyn Write, bytes: &[u8]) -> Result<bool> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(
            ErrorKind::Internal,
            format!("writing to standard output: {error}"),
        )),
    }
}
