//! The forms of a dataset, one file each.

mod image_folder;
mod json_lines;
mod parquet_images;
mod sidecar;
mod table;
mod web_dataset;

use super::{Example, Split};
use crate::error::Result;

/// A form of a dataset.
pub(super) trait Format {
    /// After `--format`.
    fn name(&self) -> &'static str;

    /// Who reads it.
    fn describe(&self) -> &'static str;

    /// The files and folders that a split is made of, by their paths in the destination.
    fn files(&self, split: &Split) -> Vec<String>;

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>>;

    /// For the card of the Hugging Face hub: which files hold a split.
    fn data_files(&self, split: &str) -> Option<String> {
        let _ = split;
        None
    }
}

/// Writes one split.
pub(super) trait Writer {
    fn add(&mut self, example: &Example) -> Result<()>;

    fn finish(self: Box<Self>) -> Result<()>;
}

pub(super) fn formats() -> [Box<dyn Format>; 7] {
    [
        Box::new(image_folder::ImageFolder),
        Box::new(parquet_images::ParquetImages),
        Box::new(web_dataset::WebDataset),
        Box::new(table::Table::csv()),
        Box::new(table::Table::tsv()),
        Box::new(sidecar::Sidecar),
        Box::new(json_lines::JsonLines),
    ]
}
