//! `parquet-images`: Parquet shards with embedded images, and the feature types that Hugging Face
//! datasets needs to show them.

use super::format::{Format, Writer};
use super::parquet_rows::{ImageColumn, ParquetRows};
use crate::error::Result;
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::shards::{Shard, Shards};

pub struct ParquetImages;

impl Format for ParquetImages {
    fn name(&self) -> &'static str {
        "parquet-images"
    }

    fn describe(&self) -> &'static str {
        "Parquet shards with the images in them, for Hugging Face datasets"
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        (0..split.shard_count())
            .map(|number| shard(split, number))
            .collect()
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(Shards::new(split, shard, begin)))
    }

    fn data_files(&self, split: &str) -> Option<String> {
        Some(format!("data/{split}-*"))
    }
}

fn shard(split: &Split, number: usize) -> Part {
    let (name, all) = (split.name, split.shard_count());
    Part::file(format!("data/{name}-{number:05}-of-{all:05}.parquet"))
}

fn begin<'a>(split: &'a Split<'a>, name: &str) -> Result<Box<dyn Shard + 'a>> {
    let file = split.destination.begin_file(name)?;
    Ok(Box::new(ParquetRows::begin(file, ImageColumn::Bytes)?))
}

impl Shard for ParquetRows {
    fn add(&mut self, example: &Example) -> Result<()> {
        ParquetRows::add(self, example, example.file_name())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        ParquetRows::finish(*self)
    }
}
