//! What a form of a dataset has to do.

use crate::error::Result;
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::shards::Shards;

/// A form of a dataset.
pub trait Format {
    /// After `--format`.
    fn name(&self) -> &'static str;

    /// Who reads it.
    fn describe(&self) -> &'static str;

    /// The files and folders that a split is made of, by their paths in the destination.
    fn files(&self, split: &Split) -> Vec<String>;

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>>;

    /// Whether it names images by their paths, which can be chosen.
    fn names_paths(&self) -> bool {
        false
    }

    /// For the card of the Hugging Face hub: which files hold a split.
    fn data_files(&self, split: &str) -> Option<String> {
        let _ = split;
        None
    }
}

/// Writes one split.
pub trait Writer {
    fn add(&mut self, example: &Example) -> Result<()>;

    fn finish(self: Box<Self>) -> Result<()>;
}

/// A split that is its shards and nothing beside them.
impl Writer for Shards<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        Shards::add(self, example)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.close()
    }
}
