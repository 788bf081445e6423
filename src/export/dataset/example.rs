//! Examples and splits of a dataset.

use super::destination::Destination;
use super::images::Images;
use super::options::DatasetOptions;
use crate::record::Record;
use std::path::PathBuf;

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
    /// Path of the image; `None` if it is not a separate file.
    pub file: Option<PathBuf>,
    /// The image to write.
    pub bytes: Vec<u8>,
    /// File extension of the written image.
    pub extension: &'static str,
}

impl Example {
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
}
