//! Examples and splits of a dataset.

use super::destination::Destination;
use super::images::Images;
use super::options::DatasetOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;
use std::path::{Path, PathBuf};

/// Progress of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetProgress {
    /// Whether this is the second pass, which writes.
    pub writes: bool,
    pub done: usize,
    pub total: usize,
}

/// An image of a dataset with its captions and record.
pub(super) struct Example {
    /// File name without extension: the first 16 hex digits of the original image's SHA-256.
    pub key: String,
    /// Its hash is that of the written image.
    pub record: Record,
    /// At least one. Formats with a single text use the first.
    pub captions: Vec<String>,
    /// Path of the original image; `None` if it is not a separate file.
    pub file: Option<PathBuf>,
    /// The image to write.
    pub bytes: Vec<u8>,
    /// File extension of the written image.
    pub extension: &'static str,
}

/// How a dataset that does not contain its images can refer to one.
pub(super) struct ImageName<'a> {
    pub image_path: &'a str,
    /// `None` if it is not a separate file.
    pub file: Option<&'a Path>,
}

impl ImageName<'_> {
    /// Returns the original file.
    pub fn original(&self) -> Result<&Path> {
        self.file.ok_or_else(|| {
            let cause = format!("{} is not a separate file", self.image_path);
            Error::new(ErrorKind::Usage, cause)
                .with_hint("--copy-images writes the images into the dataset")
        })
    }
}

impl Example {
    pub fn name(&self) -> ImageName<'_> {
        ImageName {
            image_path: &self.record.image_path,
            file: self.file.as_deref(),
        }
    }

    pub fn text(&self) -> &str {
        self.captions.first().map_or("", String::as_str)
    }

    pub fn file_name(&self) -> String {
        format!("{}.{}", self.key, self.extension)
    }
}

/// A split that is being written.
pub(super) struct Split<'a> {
    pub name: &'a str,
    /// Number of images.
    pub count: usize,
    pub options: &'a DatasetOptions,
    pub images: &'a Images,
    pub destination: &'a Destination,
}

impl Split<'_> {
    pub fn shard_count(&self) -> usize {
        self.count.div_ceil(self.options.shard_size)
    }

    /// Number of images in the n-th shard.
    pub fn shard_len(&self, number: usize) -> usize {
        let size = self.options.shard_size;
        size.min(self.count.saturating_sub(number * size))
    }
}
