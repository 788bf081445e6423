//! Finds the images of records, checks that they are unchanged since they were labeled, and
//! prepares them for a dataset.

use super::options::DatasetOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::icon;
use crate::record::{Background, FailureCode, GroupId, Record};
use crate::source::image_bytes;
use crate::store::Journal;
use std::borrow::Cow;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// Digits of the hash in the name of an example's files.
const KEY_DIGITS: usize = 16;

/// The name of an example's files, without the extension.
pub(super) fn key(sha256: &str) -> String {
    sha256.chars().take(KEY_DIGITS).collect()
}

/// Whether a file has the name of an example's file.
fn is_example(entry: &DirEntry) -> io::Result<bool> {
    let file_name = entry.file_name();
    let key = file_name.to_str().and_then(|name| name.split_once('.'));
    let has_key = key.is_some_and(|(key, _)| {
        key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    Ok(has_key && !entry.file_type()?.is_dir())
}

/// Returns the number of examples' files in a folder.
pub(super) fn count_examples(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        count += usize::from(is_example(&entry?)?);
    }
    Ok(count)
}

/// Removes the files of examples from a folder, and the folder unless it contains others.
pub(super) fn remove_examples(folder: &Path) -> io::Result<()> {
    let mut is_empty = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match is_example(&entry)? {
            true => fs::remove_file(entry.path())?,
            false => is_empty = false,
        }
    }
    match is_empty {
        true => fs::remove_dir(folder),
        false => Ok(()),
    }
}

/// Where images are and how they are written.
#[derive(Debug)]
pub(super) struct Images {
    /// The folder of `--images`, instead of the paths that the source found.
    base: Option<PathBuf>,
    /// What transparent pixels show and the enlargement, if images are written in another form than
    /// their files.
    changed: Option<(Background, u32)>,
}

/// An image as it is on disk.
pub(super) struct FoundImage {
    pub bytes: Vec<u8>,
    pub sha256: String,
    /// `None` if the image is not a separate file.
    pub file: Option<PathBuf>,
}

/// Why a record's image cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    Missing,
    Unreadable,
    /// It has other bytes than the image that was labeled.
    Changed,
}

impl Images {
    pub fn new(options: &DatasetOptions) -> Self {
        Self {
            // A path that cannot be made absolute is used as it is.
            base: options
                .images
                .as_ref()
                .map(|base| std::path::absolute(base).unwrap_or_else(|_| base.clone())),
            changed: options
                .changes_images()
                .then(|| (options.flatten.unwrap_or_default(), options.upscale)),
        }
    }

    /// Reads the image of a record.
    pub fn find(
        &self,
        journal: &Journal,
        group: GroupId,
        record: &Record,
    ) -> Result<FoundImage, Unusable> {
        let (item, sha256) = journal.item(group).map_err(|_| Unusable::Unreadable)?;
        let file = match &self.base {
            Some(base) => base.join(&record.image_path).into(),
            None => item.file.ok_or(Unusable::Missing)?,
        };
        let bytes = image_bytes(&file).map_err(|failure| match failure.code {
            FailureCode::MissingImage => Unusable::Missing,
            _ => Unusable::Unreadable,
        })?;
        let built_in = matches!(bytes, Cow::Borrowed(_));
        let found = icon::sha256(&bytes);
        let labeled = record.image_sha256.as_ref().or(sha256.as_ref());
        if labeled.is_some_and(|labeled| !labeled.eq_ignore_ascii_case(&found)) {
            return Err(Unusable::Changed);
        }
        if icon::extension(&bytes).is_none() {
            return Err(Unusable::Unreadable);
        }
        Ok(FoundImage {
            bytes: bytes.into_owned(),
            sha256: found,
            file: file.own_file().filter(|_| !built_in).map(Path::to_owned),
        })
    }

    /// Whether images are written in another form than their files.
    pub fn are_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// Checks that an image can be written.
    pub fn check(&self, image: &FoundImage) -> Result<(), Unusable> {
        match self.changed {
            Some(_) if icon::decode(&image.bytes).is_err() => Err(Unusable::Unreadable),
            _ => Ok(()),
        }
    }

    /// Returns the bytes to write: the original file, or the enlarged image that the model saw.
    pub fn written(&self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let Some((background, upscale)) = self.changed else {
            return Ok(bytes);
        };
        let failed =
            |error: Error| Error::new(ErrorKind::Image, format!("{name}: {}", error.cause));
        let icon = icon::decode(&bytes).map_err(|detail| failed(detail.into_error()))?;
        let picture = icon::picture(&icon, upscale, background);
        icon::to_png(&picture).map_err(failed)
    }
}
