//! `vocabulary.toml`: the words of an outdir, which the operator writes and the workstation adds to.

use super::{file, is_absent, lstat, refuse_foreign, sync_folder};
use crate::error::Result;
use crate::platform;
use std::io::Write;
use std::path::Path;

pub const WORDS: &str = "vocabulary.toml";

/// The text of the file; empty where there is none.
pub fn read_words(outdir: &Path) -> Result<String> {
    let path = outdir.join(WORDS);
    match crate::text::read_text(&path) {
        Ok(text) => Ok(text),
        Err(error) if is_absent(&error) => Ok(String::new()),
        Err(error) => Err(file("reading", &path)(error)),
    }
}

/// Puts another text in its place, so that nobody ever sees half of it.
pub fn write_words(outdir: &Path, text: &str) -> Result<()> {
    let path = outdir.join(WORDS);
    if let Some(about) = lstat(&path)? {
        refuse_foreign(&path, &about)?;
    }
    let writing = file("writing", &path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vocabulary").suffix(".toml");
    platform::file_rights(&mut builder);
    let mut new = builder.tempfile_in(outdir).map_err(&writing)?;
    new.write_all(text.as_bytes()).map_err(&writing)?;
    new.as_file().sync_all().map_err(&writing)?;
    new.persist(&path)
        .map_err(|error| file("replacing", &path)(error.error))?;
    sync_folder(outdir)
}
