//! Reads `.csv` and `.tsv` manifests: a header with the column names, then one row per image.

use crate::error::{Error, ErrorKind, Result};
use crate::source::checks::{MAX_ROW, NO_ENCODING};
use crate::source::cp949::TextDecoder;
use crate::source::manifest::file::Manifest;
use crate::source::manifest::row::Cell;
use crate::source::reading::{ItemSource, Sink};
use csv::{ByteRecord, ReaderBuilder};
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

#[derive(Debug)]
struct Table {
    manifest: Manifest,
    delimiter: u8,
}

const NO_HEADER: &str = "a table starts with a line such as image_path,item_name,source_type, in UTF-8, UTF-16 or CP949";

pub(super) fn open_csv(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    open(manifest, b',')
}

pub(super) fn open_tsv(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    open(manifest, b'\t')
}

fn open(manifest: Manifest, delimiter: u8) -> Result<Box<dyn ItemSource>> {
    let table = Table {
        manifest,
        delimiter,
    };
    // Warnings are repeated when the rows are read.
    let text = table.manifest.text(&mut |_| ControlFlow::Continue(()))?;
    if let Some(text) = text {
        let mut rows = Rows::new(text, delimiter);
        let names = rows.names().map_err(|error| table.broken(error))?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.iter().all(|name| name.trim().is_empty()) {
            let error = table.manifest.unreadable("it has no line of column names");
            return Err(error.with_hint(NO_HEADER));
        }
        if let Some((missing, hint)) = table.manifest.columns.missing(&names, false) {
            let path = table.manifest.path.display();
            let cause = format!("{path} lacks the required columns: {missing}");
            return Err(Error::new(ErrorKind::Source, cause).with_hint(hint));
        }
    }
    Ok(Box::new(table))
}

impl Table {
    fn broken(&self, error: impl std::fmt::Display) -> Error {
        self.manifest
            .unreadable(error)
            .with_hint("look for an unclosed quotation mark")
    }
}

impl ItemSource for Table {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(text) = self.manifest.text(sink)? else {
            return Ok(());
        };
        let mut rows = Rows::new(text, self.delimiter);
        let names = rows.names().map_err(|error| self.broken(error))?;
        let mut decoder = TextDecoder::default();
        // Numbered as in a spreadsheet, where the header is row 1.
        for number in 2u64.. {
            if !rows.next().map_err(|error| self.broken(error))? {
                break;
            }
            let mut row = Ok(self.manifest.row());
            for (name, value) in names.iter().zip(rows.record.iter()) {
                let Ok(cells) = &mut row else {
                    break;
                };
                match decoder.read(value) {
                    Some(text) if text.is_empty() => {}
                    Some(text) => cells.set(name, Cell::Text(text.into_owned())),
                    None => row = Err(NO_ENCODING.into()),
                }
            }
            let place = format_args!("row {number}");
            if decoder.end_row(&self.manifest.path, sink).is_break()
                || self.manifest.emit(row, &place, sink).is_break()
            {
                break;
            }
        }
        decoder.end(&self.manifest.path, sink);
        Ok(())
    }
}

/// Reads the rows of a table. A row longer than [`MAX_ROW`] is an error.
struct Rows {
    reader: csv::Reader<Bounded>,
    remaining: Rc<std::cell::Cell<usize>>,
    record: ByteRecord,
}

impl Rows {
    fn new(text: Box<dyn BufRead>, delimiter: u8) -> Self {
        let remaining = Rc::new(std::cell::Cell::new(0));
        let bounded = Bounded {
            text,
            remaining: Rc::clone(&remaining),
        };
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(bounded);
        Self {
            reader,
            remaining,
            record: ByteRecord::new(),
        }
    }

    /// Reads the next row; `false` at the end of the table.
    fn next(&mut self) -> csv::Result<bool> {
        self.remaining.set(MAX_ROW);
        self.reader.read_byte_record(&mut self.record)
    }

    /// Reads the header.
    fn names(&mut self) -> csv::Result<Vec<String>> {
        self.next()?;
        let mut decoder = TextDecoder::default();
        let mut names = self.record.iter();
        let mut all = Vec::new();
        for name in &mut names {
            let name = decoder.read(name).unwrap_or_default();
            all.push(name.trim_matches(['\u{feff}', ' ']).to_owned());
        }
        Ok(all)
    }
}

/// Limits the bytes read per row: an unclosed quotation mark would turn the rest of the file into one
/// row.
struct Bounded {
    text: Box<dyn BufRead>,
    remaining: Rc<std::cell::Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(out)?;
        match self.remaining.get().checked_sub(read) {
            Some(remaining) => self.remaining.set(remaining),
            None => {
                let why = format!("a row is longer than {MAX_ROW} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(read)
    }
}
