//! Writes what must not be lost beside a journal that cannot be used.

use crate::error::Result;
use crate::outdir::file;
use crate::platform;
use crate::text::file_stamp;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes a text to a new file beside the journal, or to the one it was written to before.
pub fn rescue_text(outdir: &Path, before: Option<&Path>, text: &str) -> Result<PathBuf> {
    fs::create_dir_all(outdir).map_err(file("creating", outdir))?;
    let mut new = new_file(outdir, ".tmp")?;
    new.write_all(text.as_bytes())
        .and_then(|()| new.as_file().sync_all())
        .map_err(file("writing", new.path()))?;
    let new = new.into_temp_path();
    match before {
        Some(path) => {
            new.persist(path)
                .map_err(|error| file("writing", path)(error.error))?;
            Ok(path.to_owned())
        }
        None => keep(new, outdir, "jsonl"),
    }
}

/// Gives a new file a name that no other has.
pub fn keep(mut new: tempfile::TempPath, outdir: &Path, extension: &str) -> Result<PathBuf> {
    let now = file_stamp(jiff::Timestamp::now());
    let mut n = 1;
    loop {
        let number = if n == 1 {
            String::new()
        } else {
            format!("-{n}")
        };
        let path = outdir.join(format!("journal.rescued-{now}{number}.{extension}"));
        match new.persist_noclobber(&path) {
            Ok(()) => return Ok(path),
            Err(again) if again.error.kind() == io::ErrorKind::AlreadyExists => {
                new = again.path;
                n += 1;
            }
            Err(other) => return Err(file("writing", &path)(other.error)),
        }
    }
}

/// With the rights that the user's mask gives, as the journal itself has.
pub fn new_file(outdir: &Path, suffix: &str) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".journal-").suffix(suffix);
    platform::set_file_mode(&mut builder);
    builder
        .tempfile_in(outdir)
        .map_err(file("writing into", outdir))
}
