//! Shards of a split, each written atomically.

use super::destination::Part;
use super::example::{Example, Split};
use super::pending::PendingFolder;
use crate::error::Result;

/// A shard that is being written.
pub(super) trait Shard {
    fn add(&mut self, example: &Example) -> Result<()>;

    /// Installs the shard under its final name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Distributes the examples of a split over shards of equal size. Skips shards that an earlier run
/// wrote.
pub(super) struct Shards<'a> {
    split: &'a Split<'a>,
    part: fn(&Split, usize) -> Part,
    begin: fn(&'a Split<'a>, &str) -> Result<Box<dyn Shard + 'a>>,
    added: usize,
    current: Option<Box<dyn Shard + 'a>>,
}

impl<'a> Shards<'a> {
    /// `part` returns the n-th shard, `begin` starts to write the one of a name.
    pub fn new(
        split: &'a Split<'a>,
        part: fn(&Split, usize) -> Part,
        begin: fn(&'a Split<'a>, &str) -> Result<Box<dyn Shard + 'a>>,
    ) -> Self {
        Self {
            split,
            part,
            begin,
            added: 0,
            current: None,
        }
    }

    pub fn add(&mut self, example: &Example) -> Result<()> {
        let size = self.split.options.shard_size;
        if self.added.is_multiple_of(size) {
            self.close()?;
            let part = (self.part)(self.split, self.added / size);
            if !self.split.destination.has(&part) {
                self.current = Some((self.begin)(self.split, &part.name)?);
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

    /// Returns the number of the newest example's shard.
    pub fn number(&self) -> usize {
        self.added.saturating_sub(1) / self.split.options.shard_size
    }
}

/// Returns a split's n-th folder of images.
pub(super) fn folder(split: &Split, number: usize) -> Part {
    Part::folder(folder_name(split, number), split.shard_len(number))
}

/// Returns a split's n-th folder of images with their texts.
pub(super) fn folder_with_text(split: &Split, number: usize) -> Part {
    Part::folder(folder_name(split, number), 2 * split.shard_len(number))
}

fn folder_name(split: &Split, number: usize) -> String {
    format!("{}/{number:04}", split.name)
}

/// A folder of images, each optionally with its captions in a text file of the same name.
struct ImageShard {
    folder: PendingFolder,
    with_text: bool,
}

pub(super) fn images<'a>(split: &'a Split<'a>, name: &str) -> Result<Box<dyn Shard + 'a>> {
    Ok(Box::new(ImageShard {
        folder: split.destination.begin_folder(name)?,
        with_text: false,
    }))
}

pub(super) fn images_with_text<'a>(
    split: &'a Split<'a>,
    name: &str,
) -> Result<Box<dyn Shard + 'a>> {
    Ok(Box::new(ImageShard {
        folder: split.destination.begin_folder(name)?,
        with_text: true,
    }))
}

impl Shard for ImageShard {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.folder.write(&example.file_name(), &example.bytes)?;
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
