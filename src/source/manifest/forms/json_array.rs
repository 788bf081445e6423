//! Reads `.json` manifests: one array of objects. Elements are split off while reading, so that
//! neither the array nor an enormous element is ever in memory.

use super::json_lines::{self, BYTE_ORDER_MARK, row};
use crate::error::{Error, ErrorKind, Result};
use crate::source::checks::MAX_ROW;
use crate::source::cp949::TextDecoder;
use crate::source::manifest::file::Manifest;
use crate::source::reading::{ItemSource, Sink};
use serde::de::IgnoredAny;
use std::io::{self, BufRead};
use std::ops::ControlFlow;

#[derive(Debug)]
struct Array(Manifest);

pub(super) fn open(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    if contains_lines(&manifest)? {
        return json_lines::open(manifest);
    }
    Ok(Box::new(Array(manifest)))
}

/// Whether the file is JSON lines despite its name: its first line is an object.
fn contains_lines(manifest: &Manifest) -> Result<bool> {
    // Warnings are repeated when the rows are read.
    let Some(mut text) = manifest.text(&mut |_| ControlFlow::Continue(()))? else {
        return Ok(false);
    };
    let mut line = Vec::new();
    json_lines::read_line(&mut text, &mut line).map_err(|error| manifest.unreadable(error))?;
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
    let line = line.trim_ascii();
    Ok(line.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok())
}

impl ItemSource for Array {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(reader) = self.0.text(sink)? else {
            return Ok(());
        };
        let mut elements = Elements::new(reader);
        let mut decoder = TextDecoder::default();
        for number in 1u64.. {
            let found = elements.next().map_err(|error| {
                let rows = number - 1;
                let place = self.0.path.display();
                Error::new(
                    ErrorKind::Source,
                    format!("{place} after row {rows}: {error}"),
                )
                .with_hint(
                    "a .json manifest is one array of objects; use .jsonl for one object per line",
                )
            })?;
            let Some(length) = found else {
                break;
            };
            let row = row(elements.text.trim_ascii(), length, &self.0, &mut decoder);
            let place = format_args!("row {number}");
            if decoder.end_row(&self.0.path, sink).is_break()
                || self.0.emit(row, &place, sink).is_break()
            {
                break;
            }
        }
        decoder.end(&self.0.path, sink);
        Ok(())
    }
}

/// Splits an array at the commas between its elements.
struct Elements<R> {
    reader: R,
    at: ArrayPosition,
    /// The current element, up to [`MAX_ROW`] bytes of it.
    text: Vec<u8>,
}

/// Position relative to the array.
#[derive(PartialEq)]
enum ArrayPosition {
    Before,
    Inside,
    After,
}

/// Tracks brackets and strings within an element.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Whether `byte` ends the element. It is not part of the element then.
    fn ends_at(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b',' | b']' | b'}' if self.depth == 0 => return true,
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        false
    }
}

impl<R: BufRead> Elements<R> {
    fn new(reader: R) -> Self {
        Self {
            reader,
            at: ArrayPosition::Before,
            text: Vec::new(),
        }
    }

    /// Reads the next element into `text` and returns its full length; `None` at the end of the array.
    fn next(&mut self) -> io::Result<Option<usize>> {
        if self.at == ArrayPosition::Before {
            self.begin()?;
        }
        if self.at == ArrayPosition::Inside {
            return self.element().map(Some);
        }
        match self.skip_whitespace()? {
            None => Ok(None),
            Some(_) => Err(broken("unexpected data after the array")),
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            self.reader.consume(BYTE_ORDER_MARK.len());
        }
        if self.skip_whitespace()? != Some(b'[') {
            return Err(broken("it does not start with ["));
        }
        self.reader.consume(1);
        self.at = ArrayPosition::Inside;
        if self.skip_whitespace()? == Some(b']') {
            self.reader.consume(1);
            self.at = ArrayPosition::After;
        }
        Ok(())
    }

    /// Peeks at the next byte that is not whitespace.
    fn skip_whitespace(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let blanks = buffer
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            let (next, read) = (buffer.get(blanks).copied(), !buffer.is_empty());
            self.reader.consume(blanks);
            if next.is_some() || !read {
                return Ok(next);
            }
        }
    }

    /// Reads through the comma or bracket that ends the element.
    fn element(&mut self) -> io::Result<usize> {
        self.text.clear();
        let mut nesting = Nesting::default();
        let mut length = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Err(broken("the array is not closed"));
            }
            let end = buffer.iter().position(|byte| nesting.ends_at(*byte));
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = MAX_ROW.saturating_sub(self.text.len()).min(part.len());
            self.text.extend_from_slice(&part[..room]);
            length += part.len();
            let Some(end) = end else {
                let read = part.len();
                self.reader.consume(read);
                continue;
            };
            match buffer[end] {
                b',' => {}
                b']' => self.at = ArrayPosition::After,
                _ => return Err(broken("} without {")),
            }
            self.reader.consume(end + 1);
            return Ok(length);
        }
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
