//! The commands besides labeling, one file each.

pub mod ask;
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
use crate::outdir::WORDS;
use crate::prompt;
use crate::record::Vocabulary;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The vocabulary of a file, else the one that is built in, with the words of the outdir over it.
fn words_of(outdir: &Path, file: Option<&Path>) -> Result<Arc<Vocabulary>> {
    let overlay = outdir.join(WORDS);
    Ok(Arc::new(prompt::vocabulary(file, Some(&overlay))?))
}

/// Writes what a command prints. A reader that went away early (`| head`) is no error.
pub fn write_out(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(
            ErrorKind::Internal,
            format!("writing to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}
