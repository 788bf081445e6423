//! The traits of dataset formats.

use crate::error::Result;
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, ImageName, Split};
use crate::export::dataset::options::DatasetOptions;
use crate::export::dataset::shards::Shards;

/// A dataset format.
pub trait Format {
    /// Value of `--format`.
    fn name(&self) -> &'static str;

    /// Describes the files and the programs that read them.
    fn describe(&self) -> &'static str;

    /// Checks, before anything is written, that an image can be exported.
    ///
    /// # Errors
    /// Of kind `Usage`, which says what to change.
    fn check_image(&self, options: &DatasetOptions, image: &ImageName) -> Result<()> {
        let _ = (options, image);
        Ok(())
    }

    /// Returns the files and folders of a split.
    fn parts(&self, split: &Split) -> Vec<Part>;

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>>;

    /// Whether it refers to images by paths, so that `--paths` applies.
    fn names_paths(&self) -> bool {
        false
    }

    /// Returns the types of the columns as Hugging Face datasets names them in a card, if it cannot
    /// infer them from the files. `image` is the extension of all images.
    fn features(&self, image: &str) -> Option<serde_json::Value> {
        let _ = image;
        None
    }

    /// Returns the pattern of a split's files, for the front matter of the card.
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

/// For formats that have only shards.
impl Writer for Shards<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        Shards::add(self, example)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.close()
    }
}
