//! `vocabulary.toml`: the words of an outdir, which the operator writes and the workstation adds to.

use super::{file, lstat, refuse_foreign, sync_folder};
use crate::error::Result;
use crate::platform;
use crate::text::read_text_if_exists;
use std::io::Write;
use std::path::Path;

pub const WORDS: &str = "vocabulary.toml";

/// The text of the file; empty where there is none.
pub fn read_words(outdir: &Path) -> Result<String> {
    let path = outdir.join(WORDS);
    let text = read_text_if_exists(&path).map_err(file("reading", &path))?;
    Ok(text.unwrap_or_default())
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
    platform::set_file_mode(&mut builder);
    let mut new = builder.tempfile_in(outdir).map_err(&writing)?;
    new.write_all(text.as_bytes()).map_err(&writing)?;
    new.as_file().sync_all().map_err(&writing)?;
    new.persist(&path)
        .map_err(|error| file("replacing", &path)(error.error))?;
    sync_folder(outdir)
}
