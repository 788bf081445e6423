//! Manifests in JSON: one object a line, or one array of objects; read as a stream.

use super::row::{Row, wanted};
use super::{ItemSource, Sink, SourceEvent, base_of, cannot_read};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::OnlySource;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Longer lines are passed over and reported; a row with a long description has a few kilobytes.
const MAX_LINE: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A `.jsonl` manifest.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    base: PathBuf,
    only: OnlySource,
}

impl Lines {
    pub fn open(path: &Path, only: OnlySource) -> Result<Self> {
        open_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            base: base_of(path)?,
            only,
        })
    }
}

impl ItemSource for Lines {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let reader = BufReader::new(open_file(&self.path)?);
        read_lines(reader, &self.base, self.only, sink)
            .map_err(|error| cannot_read(&self.path, error))
    }
}

/// Gives one row a line to `sink`.
pub(super) fn read_lines(
    mut reader: impl BufRead,
    base: &Path,
    only: OnlySource,
    sink: &mut Sink,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    for number in 1u64.. {
        let length = read_line(&mut reader, &mut line)?;
        if length == 0 {
            break;
        }
        let mut text = line.as_slice();
        if number == 1 {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let row = if length > MAX_LINE {
            Err(format!("{length} bytes long, more than {MAX_LINE}"))
        } else if !text.starts_with(b"{") {
            Err("not a JSON object".to_owned())
        } else {
            serde_json::from_slice::<Row>(text).map_err(reason)
        };
        if give(row, &format_args!("line {number}"), base, only, sink).is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads up to and with the next line feed, keeps at most [`MAX_LINE`] bytes of it in `line`, and
/// returns how long it really was; 0 at the end of the file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    line.clear();
    let mut length = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (part, ended) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => (&buffer[..=at], true),
            None => (buffer, buffer.is_empty()),
        };
        let room = MAX_LINE.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(&part[..room]);
        let read = part.len();
        length += read;
        reader.consume(read);
        if ended {
            return Ok(length);
        }
    }
}

/// A `.json` manifest.
#[derive(Debug)]
pub struct Array {
    path: PathBuf,
    base: PathBuf,
    only: OnlySource,
}

impl Array {
    pub fn open(path: &Path, only: OnlySource) -> Result<Self> {
        open_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            base: base_of(path)?,
            only,
        })
    }
}

impl ItemSource for Array {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let cannot_read = |error: &dyn fmt::Display| cannot_read(&self.path, error);
        let mut reader = BufReader::new(open_file(&self.path)?);
        let start = reader.fill_buf().map_err(|error| cannot_read(&error))?;
        if start.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let mut rows = Rows {
            base: &self.base,
            only: self.only,
            sink,
            number: 0,
            stopped: false,
        };
        let mut deserializer = serde_json::Deserializer::from_reader(reader);
        let result = (&mut rows)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        match result {
            Err(error) if !rows.stopped => Err(Error::new(
                ErrorKind::Source,
                format!("{} after row {}: {error}", self.path.display(), rows.number),
            )
            .with_hint("a .json manifest is one array of objects; one object a line is .jsonl")),
            _ => Ok(()),
        }
    }
}

/// Hands the elements of an array on one by one.
struct Rows<'a, 'b> {
    base: &'a Path,
    only: OnlySource,
    sink: &'a mut Sink<'b>,
    number: u64,
    stopped: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(value) = rows.next_element::<Value>()? {
            self.number += 1;
            let row = if value.is_object() {
                serde_json::from_value::<Row>(value).map_err(reason)
            } else {
                Err("not a JSON object".to_owned())
            };
            let place = format_args!("row {}", self.number);
            if give(row, &place, self.base, self.only, self.sink).is_break() {
                self.stopped = true;
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

/// Checks a row and hands it on: an item, or what is wrong with it and where.
pub(super) fn give(
    row: Result<Row, String>,
    place: &dyn fmt::Display,
    base: &Path,
    only: OnlySource,
    sink: &mut Sink,
) -> ControlFlow<()> {
    match row.and_then(|row| row.into_item(base)) {
        Ok(item) if !wanted(only, item.source_type) => ControlFlow::Continue(()),
        Ok(item) => sink(SourceEvent::Item(item)),
        Err(why) => sink(SourceEvent::Warning(format!("{place}: {why}"))),
    }
}

/// Without serde's own line number: every row is read by itself.
fn reason(error: serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) if error.column() > 0 => format!("{what} (column {})", error.column()),
        _ => text,
    }
}

fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| cannot_read(path, error))?;
    let metadata = file.metadata().map_err(|error| cannot_read(path, error))?;
    if metadata.is_dir() {
        return Err(cannot_read(path, "it is a folder").with_hint("a folder is read with --images"));
    }
    Ok(file)
}
