//! The forms of manifests, one file each, by their names.

mod delimited;
mod json_array;
mod json_lines;
mod parquet;
mod tar;

pub use json_lines::{fault_of_line, read_lines};
pub use parquet::cell_bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::source::manifest::file::Manifest;
use crate::source::reading::ItemSource;
use std::path::Path;

/// Opens a manifest of one form.
type Opener = fn(Manifest) -> Result<Box<dyn ItemSource>>;

/// What a name ends in, and who reads that. All but Parquet may be compressed by gzip.
const FORMS: [(&str, Opener); 8] = [
    ("jsonl", json_lines::open),
    ("ndjson", json_lines::open),
    ("json", json_array::open),
    ("csv", delimited::open_csv),
    ("tsv", delimited::open_tsv),
    ("parquet", parquet::open),
    ("tar", tar::open),
    ("tgz", tar::open),
];

pub fn open_file(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    if manifest.path == Path::new("-") {
        return Err(Error::new(
            ErrorKind::Usage,
            "a manifest is not read from standard input",
        )
        .with_hint("write it to a file such as rows.jsonl and give that"));
    }
    let Some(open) = form(&manifest.path) else {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{} is not a manifest by its name", manifest.path.display()),
        )
        .with_hint(
            "a manifest ends in .jsonl, .ndjson, .json (an array), .csv, .tsv or .tar, also with \
             .gz behind it, or in .parquet; or it is a folder that holds such files",
        ));
    };
    open(manifest)
}

/// Who reads a file of this name.
pub fn form(path: &Path) -> Option<Opener> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (name, is_compressed) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (_, end) = name.rsplit_once('.')?;
    let may_be = !is_compressed || end != "parquet";
    let mut forms = FORMS.iter();
    let (_, open) = forms.find(|(known, _)| *known == end && may_be)?;
    Some(*open)
}
