//! Reads `.jsonl` manifests: one object per line. Also parses the rows of the other JSON formats.

use crate::error::Result;
use crate::source::checks::{MAX_ROW, NO_ENCODING};
use crate::source::cp949::TextDecoder;
use crate::source::manifest::file::Manifest;
use crate::source::manifest::row::{Cell, Row};
use crate::source::reading::{ItemSource, Sink};
use crate::text::{Phrase, Said, json_line_error, said, without_non_finite};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::BufRead;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A `.jsonl` manifest.
#[derive(Debug)]
struct JsonLines(Manifest);

pub(super) fn open(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    manifest.open()?;
    Ok(Box::new(JsonLines(manifest)))
}

impl ItemSource for JsonLines {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(reader) = self.0.text(sink)? else {
            return Ok(());
        };
        read_lines(reader, &self.0, sink).map_err(|error| self.0.unreadable(error))
    }
}

/// Passes each line as a row to `sink`.
pub fn read_lines(
    mut reader: impl BufRead,
    manifest: &Manifest,
    sink: &mut Sink,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut decoder = TextDecoder::default();
    for number in 1u64.. {
        let length = read_line(&mut reader, &mut line)?;
        if length == 0 {
            break;
        }
        // Concatenated files have byte order marks in the middle too.
        let text = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let row = row(text, length, manifest, &mut decoder);
        let place = format_args!("line {number}");
        if decoder.end_row(&manifest.path, sink).is_break()
            || manifest.emit(row, &place, sink).is_break()
        {
            break;
        }
    }
    decoder.end(&manifest.path, sink);
    Ok(())
}

/// Parses a row. `text` may be truncated to [`MAX_ROW`] bytes; `length` is the original length.
pub(super) fn row<'a>(
    text: &[u8],
    length: usize,
    manifest: &'a Manifest,
    decoder: &mut TextDecoder,
) -> Result<Row<'a>, Said> {
    let mut row = manifest.row();
    read_object(text, length, &mut row, decoder)?;
    Ok(row)
}

/// Parses an object into a row.
pub(super) fn read_object(
    text: &[u8],
    length: usize,
    row: &mut Row,
    decoder: &mut TextDecoder,
) -> Result<(), Said> {
    if length > MAX_ROW {
        return Err(said!(
            "longer than {MAX_ROW} bytes",
            "{MAX_ROW}바이트보다 깁니다"
        ));
    }
    if !text.starts_with(b"{") {
        return Err(said!("not a JSON object", "JSON 객체가 아닙니다"));
    }
    let text = decoder.read(text).ok_or(NO_ENCODING)?;
    let error = match parse(&text, row) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let parsed = without_non_finite(&text).map(|text| {
        *row = Row::new(row.columns());
        parse(&text, row)
    });
    match parsed {
        Some(Ok(())) => Ok(()),
        _ => {
            let why = json_line_error(&error);
            Err(said!("not JSON: {why}", "JSON이 아닙니다: {why}"))
        }
    }
}

fn parse(text: &str, row: &mut Row) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    RowValues(row).deserialize(&mut json)?;
    json.end()
}

/// Deserializes an object into a row.
struct RowValues<'r, 'a>(&'r mut Row<'a>);

impl<'de> DeserializeSeed<'de> for RowValues<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowValues<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let cell = map.next_value::<Cell>()?;
            self.0.set(&key, cell);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCell)
    }
}

struct AnyCell;

impl<'de> Visitor<'de> for AnyCell {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Odd(Phrase::new("is a list", "목록입니다")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Odd(Phrase::new("is an object", "객체입니다")))
    }
}

/// Reads through the next line feed and keeps at most [`MAX_ROW`] bytes in `line`. Returns the full
/// length of the line, 0 at the end of the file.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    line.clear();
    let mut length = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (part, ended) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => (&buffer[..=at], true),
            None => (buffer, buffer.is_empty()),
        };
        let room = MAX_ROW.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(&part[..room]);
        let read = part.len();
        length += read;
        reader.consume(read);
        if ended {
            return Ok(length);
        }
    }
}
