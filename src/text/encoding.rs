//! Decodes text stored as UTF-8, UTF-16 or CP949 (the legacy encoding of Korean Windows programs).

use encoding_rs::{DecoderResult, EUC_KR, UTF_16BE, UTF_16LE};
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

const CHUNK: usize = 1 << 16;

/// Encoding of one value or line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    Cp949,
}

/// Encoding of an entire file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEncoding {
    /// UTF-8 or CP949, decided for each value or line.
    Bytes,
    Utf16Le,
    Utf16Be,
}

impl FileEncoding {
    /// Recognizes UTF-16 by its byte order mark, or by the zero byte beside its first bracket.
    fn by_first_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => Self::Utf16Be,
            _ => Self::Bytes,
        }
    }
}

/// Decodes a short value or a row as UTF-8, or else as CP949. `None` if it is neither; no bytes are
/// replaced.
pub fn decode_value(bytes: &[u8]) -> Option<(Cow<'_, str>, Encoding)> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Some((Cow::Borrowed(text), Encoding::Utf8)),
        Err(error) => error,
    };
    // Korean text with a valid UTF-8 prefix is damaged UTF-8, not CP949.
    let (before, _) = bytes.split_at(error.valid_up_to());
    if std::str::from_utf8(before).is_ok_and(|text| text.contains(is_hangul)) {
        return None;
    }
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)?;
    let is_korean = text.contains(is_hangul) && !text.contains(is_private_use);
    is_korean.then_some((text, Encoding::Cp949))
}

/// Decodes a long line; `None` if it is in none of the encodings.
pub fn decode_line(line: &[u8], file: FileEncoding) -> Option<(String, Encoding)> {
    let unit: fn([u8; 2]) -> u16 = match file {
        FileEncoding::Utf16Le => u16::from_le_bytes,
        FileEncoding::Utf16Be => u16::from_be_bytes,
        FileEncoding::Bytes => return decode_bytes(line),
    };
    let (pairs, rest) = line.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok()
        .filter(|_| rest.is_empty())
        .map(|text| (text, Encoding::Utf16))
}

fn decode_bytes(line: &[u8]) -> Option<(String, Encoding)> {
    if let Ok(text) = std::str::from_utf8(line) {
        return Some((text.to_owned(), Encoding::Utf8));
    }
    // Damaged UTF-8 is often valid CP949 that reads as different words. But most of its characters
    // are still valid UTF-8, while CP949 almost never contains Korean in UTF-8. A short value has
    // too few characters for this test.
    let (mut valid, mut broken) = (0, 0);
    for chunk in line.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| is_east_asian(*c)).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if valid * 8 >= broken {
        return None;
    }
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(line)?;
    Some((text.into_owned(), Encoding::Cp949))
}

fn is_hangul(c: char) -> bool {
    ('\u{ac00}'..='\u{d7a3}').contains(&c)
}

fn is_east_asian(c: char) -> bool {
    is_hangul(c)
        || matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{318f}' | '\u{4e00}'..='\u{9fff}')
}

fn is_private_use(c: char) -> bool {
    ('\u{e000}'..='\u{f8ff}').contains(&c)
}

/// Reads the undecoded lines of a file.
pub struct Lines<R> {
    reader: R,
    pub encoding: FileEncoding,
}

impl<R: BufRead> Lines<R> {
    pub fn new(mut reader: R) -> io::Result<Self> {
        let encoding = FileEncoding::by_first_bytes(reader.fill_buf()?);
        Ok(Self { reader, encoding })
    }

    /// Reads the next line without its line feed; `false` at the end of the file.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        loop {
            let read = self.reader.read_until(b'\n', line)?;
            if read == 0 {
                return Ok(!line.is_empty());
            }
            if !line.ends_with(b"\n") {
                return Ok(true);
            }
            // In UTF-16, half of another character may be the same byte.
            let length = match self.encoding {
                FileEncoding::Bytes => 1,
                FileEncoding::Utf16Le if line.len() % 2 == 1 => {
                    let Some(&high) = self.reader.fill_buf()?.first() else {
                        return Ok(true);
                    };
                    self.reader.consume(1);
                    line.push(high);
                    if high != 0 {
                        continue;
                    }
                    2
                }
                FileEncoding::Utf16Be
                    if line.len().is_multiple_of(2) && line[line.len() - 2] == 0 =>
                {
                    2
                }
                FileEncoding::Utf16Le | FileEncoding::Utf16Be => continue,
            };
            line.truncate(line.len() - length);
            return Ok(true);
        }
    }
}

/// Transcodes a UTF-16 file to UTF-8 and leaves the bytes of any other file unchanged. Also returns
/// whether the file is UTF-16.
pub fn as_utf8(file: impl Read + 'static) -> io::Result<(Box<dyn BufRead>, bool)> {
    let mut reader = BufReader::with_capacity(CHUNK, file);
    let encoding = match FileEncoding::by_first_bytes(reader.fill_buf()?) {
        FileEncoding::Utf16Le => UTF_16LE,
        FileEncoding::Utf16Be => UTF_16BE,
        FileEncoding::Bytes => return Ok((Box::new(reader), false)),
    };
    Ok((Box::new(BufReader::new(Utf16::new(reader, encoding))), true))
}

/// Transcodes UTF-16 to UTF-8 while reading. An unpaired surrogate or half a unit is an error.
struct Utf16<R> {
    reader: R,
    decoder: encoding_rs::Decoder,
    decoded: Vec<u8>,
    consumed: usize,
    ended: bool,
}

impl<R: BufRead> Utf16<R> {
    fn new(reader: R, encoding: &'static encoding_rs::Encoding) -> Self {
        Self {
            reader,
            decoder: encoding.new_decoder_with_bom_removal(),
            decoded: Vec::new(),
            consumed: 0,
            ended: false,
        }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        self.consumed = 0;
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
                "it begins as UTF-16 but contains half a character",
            )),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.consumed == self.decoded.len() && !self.ended {
            self.decode_more()?;
        }
        let remaining = &self.decoded[self.consumed..];
        let read = remaining.len().min(out.len());
        out[..read].copy_from_slice(&remaining[..read]);
        self.consumed += read;
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

    fn value(bytes: &[u8]) -> Option<String> {
        decode_value(bytes).map(|(text, _)| text.into_owned())
    }

    #[test]
    fn bytes_that_are_neither_utf8_nor_cp949_are_not_decoded() {
        for text in ["붉은 모자", "똠방각하 뷁", "red 모자"] {
            assert_eq!(value(&cp949(text)).as_deref(), Some(text));
            assert_eq!(value(text.as_bytes()).as_deref(), Some(text));
        }
        // Truncated within a character, as by a fixed-width column.
        let whole = "붉은 모자";
        for end in 1..whole.len() {
            let cut = &whole.as_bytes()[..end];
            assert_eq!(value(cut).is_some(), whole.is_char_boundary(end), "{end}");
        }
        assert_eq!(value(b"calf\xe9"), None);
        assert_eq!(value(b"\xff\xfe\x00"), None);
    }

    proptest! {
        #[test]
        fn utf16_round_trips(text in "\\PC{0,40}", little in any::<bool>(), mark in any::<bool>()) {
            // Without a byte order mark the first characters identify the encoding.
            let text = format!("{{\"{text}");
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units
                .flat_map(|unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect();
            let (mut reader, is_utf16) = as_utf8(io::Cursor::new(bytes)).unwrap();
            let mut back = String::new();
            reader.read_to_string(&mut back).unwrap();
            prop_assert!(is_utf16);
            prop_assert_eq!(back, text);
        }
    }

    fn lines(bytes: &[u8]) -> Vec<Option<(String, Encoding)>> {
        let mut lines = Lines::new(bytes).unwrap();
        let mut line = Vec::new();
        let mut all = Vec::new();
        while lines.next(&mut line).unwrap() {
            all.push(decode_line(&line, lines.encoding));
        }
        all
    }

    #[test]
    fn utf16_lines_end_at_line_feed_characters_only() {
        // U+0A0A and U+010A contain the line feed byte.
        let text = "\u{feff}{\u{a0a}\u{10a}모자\r\n\n끝";
        let expected = ["\u{feff}{\u{a0a}\u{10a}모자\r", "", "끝"];
        let expected = expected.map(|line| Some((line.to_owned(), Encoding::Utf16)));
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(lines(&little), expected);
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(lines(&big), expected);
        // A file truncated in the middle of a character.
        assert_eq!(lines(&little[..little.len() - 1])[2], None);
    }

    #[test]
    fn damaged_utf8_is_not_mistaken_for_cp949() {
        let text = "{\"label_ko\": \"뷁처럼 붉은 천의 모자\"}";
        assert_eq!(
            lines(&cp949(text)),
            [Some((text.to_owned(), Encoding::Cp949))]
        );
        for at in 0..text.len() {
            let mut damaged = text.as_bytes().to_vec();
            damaged[at] |= 0x80;
            let decoded = lines(&damaged).pop().unwrap();
            assert!(decoded.is_none_or(|(_, encoding)| encoding == Encoding::Utf8));
        }
    }
}
