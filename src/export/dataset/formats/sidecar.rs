//! `sidecar`: images, each with its captions in a text file of the same name.

use super::format::{Format, Writer};
use crate::error::Result;
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::Split;
use crate::export::dataset::shards::{Shards, folder_with_text, images_with_text};

pub struct Sidecar;

impl Format for Sidecar {
    fn name(&self) -> &'static str {
        "sidecar"
    }

    fn describe(&self) -> &'static str {
        "images, each with its captions in a .txt file of the same name"
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        (0..split.shard_count())
            .map(|number| folder_with_text(split, number))
            .collect()
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(Shards::new(
            split,
            folder_with_text,
            images_with_text,
        )))
    }
}
