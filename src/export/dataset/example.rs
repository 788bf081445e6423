//! What is written: images with what is said of them, in splits.

use super::destination::Destination;
use super::pictures::Pictures;
use crate::record::Record;
use crate::settings::DatasetOptions;
use std::path::PathBuf;

/// What an export is doing: the pass, and how many images of how many it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub writes: bool,
    pub done: usize,
    pub total: usize,
}

/// One image of a dataset with what is said of it.
pub(super) struct Example {
    /// A file's name without its end: the first 16 hex digits of the image's SHA-256.
    pub key: String,
    pub record: Record,
    /// At least one; the first is the text where a format has room for one.
    pub captions: Vec<String>,
    /// Where the image is now; `None` for one that has no file of its own.
    pub file: Option<PathBuf>,
    /// The image's bytes as they are there.
    pub bytes: Vec<u8>,
    /// Of the image as it is written.
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

/// One split while it is written.
pub(super) struct Split<'a> {
    pub name: &'a str,
    /// Images in it.
    pub count: usize,
    pub options: &'a DatasetOptions,
    pub pictures: &'a Pictures,
    pub destination: &'a Destination,
}

impl Split<'_> {
    pub fn shard_count(&self) -> usize {
        self.count.div_ceil(self.options.shard_size)
    }
}
