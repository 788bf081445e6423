//! Checks of text and paths that all sources share.

use super::options::OnlySource;
use crate::record::SourceType;
use crate::text::{Forbidden, Phrase, Said, clean_text, forbidden, is_visible, said};
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Size limit of rows and values in bytes. Longer ones are skipped and reported; a long description
/// has a few kilobytes.
pub const MAX_ROW: usize = 1 << 20;

/// Follows the name of a column.
pub const TOO_LONG: Phrase = Phrase::new("is longer than 1 MiB", "1 MiB보다 깁니다");
/// Describes a row or a file.
pub const NO_ENCODING: Phrase = Phrase::new("neither UTF-8 nor CP949", "UTF-8도 CP949도 아닙니다");

pub fn is_selected(only: OnlySource, source_type: SourceType) -> bool {
    match only {
        OnlySource::All => true,
        OnlySource::EquipmentShape => source_type == SourceType::EquipmentShape,
        OnlySource::Cash => source_type == SourceType::Cash,
    }
}

/// Whether a path contains control or direction characters. Other invisible characters are allowed,
/// since files may be named with them.
pub fn has_control(path: &str) -> bool {
    path.chars().any(|c| {
        matches!(
            forbidden(c),
            Some(Forbidden::Control | Forbidden::Direction)
        )
    })
}

/// Finds the file that a path from a source refers to, and how its real path differs. If no file
/// has that exact path, variants from other systems are tried: Windows separators and the
/// decomposed Hangul of macOS.
pub fn file_at(base: &Path, path: &str) -> (PathBuf, Option<Phrase>) {
    const SEPARATORS: Phrase = Phrase::new(
        "image_path has \\ where the file's path has /",
        "파일 경로의 / 자리에 image_path는 \\를 씁니다",
    );
    const HANGUL: Phrase = Phrase::new(
        "image_path has Hangul composed where the file's name has it decomposed, or the reverse",
        "image_path와 파일 이름의 한글 가운데 한쪽은 조합형이고 한쪽은 완성형입니다",
    );
    let as_written = base.join(path);
    // An ASCII name has no variants, and checking for the file is slow on a slow drive.
    let is_plain = path.is_ascii() && !path.contains('\\');
    if is_plain || as_written.exists() {
        return (as_written, None);
    }
    let slashes = path.replace('\\', "/");
    let other_forms = [
        (slashes.clone(), SEPARATORS),
        (slashes.nfc().collect(), HANGUL),
        (slashes.nfd().collect(), HANGUL),
    ];
    let mut other_forms = other_forms
        .into_iter()
        .map(|(form, how)| (base.join(form), Some(how)));
    let found = other_forms.find(|(file, _)| file.exists());
    found.unwrap_or((as_written, None))
}

/// Normalizes a text for the record, the prompt and the rules; `None` if nothing visible is left.
pub fn one_line(text: Option<String>) -> Option<String> {
    Some(clean_text(&text?)).filter(|text| text.chars().any(is_visible))
}

/// Normalizes an item's name. The error says why there is none.
pub fn name(column: &str, text: Option<String>) -> Result<String, Said> {
    match text {
        Some(text) if !text.is_empty() => one_line(Some(text)).ok_or_else(|| {
            said!(
                "{column} contains only blanks and invisible characters",
                "{column}{이} 공백과 보이지 않는 글자뿐입니다"
            )
        }),
        _ => Err(said!("{column} is missing", "{column}{이} 없습니다")),
    }
}
