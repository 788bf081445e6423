//! `vocabulary.toml`: additions to the vocabulary in an outdir, by the operator or the workstation.

use super::{file_error, lstat, refuse_foreign, sync_folder};
use crate::error::Result;
use crate::platform;
use crate::text::read_text_if_exists;
use std::io::Write;
use std::path::Path;

pub const VOCABULARY: &str = "vocabulary.toml";

/// Reads the file; empty if there is none.
pub fn read_vocabulary(outdir: &Path) -> Result<String> {
    let path = outdir.join(VOCABULARY);
    let text = read_text_if_exists(&path).map_err(file_error("reading", &path))?;
    Ok(text.unwrap_or_default())
}

/// Replaces the file atomically.
pub fn write_vocabulary(outdir: &Path, text: &str) -> Result<()> {
    let path = outdir.join(VOCABULARY);
    if let Some(about) = lstat(&path)? {
        refuse_foreign(&path, &about)?;
    }
    let writing = file_error("writing", &path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vocabulary").suffix(".toml");
    platform::set_file_mode(&mut builder);
    let mut new = builder.tempfile_in(outdir).map_err(&writing)?;
    new.write_all(text.as_bytes()).map_err(&writing)?;
    new.as_file().sync_all().map_err(&writing)?;
    new.persist(&path)
        .map_err(|error| file_error("replacing", &path)(error.error))?;
    sync_folder(outdir)
}
