//! The pictures of records: found, compared with what was labeled, and made ready for a dataset.

use crate::error::{Error, ErrorKind, Result};
use crate::icon;
use crate::record::{Background, FailureCode, GroupId, Record};
use crate::settings::DatasetOptions;
use crate::source::image_bytes;
use crate::store::Journal;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Where pictures are and how they are written.
#[derive(Debug)]
pub(super) struct Pictures {
    /// Stands in the place of where the source found them.
    base: Option<PathBuf>,
    flatten: Option<Background>,
    upscale: u32,
}

/// A picture as it is on disk.
pub(super) struct Found {
    pub bytes: Vec<u8>,
    pub sha256: String,
    /// `None` for one that has no file of its own.
    pub file: Option<PathBuf>,
}

/// Why a record's picture cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    Missing,
    Unreadable,
    /// Other bytes than those that were labeled.
    Changed,
}

impl Pictures {
    pub fn new(options: &DatasetOptions) -> Self {
        Self {
            base: options.images.clone(),
            flatten: options.flatten,
            upscale: options.upscale,
        }
    }

    /// The picture that a record was made of.
    pub fn find(
        &self,
        journal: &Journal,
        group: GroupId,
        record: &Record,
    ) -> Result<Found, Unusable> {
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
        Ok(Found {
            bytes: bytes.into_owned(),
            sha256: found,
            file: file.own_file().filter(|_| !built_in).map(Path::to_owned),
        })
    }

    /// Whether pictures are written other than they are.
    pub fn are_changed(&self) -> bool {
        self.flatten.is_some() || self.upscale > 1
    }

    /// Of a picture as it is written.
    pub fn extension(&self, bytes: &[u8]) -> &'static str {
        match self.are_changed() {
            true => "png",
            false => icon::extension(bytes).unwrap_or("bin"),
        }
    }

    /// A picture as it is written: its own bytes, or what the model saw of it.
    pub fn written<'a>(&self, name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        if !self.are_changed() {
            return Ok(Cow::Borrowed(bytes));
        }
        let failed =
            |error: Error| Error::new(ErrorKind::Image, format!("{name}: {}", error.cause));
        let icon = icon::decode(bytes).map_err(failed)?;
        let background = self.flatten.unwrap_or_default();
        let picture = icon::picture(&icon, self.upscale, background);
        Ok(Cow::Owned(icon::to_png(&picture).map_err(failed)?))
    }
}
