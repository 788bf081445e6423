//! Reads a folder of images and its subfolders. An item's name comes from a text file beside its
//! image, or from the file name.

use super::checks::{has_control, is_selected, one_line};
use super::file_names::{is_name, sidecar};
use super::options::{Mapping, NameSource, OnlySource};
use super::reading::{ItemSource, Note, RowEvent, Sink};
use super::walk::{Walk, WalkedFile, skipped_warning};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Item, SourceType};
use crate::text::{Phrase, Said};
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "bmp"];

/// Reasons to refuse a file.
const NOT_UTF8: Phrase = Phrase::new("the file name is not UTF-8", "파일 이름이 UTF-8이 아닙니다");
const CONTROL: Phrase = Phrase::new(
    "the file name contains control characters",
    "파일 이름에 제어 문자가 있습니다",
);
const NO_SIDECAR: Phrase = Phrase::new(
    "there is no .txt file with a name beside it",
    "옆에 이름이 든 .txt가 없습니다",
);

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    only: OnlySource,
    source_type: SourceType,
    names: NameSource,
    /// The folder that the run writes to.
    outdir: Option<PathBuf>,
}

impl Folder {
    pub fn open(
        path: &Path,
        only: OnlySource,
        mapping: &Mapping,
        outdir: Option<&Path>,
    ) -> Result<Self> {
        let mut walk = Walk::new(path, outdir)?;
        for found in walk.by_ref() {
            if is_image(&found?.path) {
                return Ok(Self {
                    path: path.to_owned(),
                    only,
                    source_type: mapping.source_type.unwrap_or(SourceType::EquipmentShape),
                    names: mapping.names,
                    outdir: outdir.map(Path::to_owned),
                });
            }
        }
        Err(Error::new(
            ErrorKind::Source,
            format!("{} contains no images", path.display()),
        )
        .with_hint(match walk.skipped() {
            [] => {
                "only png, jpg, gif, webp and bmp files that are not hidden are read; use --input for \
                 a folder of manifests"
            }
            _ => "folders that labeler-tui wrote are skipped: to label one, give it itself",
        }))
    }

    fn item(&self, found: WalkedFile) -> Result<Item, Said> {
        let image_path = found.relative.to_str().ok_or(NOT_UTF8)?;
        if has_control(image_path) {
            return Err(CONTROL.into());
        }
        let beside = || sidecar(&found.path);
        let stem = || stem(&found.path).filter(|stem| is_name(stem));
        let item_name = match self.names {
            NameSource::None => None,
            NameSource::Stem => stem(),
            NameSource::Sidecar => Some(beside()?.ok_or(NO_SIDECAR)?),
            NameSource::Auto => beside()?.or_else(stem),
        };
        Ok(Item {
            image_path: image_path.to_owned(),
            file: Some(found.path.into()),
            claimed_sha256: None,
            source_type: self.source_type,
            item_name: item_name.unwrap_or_default(),
            item_description: None,
            item_part: None,
            image_url: None,
            ocid: None,
            ranking: None,
        })
    }
}

impl ItemSource for Folder {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        if !is_selected(self.only, self.source_type) {
            return Ok(());
        }
        let mut walk = Walk::new(&self.path, self.outdir.as_deref())?;
        for found in walk.by_ref() {
            let found = found?;
            if !is_image(&found.path) {
                continue;
            }
            let place = found.relative.display().to_string();
            let event = match self.item(found) {
                Ok(item) => RowEvent::Item(item.into()),
                Err(what) => RowEvent::Refused(Note {
                    file: self.path.clone(),
                    place,
                    what,
                }),
            };
            if sink(event).is_break() {
                return Ok(());
            }
        }
        let folders = walk.skipped().iter();
        let folders = folders.filter(|path| self.path.join(path).is_dir());
        let folders: Vec<PathBuf> = folders.cloned().collect();
        if let Some(warning) = skipped_warning(&self.path, &folders) {
            // It was the last event.
            let _ = sink(warning);
        }
        Ok(())
    }
}

/// Whether a path has the extension of a supported image format.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(is_image_extension)
}

pub fn is_image_extension(extension: &str) -> bool {
    let mut known = EXTENSIONS.iter();
    known.any(|known| known.eq_ignore_ascii_case(extension))
}

fn stem(path: &Path) -> Option<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    one_line(stem.map(str::to_owned))
}
