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

/// A format, found by the extension of its files. All but Parquet may be gzip-compressed.
pub struct Form {
    extension: &'static str,
    open: Opener,
    /// Precedence in a folder with files of several formats, since the others then serve another
    /// purpose. `None`: the files may be anything, so that only one given by name is read.
    pub rank: Option<u8>,
}

const FORMS: [Form; 8] = [
    form("parquet", parquet::open, Some(0)),
    form("tar", tar::open, Some(1)),
    form("tgz", tar::open, Some(1)),
    form("csv", delimited::open_csv, Some(2)),
    form("tsv", delimited::open_tsv, Some(2)),
    form("jsonl", json_lines::open, Some(3)),
    form("ndjson", json_lines::open, Some(3)),
    form("json", json_array::open, None),
];

const fn form(extension: &'static str, open: Opener, rank: Option<u8>) -> Form {
    Form {
        extension,
        open,
        rank,
    }
}

pub fn open_file(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    if manifest.path == Path::new("-") {
        return Err(Error::new(
            ErrorKind::Usage,
            "a manifest cannot be read from standard input",
        )
        .with_hint("write it to a file such as rows.jsonl first"));
    }
    let Some(form) = form_of(&manifest.path) else {
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
    (form.open)(manifest)
}

/// The format of a path, by its extension.
pub fn form_of(path: &Path) -> Option<&'static Form> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (name, is_compressed) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (_, end) = name.rsplit_once('.')?;
    let may_be = !is_compressed || end != "parquet";
    FORMS.iter().find(|form| form.extension == end && may_be)
}
