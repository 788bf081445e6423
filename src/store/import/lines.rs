//! Cuts a file into lines and decodes them: UTF-8, UTF-16, and CP949 as Korean Windows writes it.

use encoding_rs::EUC_KR;
use std::io::{self, BufRead};

/// How a whole file stores its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// UTF-8 or CP949, told apart line by line.
    Bytes,
    Utf16Le,
    Utf16Be,
}

/// The lines of a file, as they stand in it.
pub struct Lines<R> {
    reader: R,
    pub width: Width,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    Cp949,
}

impl<R: BufRead> Lines<R> {
    pub fn new(mut reader: R) -> io::Result<Self> {
        let width = match reader.fill_buf()? {
            [0xff, 0xfe, ..] | [b'{', 0, ..] => Width::Utf16Le,
            [0xfe, 0xff, ..] | [0, b'{', ..] => Width::Utf16Be,
            _ => Width::Bytes,
        };
        Ok(Self { reader, width })
    }

    /// The next line without its line feed; `false` at the end of the file.
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
            // Half of another character holds the same byte.
            let length = match self.width {
                Width::Bytes => 1,
                Width::Utf16Le if line.len() % 2 == 1 => {
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
                Width::Utf16Be if line.len().is_multiple_of(2) && line[line.len() - 2] == 0 => 2,
                Width::Utf16Le | Width::Utf16Be => continue,
            };
            line.truncate(line.len() - length);
            return Ok(true);
        }
    }
}

/// The text of a line; `None` where it is in none of the encodings.
pub fn decode(line: &[u8], width: Width) -> Option<(String, Encoding)> {
    let unit: fn([u8; 2]) -> u16 = match width {
        Width::Utf16Le => u16::from_le_bytes,
        Width::Utf16Be => u16::from_be_bytes,
        Width::Bytes => return decode_bytes(line),
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
    // Damaged UTF-8 often is lawful CP949 too, as other words. Most of its characters are whole,
    // while next to nothing of CP949 is Korean in UTF-8.
    let (mut whole, mut broken) = (0, 0);
    for chunk in line.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| is_east_asian(*c)).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if whole * 8 >= broken {
        return None;
    }
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(line)?;
    Some((text.into_owned(), Encoding::Cp949))
}

fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{318f}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Option<(String, Encoding)>> {
        let mut lines = Lines::new(bytes).unwrap();
        let mut line = Vec::new();
        let mut all = Vec::new();
        while lines.next(&mut line).unwrap() {
            all.push(decode(&line, lines.width));
        }
        all
    }

    #[test]
    fn utf16_is_cut_between_characters() {
        // U+0A0A and U+010A hold the byte of a line feed.
        let text = "\u{feff}{\u{a0a}\u{10a}모자\r\n\n끝";
        let told = ["\u{feff}{\u{a0a}\u{10a}모자\r", "", "끝"];
        let told = told.map(|line| Some((line.to_owned(), Encoding::Utf16)));
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(read(&little), told);
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(read(&big), told);
        // A file that was cut off in the middle of a character.
        assert_eq!(read(&little[..little.len() - 1])[2], None);
    }

    #[test]
    fn cp949_is_told_from_damaged_utf8() {
        let text = "{\"label_ko\": \"뷁처럼 붉은 천의 모자\"}";
        let (korean, _, lossy) = EUC_KR.encode(text);
        assert!(!lossy);
        assert_eq!(read(&korean), [Some((text.to_owned(), Encoding::Cp949))]);
        for at in 0..text.len() {
            let mut damaged = text.as_bytes().to_vec();
            damaged[at] |= 0x80;
            let seen = read(&damaged).pop().unwrap();
            assert!(seen.is_none_or(|(_, encoding)| encoding == Encoding::Utf8));
        }
    }
}
