//! A `.jsonl` manifest: one object a line, read as a stream; and what any row of JSON must be.

use super::cp949::Texts;
use super::manifest::Manifest;
use super::reading::{ItemSource, Sink, cannot_read};
use super::row::Row;
use crate::error::Result;
use std::io::BufRead;

/// Longer rows are passed over and reported; one with a long description has a few kilobytes.
pub(super) const MAX_ROW: usize = 1 << 20;
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A `.jsonl` manifest.
#[derive(Debug)]
pub struct Lines(Manifest);

impl Lines {
    pub fn open(manifest: Manifest) -> Result<Self> {
        manifest.open()?;
        Ok(Self(manifest))
    }
}

impl ItemSource for Lines {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(reader) = self.0.text(sink)? else {
            return Ok(());
        };
        read_lines(reader, &self.0, sink).map_err(|error| cannot_read(&self.0.path, error))
    }
}

/// Gives one row a line to `sink`.
pub(super) fn read_lines(
    mut reader: impl BufRead,
    manifest: &Manifest,
    sink: &mut Sink,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    let mut texts = Texts::default();
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
        let row = row(text, length, &mut texts);
        let place = format_args!("line {number}");
        if texts.end_row(&manifest.path, sink).is_break()
            || manifest.give(row, &place, sink).is_break()
        {
            break;
        }
    }
    texts.end(&manifest.path, sink);
    Ok(())
}

/// A row from its text, of which at most [`MAX_ROW`] bytes are here; `length` is how long it was.
pub(super) fn row(text: &[u8], length: usize, texts: &mut Texts) -> Result<Row, String> {
    if length > MAX_ROW {
        Err(format!("{length} bytes long, more than {MAX_ROW}"))
    } else if !text.starts_with(b"{") {
        Err("not a JSON object".to_owned())
    } else {
        let text = texts.read(text).ok_or("neither UTF-8 nor CP949")?;
        serde_json::from_str(&text).map_err(|error| fault_of_line(&error))
    }
}

/// Reads up to and with the next line feed, keeps at most [`MAX_ROW`] bytes of it in `line`, and
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

/// Without serde's own line number: every line is read by itself.
pub fn fault_of_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) if error.column() > 0 => format!("{what} (column {})", error.column()),
        _ => text,
    }
}
