//! Text that is not UTF-8: Korean programs on Windows write CP949, some write UTF-16.

use super::SourceEvent;
use encoding_rs::{DecoderResult, EUC_KR, Encoding, UTF_16BE, UTF_16LE};
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

const CHUNK: usize = 1 << 16;

/// Decodes bytes that may be CP949, and counts for how many rows it was needed.
#[derive(Debug, Default)]
pub struct Texts {
    rows: u64,
    in_row: bool,
}

impl Texts {
    /// The text of these bytes: as UTF-8, else as CP949 where they fit. `None` where they are
    /// neither; nothing is replaced.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return Some(Cow::Borrowed(text)),
            Err(error) => error,
        };
        // Korean that is UTF-8 up to somewhere is damaged, not CP949.
        let (before, _) = bytes.split_at(error.valid_up_to());
        let is_hangul = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
        if std::str::from_utf8(before).is_ok_and(|text| text.contains(is_hangul)) {
            return None;
        }
        let text = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)?;
        if !text.contains(is_hangul) || text.contains(is_private) {
            return None;
        }
        self.in_row = true;
        Some(text)
    }

    /// To be called after each row. The first row that is CP949 says so.
    pub fn end_row(
        &mut self,
        path: &Path,
        give: &mut dyn FnMut(SourceEvent) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !std::mem::take(&mut self.in_row) {
            return ControlFlow::Continue(());
        }
        self.rows += 1;
        if self.rows > 1 {
            return ControlFlow::Continue(());
        }
        give(SourceEvent::Warning(format!(
            "{}: text that is not UTF-8 is read as CP949, the encoding of Korean Windows",
            path.display()
        )))
    }

    /// How many rows were CP949, said once all are read.
    pub fn end(&self, path: &Path, give: &mut dyn FnMut(SourceEvent) -> ControlFlow<()>) {
        if self.rows > 0 {
            let rows = match self.rows {
                1 => "1 row was".to_owned(),
                rows => format!("{rows} rows were"),
            };
            let text = format!("{}: {rows} read as CP949", path.display());
            // Whoever has stopped listening has stopped reading.
            let _ = give(SourceEvent::Warning(text));
        }
    }
}

fn is_private(c: char) -> bool {
    ('\u{e000}'..='\u{f8ff}').contains(&c)
}

/// A file's bytes as UTF-8 where it is UTF-16, as its byte order mark or the zero beside its first
/// bracket tells; any other file as it is. Whether it is UTF-16 stands beside it.
pub fn decoded(file: impl Read + 'static) -> io::Result<(Box<dyn BufRead>, bool)> {
    let mut reader = BufReader::with_capacity(CHUNK, file);
    let encoding = match reader.fill_buf()? {
        [0xff, 0xfe, ..] => UTF_16LE,
        [0xfe, 0xff, ..] => UTF_16BE,
        [b'{' | b'[', 0, ..] => UTF_16LE,
        [0, b'{' | b'[', ..] => UTF_16BE,
        _ => return Ok((Box::new(reader), false)),
    };
    Ok((Box::new(BufReader::new(Utf16::new(reader, encoding))), true))
}

/// Turns UTF-16 into UTF-8 while it is read; half a character is an error.
struct Utf16<R> {
    reader: R,
    decoder: encoding_rs::Decoder,
    decoded: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: BufRead> Utf16<R> {
    fn new(reader: R, encoding: &'static Encoding) -> Self {
        Self {
            reader,
            decoder: encoding.new_decoder_with_bom_removal(),
            decoded: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    fn more(&mut self) -> io::Result<()> {
        self.given = 0;
        self.decoded.resize(CHUNK, 0);
        let bytes = self.reader.fill_buf()?;
        self.ended = bytes.is_empty();
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            bytes,
            &mut self.decoded,
            bytes.is_empty(),
        );
        self.reader.consume(read);
        self.decoded.truncate(written);
        match result {
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it begins as UTF-16 and holds half a character",
            )),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() && !self.ended {
            self.more()?;
        }
        let left = &self.decoded[self.given..];
        let read = left.len().min(out.len());
        out[..read].copy_from_slice(&left[..read]);
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cp949(text: &str) -> Vec<u8> {
        let (bytes, _, lost) = EUC_KR.encode(text);
        assert!(!lost);
        bytes.into_owned()
    }

    fn read(bytes: &[u8]) -> Option<String> {
        Texts::default().read(bytes).map(Cow::into_owned)
    }

    #[test]
    fn what_is_neither_utf8_nor_cp949_is_nothing() {
        for text in ["붉은 모자", "똠방각하 뷁", "red 모자"] {
            assert_eq!(read(&cp949(text)).as_deref(), Some(text));
            assert_eq!(read(text.as_bytes()).as_deref(), Some(text));
        }
        // Cut within a character, as a column of a fixed width does.
        let whole = "붉은 모자";
        for end in 1..whole.len() {
            let cut = &whole.as_bytes()[..end];
            assert_eq!(read(cut).is_some(), whole.is_char_boundary(end), "{end}");
        }
        assert_eq!(read(b"calf\xe9"), None);
        assert_eq!(read(b"\xff\xfe\x00"), None);
    }

    proptest! {
        #[test]
        fn utf16_is_read_as_it_was_written(text in "\\PC{0,40}", little in any::<bool>(), mark in any::<bool>()) {
            // Without a mark the first characters must tell.
            let text = format!("{{\"{text}");
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units
                .flat_map(|unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect();
            let (mut reader, is_utf16) = decoded(io::Cursor::new(bytes)).unwrap();
            let mut back = String::new();
            reader.read_to_string(&mut back).unwrap();
            prop_assert!(is_utf16);
            prop_assert_eq!(back, text);
        }
    }
}
