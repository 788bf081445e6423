//! Saves data beside a journal that cannot be used.

use crate::error::Result;
use crate::outdir::{file_error, free_path};
use crate::platform;
use crate::text::file_stamp;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes `text` to a new `journal.rescued-*.jsonl`, or to `before`, the file of an earlier call.
pub fn write_rescued_text(outdir: &Path, before: Option<&Path>, text: &str) -> Result<PathBuf> {
    fs::create_dir_all(outdir).map_err(file_error("creating", outdir))?;
    let mut new = new_file(outdir)?;
    new.write_all(text.as_bytes())
        .and_then(|()| new.as_file().sync_all())
        .map_err(file_error("writing", new.path()))?;
    let new = new.into_temp_path();
    match before {
        Some(path) => {
            new.persist(path)
                .map_err(|error| file_error("writing", path)(error.error))?;
            Ok(path.to_owned())
        }
        None => persist_rescued(new, outdir, "jsonl"),
    }
}

/// Renames a temporary file to an unused `journal.rescued-*` name.
pub fn persist_rescued(new: tempfile::TempPath, outdir: &Path, extension: &str) -> Result<PathBuf> {
    let now = file_stamp(jiff::Timestamp::now());
    let path = free_path(outdir, |n| match n {
        1 => format!("journal.rescued-{now}.{extension}"),
        n => format!("journal.rescued-{now}-{n}.{extension}"),
    });
    new.persist_noclobber(&path)
        .map_err(|error| file_error("writing", &path)(error.error))?;
    Ok(path)
}

/// Creates a temporary file with the permissions that the umask gives, as the journal has.
pub fn new_file(outdir: &Path) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".journal-").suffix(".tmp");
    platform::set_file_mode(&mut builder);
    builder
        .tempfile_in(outdir)
        .map_err(file_error("writing into", outdir))
}
