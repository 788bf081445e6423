//! Manifests, whatever their form: the place of one, the rows that are wanted of it, and how a row
//! is handed on.

mod columns;
mod dataset;
mod delimited;
mod embedded;
mod json_array;
mod json_lines;
mod parquet;
mod row;
mod tar;

pub use json_lines::{fault_of_line, read_lines};
pub use parquet::cell_bytes;

use super::checks::wanted;
use super::reading::{
    ItemSource, Note, RowEvent, Sink, absolute, base_of, cannot_open, cannot_read,
};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::{Mapping, OnlySource};
use crate::text::encoding::as_utf8;
use columns::Columns;
use embedded::Embedded;
use flate2::read::MultiGzDecoder;
use row::Row;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, Read, Seek};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Opens a manifest of one form.
type Opener = fn(Manifest) -> Result<Box<dyn ItemSource>>;

/// What a name ends in, and who reads that. Those of text may be compressed by gzip.
const FORMS: [(&str, Opener); 7] = [
    ("jsonl", json_lines::open),
    ("ndjson", json_lines::open),
    ("json", json_array::open),
    ("csv", delimited::open_csv),
    ("tsv", delimited::open_tsv),
    ("parquet", parquet::open),
    ("tar", tar::open),
];

/// Opens a manifest by its name, or all those in a folder.
pub fn open(path: &Path, only: OnlySource, mapping: &Mapping) -> Result<Box<dyn ItemSource>> {
    let columns = Columns::new(mapping);
    if path.is_dir() {
        return dataset::open(path, only, &columns);
    }
    open_file(Manifest {
        base: base_of(path)?,
        path: path.to_owned(),
        prefix: String::new(),
        only,
        columns,
    })
}

fn open_file(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
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
            "a manifest ends in .jsonl, .ndjson, .json (an array), .csv or .tsv, also with .gz \
             behind it, .parquet or .tar; or it is a folder that holds such files",
        ));
    };
    open(manifest)
}

/// Who reads a file of this name.
fn form(path: &Path) -> Option<Opener> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (name, is_compressed) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (_, end) = name.rsplit_once('.')?;
    let is_text = !matches!(end, "parquet" | "tar");
    let mut forms = FORMS.iter();
    let (_, open) = forms.find(|(known, _)| *known == end && (is_text || !is_compressed))?;
    Some(*open)
}

/// A manifest that is read from its first row to its last.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// As the user named it.
    path: PathBuf,
    /// The folder that its paths are relative to.
    base: PathBuf,
    /// Stands before its paths; empty, or ends in `/`.
    prefix: String,
    only: OnlySource,
    columns: Columns,
}

impl Manifest {
    /// One whose text is not in a file: `path` is what it is called.
    pub fn built_in(path: &str, only: OnlySource) -> Self {
        Self {
            path: path.into(),
            base: path.into(),
            prefix: String::new(),
            only,
            columns: Columns::new(&Mapping::default()),
        }
    }

    fn open(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(|error| cannot_open(&self.path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| cannot_read(&self.path, error))?;
        if metadata.is_dir() {
            return Err(cannot_read(&self.path, "it is a folder")
                .with_hint("a folder of images is read with --images"));
        }
        Ok(file)
    }

    /// The file by a path that holds wherever the program is.
    fn absolute_path(&self) -> Result<PathBuf> {
        absolute(&self.path)
    }

    fn unreadable(&self, error: impl fmt::Display) -> Error {
        cannot_read(&self.path, error)
    }

    /// The file as UTF-8 text, uncompressed; one in UTF-16 is told. `None` where nobody listens
    /// any more.
    fn text(&self, sink: &mut Sink) -> Result<Option<Box<dyn BufRead>>> {
        let mut file = self.open()?;
        let mut head = [0; 2];
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let is_compressed =
            is_regular && file.read_exact(&mut head).is_ok() && head == [0x1f, 0x8b];
        if is_regular {
            file.rewind().map_err(|error| self.unreadable(error))?;
        }
        let read = match is_compressed {
            true => as_utf8(MultiGzDecoder::new(file)),
            false => as_utf8(file),
        };
        let (reader, is_utf16) = read.map_err(|error| self.unreadable(error))?;
        let text = format!("{}: it is UTF-16, and read as that", self.path.display());
        if is_utf16 && sink(RowEvent::Warning(text)).is_break() {
            return Ok(None);
        }
        Ok(Some(reader))
    }

    fn row(&self) -> Row<'_> {
        Row::new(&self.columns)
    }

    /// Checks a row and hands it on: an item, or what is wrong with it and where.
    fn give(
        &self,
        row: Result<Row, String>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        self.give_with(row, None, place, sink)
    }

    /// The same of a row that may hold its image.
    fn give_with(
        &self,
        row: Result<Row, String>,
        image: Option<Embedded>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        let note = |what| Note {
            file: self.path.clone(),
            place: place.to_string(),
            what,
        };
        match row.and_then(|row| row.check(&self.base, &self.prefix, image)) {
            Ok(checked) if !wanted(self.only, checked.row.item.source_type) => {
                ControlFlow::Continue(())
            }
            Ok(checked) => {
                for what in checked.notes {
                    sink(RowEvent::Noted(note(what)))?;
                }
                sink(RowEvent::Item(checked.row))
            }
            Err(why) => sink(RowEvent::Refused(note(why))),
        }
    }
}
