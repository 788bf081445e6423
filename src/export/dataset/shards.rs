//! Parts of a split, each written whole or not at all.

use super::destination::PendingFolder;
use super::example::{Example, Split};
use crate::error::Result;

/// One part while it is written.
pub(super) trait Shard {
    fn add(&mut self, example: &Example) -> Result<()>;

    /// Puts it in its place.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Spreads the examples of a split over shards of one size, and passes over those that an earlier
/// run has written.
pub(super) struct Shards<'a> {
    split: &'a Split<'a>,
    name: fn(&Split, usize) -> String,
    begin: fn(&'a Split<'a>, &str) -> Result<Box<dyn Shard + 'a>>,
    added: usize,
    current: Option<Box<dyn Shard + 'a>>,
}

impl<'a> Shards<'a> {
    /// `name` gives the n-th shard's path in the destination, `begin` starts to write it.
    pub fn new(
        split: &'a Split<'a>,
        name: fn(&Split, usize) -> String,
        begin: fn(&'a Split<'a>, &str) -> Result<Box<dyn Shard + 'a>>,
    ) -> Self {
        Self {
            split,
            name,
            begin,
            added: 0,
            current: None,
        }
    }

    pub fn add(&mut self, example: &Example) -> Result<()> {
        let size = self.split.options.shard_size;
        if self.added.is_multiple_of(size) {
            self.close()?;
            let name = (self.name)(self.split, self.added / size);
            if !self.split.destination.has(&name) {
                self.current = Some((self.begin)(self.split, &name)?);
            }
        }
        self.added += 1;
        match &mut self.current {
            Some(shard) => shard.add(example),
            None => Ok(()),
        }
    }

    pub fn close(&mut self) -> Result<()> {
        match self.current.take() {
            Some(shard) => shard.finish(),
            None => Ok(()),
        }
    }

    /// The number of the shard that the newest example is in.
    pub fn number(&self) -> usize {
        self.added.saturating_sub(1) / self.split.options.shard_size
    }
}

/// The path of a split's n-th folder of images.
pub(super) fn folder(split: &Split, number: usize) -> String {
    format!("{}/{number:04}", split.name)
}

/// A folder of images, each with its captions in a text file beside it where that is asked for.
struct Images<'a> {
    split: &'a Split<'a>,
    folder: PendingFolder,
    with_text: bool,
}

pub(super) fn images<'a>(split: &'a Split<'a>, name: &str) -> Result<Box<dyn Shard + 'a>> {
    Ok(Box::new(Images {
        split,
        folder: split.destination.begin_folder(name)?,
        with_text: false,
    }))
}

pub(super) fn images_with_text<'a>(
    split: &'a Split<'a>,
    name: &str,
) -> Result<Box<dyn Shard + 'a>> {
    Ok(Box::new(Images {
        split,
        folder: split.destination.begin_folder(name)?,
        with_text: true,
    }))
}

impl Shard for Images<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        let pictures = self.split.pictures;
        let bytes = pictures.written(&example.record.image_path, &example.bytes)?;
        self.folder.write(&example.file_name(), &bytes)?;
        match self.with_text {
            true => {
                let text = example.captions.join("\n") + "\n";
                self.folder
                    .write(&format!("{}.txt", example.key), text.as_bytes())
            }
            false => Ok(()),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.folder.finish()
    }
}
