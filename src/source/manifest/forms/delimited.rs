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

#[derive(Debug)]
struct DelimitedTable {
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
    let table = DelimitedTable {
        manifest,
        delimiter,
    };
    // Warnings are repeated when the rows are read.
    let text = table.manifest.text(&mut |_| ControlFlow::Continue(()))?;
    if let Some(text) = text {
        let mut rows = DelimitedRows::new(text, delimiter);
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

impl DelimitedTable {
    fn broken(&self, error: impl std::fmt::Display) -> Error {
        self.manifest
            .unreadable(error)
            .with_hint("look for an unclosed quotation mark")
    }
}

impl ItemSource for DelimitedTable {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(text) = self.manifest.text(sink)? else {
            return Ok(());
        };
        let mut rows = DelimitedRows::new(text, self.delimiter);
        let names = rows.names().map_err(|error| self.broken(error))?;
        let mut decoder = TextDecoder::default();
        // Numbered as in a spreadsheet, where the header is row 1.
        for number in 2u64.. {
            if !rows.next().map_err(|error| self.broken(error))? {
                break;
            }
            if let Some(line) = rows.unclosed() {
                let why = format!("the quotation mark opened in line {line} is not closed");
                return Err(self.broken(why));
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
struct DelimitedRows {
    reader: csv::Reader<Bounded>,
    record: ByteRecord,
}

impl DelimitedRows {
    fn new(text: Box<dyn BufRead>, delimiter: u8) -> Self {
        let bounded = Bounded {
            text,
            remaining: 0,
            quotes: Quotes::new(delimiter),
        };
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(bounded);
        Self {
            reader,
            record: ByteRecord::new(),
        }
    }

    /// Reads the next row; `false` at the end of the table.
    fn next(&mut self) -> csv::Result<bool> {
        self.reader.get_mut().remaining = MAX_ROW;
        self.reader.read_byte_record(&mut self.record)
    }

    /// The line of a quotation mark in the last row, or before it, that is not closed. The row then
    /// holds lines that are rows of their own.
    fn unclosed(&self) -> Option<u64> {
        let mark = self.reader.get_ref().quotes.unclosed?;
        (mark.at < self.reader.position().byte()).then_some(mark.line)
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

/// Limits the bytes read per row, and watches the quotation marks: an unclosed one would turn the
/// rest of the file, or the lines up to the next mark, into one row.
struct Bounded {
    text: Box<dyn BufRead>,
    remaining: usize,
    quotes: Quotes,
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(out)?;
        match self.remaining.checked_sub(read) {
            Some(remaining) => self.remaining = remaining,
            None => {
                let why = format!("a row is longer than {MAX_ROW} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        match read {
            0 => self.quotes.end(),
            _ => self.quotes.read(&out[..read]),
        }
        Ok(read)
    }
}

/// An opening quotation mark: its offset in bytes, and its line from 1.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: u64,
    line: u64,
}

#[derive(Debug, Clone, Copy)]
enum FieldPosition {
    FieldStart,
    Unquoted,
    /// In a quoted field, which may span lines.
    Quoted(Mark),
    /// Behind a quotation mark in a quoted field, which closes it or doubles it.
    Closed(Mark),
}

/// Finds a quotation mark that is not closed: the file ends before, or the field spans lines and
/// other text follows its end, so that its end was meant to open another field.
struct Quotes {
    delimiter: u8,
    position: FieldPosition,
    /// Bytes and lines before the next byte.
    at: u64,
    line: u64,
    unclosed: Option<Mark>,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            position: FieldPosition::FieldStart,
            at: 0,
            line: 1,
            unclosed: None,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let mark = Mark {
                at: self.at,
                line: self.line,
            };
            self.at += 1;
            self.line += u64::from(byte == b'\n');
            let ends_field = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
            self.position = match (self.position, byte) {
                (FieldPosition::FieldStart, b'"') => FieldPosition::Quoted(mark),
                (FieldPosition::Quoted(opened), b'"') => FieldPosition::Closed(opened),
                (FieldPosition::Quoted(opened), _) => FieldPosition::Quoted(opened),
                (FieldPosition::Closed(opened), b'"') => FieldPosition::Quoted(opened),
                (_, _) if ends_field => FieldPosition::FieldStart,
                (FieldPosition::Closed(opened), _) => {
                    if opened.line < mark.line {
                        self.unclosed.get_or_insert(opened);
                    }
                    FieldPosition::Unquoted
                }
                _ => FieldPosition::Unquoted,
            };
        }
    }

    fn end(&mut self) {
        if let FieldPosition::Quoted(opened) = self.position {
            self.unclosed.get_or_insert(opened);
        }
    }
}
