//! Helpers of the source tests, and tests of opening sources and image files.

mod databases;
mod datasets;
mod folders;
mod groups;
mod manifests;

use super::*;
use crate::record::{FailureDetail, Item};
use crate::source::options::{EquipmentName, OnlySource};
use crate::text::Said;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use tempfile::TempDir;

/// A small icon, different for every `seed`.
pub fn png(seed: u32) -> Vec<u8> {
    let image = image::RgbaImage::from_fn(16, 16, |x, y| {
        image::Rgba([seed as u8, (seed >> 8) as u8, (x * y) as u8, 255])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    crate::text::hex(&sha2::Sha256::digest(bytes))
}

/// A temporary folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

pub fn options(kind: SourceKind) -> SourceOptions {
    SourceOptions::new(kind)
}

pub fn manifest_at(path: impl AsRef<Path>) -> SourceOptions {
    options(SourceKind::Manifest(path.as_ref().to_owned()))
}

pub fn database_at(path: impl AsRef<Path>) -> SourceOptions {
    options(SourceKind::Database(path.as_ref().to_owned()))
}

#[derive(Debug, Default)]
pub struct Read {
    pub items: Vec<Item>,
    pub other_names: Vec<String>,
    pub missing: Vec<(Item, FailureDetail)>,
    pub warnings: Vec<String>,
}

impl Read {
    pub fn names(&self) -> Vec<&str> {
        self.items
            .iter()
            .map(|item| item.item_name.as_str())
            .collect()
    }

    /// Adds a note as a warning with its place.
    pub fn note(&mut self, note: Note) {
        let Note { file, place, what } = note;
        let warning = format!("{} {place}: {what}", file.display());
        self.warnings.push(warning);
    }
}

/// Reads all rows of a source.
pub fn read(options: &SourceOptions) -> Result<Read> {
    let mut read = Read::default();
    open(options)?.read(&mut |event| {
        match event {
            RowEvent::Item(row) => {
                read.items.push(row.item);
                read.other_names.extend(row.other_name);
            }
            RowEvent::Missing(row, why) => read.missing.push((row.item, why)),
            RowEvent::Refused(note) | RowEvent::Noted(note) => {
                read.warnings.push(format!(
                    "{} {}: {}",
                    note.file.display(),
                    note.place,
                    english(note.what)
                ));
            }
            RowEvent::Warning(warning) | RowEvent::Locked(warning) => {
                read.warnings.push(english(warning))
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(read)
}

#[test]
fn wrong_usage_fails_when_opening() {
    let dir = folder(&[("rows.xlsx", b"a,b")]);
    let error = open(&manifest_at(dir.path().join("rows.xlsx"))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    assert!(error.hint.unwrap().contains(".jsonl"));
    let mut mapped = options(SourceKind::Demo);
    mapped.mapping.name_column = Some("title".to_owned());
    assert_eq!(open(&mapped).unwrap_err().kind, ErrorKind::Usage);
    assert_eq!(
        open(&manifest_at(dir.path().join("rows.jsonl")))
            .unwrap_err()
            .kind,
        ErrorKind::Source
    );
}

#[test]
fn an_image_that_is_not_a_regular_file_fails_without_blocking() {
    use crate::record::FailureCode;
    let dir = folder(&[("empty.png", b""), ("inner/x.png", b"x")]);
    let code = |name: &str| image_bytes(&dir.path().join(name).into()).unwrap_err().code;
    assert!(
        image_bytes(&dir.path().join("empty.png").into())
            .unwrap()
            .is_empty()
    );
    assert_eq!(code("gone.png"), FailureCode::MissingImage);
    assert_eq!(code("empty.png/x.png"), FailureCode::MissingImage);
    assert_eq!(code("inner"), FailureCode::ImageLoadFailed);
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket.png")).unwrap();
    assert_eq!(code("socket.png"), FailureCode::ImageLoadFailed);
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("endless.png")).unwrap();
    assert_eq!(code("endless.png"), FailureCode::ImageLoadFailed);
    let large = fs::File::create(dir.path().join("large.png")).unwrap();
    large.set_len(crate::source::MAX_FILE_BYTES + 1).unwrap();
    assert_eq!(code("large.png"), FailureCode::ImageLoadFailed);
}

/// The English text, after checking that the Korean one is Korean.
pub fn english(said: Said) -> String {
    let has_hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    assert!(has_hangul(&said.korean), "{said:?}");
    said.english
}
