//! Manifest formats, one module each, chosen by file extension.

mod delimited;
mod json_array;
mod json_lines;
mod parquet;
mod tar;

pub use json_lines::read_lines;
pub use parquet::cell_bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::source::manifest::file::Manifest;
use crate::source::reading::ItemSource;
use std::path::Path;

/// Opens a manifest of one format.
type Opener = fn(Manifest) -> Result<Box<dyn ItemSource>>;

/// Opener for each file extension. All formats but Parquet may be gzip-compressed.
const OPENERS: [(&str, Opener); 8] = [
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
            "a manifest cannot be read from standard input",
        )
        .with_hint("write it to a file such as rows.jsonl first"));
    }
    let Some(open) = opener(&manifest.path) else {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "{} does not have the extension of a manifest",
                manifest.path.display()
            ),
        )
        .with_hint(
            "a manifest ends in .jsonl, .ndjson, .json (an array), .csv, .tsv or .tar, optionally \
             followed by .gz, or in .parquet; or it is a folder of such files",
        ));
    };
    open(manifest)
}

/// The opener for a path, by its extension.
pub fn opener(path: &Path) -> Option<Opener> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (name, is_compressed) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (_, end) = name.rsplit_once('.')?;
    let may_be = !is_compressed || end != "parquet";
    let mut forms = OPENERS.iter();
    let (_, open) = forms.find(|(known, _)| *known == end && may_be)?;
    Some(*open)
}
