//! Derives an item's name from its file name or from a text file beside it.

use super::checks::{NO_ENCODING, one_line};
use crate::text::encoding::decode_value;
use crate::text::{Said, said};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Only this many bytes of a text file are read.
const MAX_SIDECAR: u64 = 64 << 10;

/// Words that cameras and programs use in generated file names.
const GENERIC: [&str; 25] = [
    "img",
    "image",
    "images",
    "dsc",
    "dscn",
    "dcim",
    "pic",
    "picture",
    "photo",
    "screenshot",
    "screen",
    "scan",
    "icon",
    "item",
    "sprite",
    "tile",
    "frame",
    "file",
    "untitled",
    "unnamed",
    "download",
    "이미지",
    "사진",
    "아이콘",
    "스크린샷",
];

/// Whether a file's stem names its content, rather than being a hash or a counter.
pub fn is_name(stem: &str) -> bool {
    let is_separator = |c: char| !c.is_alphanumeric();
    let letters = stem.split(|c: char| is_separator(c) || c.is_numeric());
    let mut words = letters
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    let is_generic = words.all(|word| GENERIC.contains(&word.as_str()));
    !is_generic && !is_hash(stem)
}

/// Whether a stem looks like a checksum or UUID in hex, or like a long random token from a URL.
fn is_hash(stem: &str) -> bool {
    let token: Vec<char> = stem.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    let digits = token.iter().filter(|c| c.is_ascii_digit()).count();
    let is_hex = token.iter().all(char::is_ascii_hexdigit);
    let is_token = token.iter().all(char::is_ascii_alphanumeric);
    let is_one_word = token.len() == stem.chars().count();
    (is_hex && digits > 0 && token.len() >= 8)
        || (is_token && is_one_word && digits >= 3 && token.len() >= 20)
        || (is_token && is_one_word && token.len() >= 32)
}

/// Reads the first line of the text file beside an image; `None` if there is no such file or the
/// line is blank.
pub fn sidecar(image: &Path) -> Result<Option<String>, Said> {
    let path = image.with_extension("txt");
    let unreadable = |english: &str, korean: &str| {
        said!(
            "the .txt beside it cannot be read: {english}",
            "옆의 .txt를 읽을 수 없습니다: {korean}"
        )
    };
    let failed = |error: std::io::Error| {
        let why = error.to_string();
        unreadable(&why, &why)
    };
    match fs::metadata(&path) {
        // An empty file is not opened: some files of the system seem empty, but reading them waits.
        Ok(about) if !about.is_file() || about.len() == 0 => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MAX_SIDECAR).read_to_end(&mut bytes))
        .map_err(failed)?;
    let line = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let decoded = decode_value(line);
    let (text, _) =
        decoded.ok_or_else(|| unreadable("it is neither UTF-8 nor CP949", NO_ENCODING.korean))?;
    Ok(one_line(Some(text.into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_counters_are_not_names() {
        for stem in [
            "IMG_0001",
            "DSC-12 (3)",
            "0001",
            "image",
            "icon 7",
            "사진 12",
            "d41d8cd98f00b204e9800998ecf8427e",
            "d41d8cd98f00b204",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "KEPCIGAAKJ12HFPE0BBAA3F",
            "-",
        ] {
            assert!(!is_name(stem), "{stem}");
        }
        for stem in [
            "달빛 망토",
            "red hat",
            "sword_01",
            "모자2",
            "facade",
            "item-frog",
            "Excalibur",
        ] {
            assert!(is_name(stem), "{stem}");
        }
    }
}
