//! `imagefolder`: a folder of images for each split, with `metadata.jsonl`, or `metadata.parquet` if
//! there are several splits.
//!
//! Hugging Face datasets infers the types of JSON columns from each split alone and refuses splits
//! that differ, as when all lists of a column are empty in one of them. Parquet has the types.

use super::format::{Format, Writer};
use super::parquet_rows::{ImageColumn, ParquetRows};
use crate::error::Result;
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::pending::PendingFile;
use crate::export::dataset::shards::{Shards, folder, images};
use crate::record::Record;
use serde::Serialize;

pub struct ImageFolder;

impl Format for ImageFolder {
    fn name(&self) -> &'static str {
        "imagefolder"
    }

    fn describe(&self) -> &'static str {
        "folders of images with their metadata, for Hugging Face datasets"
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        let folders = (0..split.shard_count()).map(|number| folder(split, number));
        folders.chain([Part::file(metadata(split))]).collect()
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        let file = split.destination.begin_file(&metadata(split))?;
        let rows: Box<dyn MetadataFile> = match has_typed_metadata(split) {
            true => Box::new(ParquetRows::begin(file, ImageColumn::FileName)?),
            false => Box::new(file),
        };
        Ok(Box::new(ImageFolderWriter {
            images: Shards::new(split, folder, images),
            rows,
        }))
    }

    fn data_files(&self, split: &str) -> Option<String> {
        Some(format!("{split}/**"))
    }
}

fn metadata(split: &Split) -> String {
    let extension = match has_typed_metadata(split) {
        true => "parquet",
        false => "jsonl",
    };
    format!("{}/metadata.{extension}", split.name)
}

fn has_typed_metadata(split: &Split) -> bool {
    split.options.splits.len() > 1
}

/// The metadata of a split that is being written.
trait MetadataFile {
    /// Adds an example whose image has this path, relative to the file.
    fn add(&mut self, example: &Example, file_name: String) -> Result<()>;

    fn finish(self: Box<Self>) -> Result<()>;
}

/// A line of `metadata.jsonl`. `file_name` is relative to that file.
#[derive(Serialize)]
struct MetadataRow<'a> {
    file_name: String,
    text: &'a str,
    captions: &'a [String],
    #[serde(flatten)]
    record: &'a Record,
}

impl MetadataFile for PendingFile {
    fn add(&mut self, example: &Example, file_name: String) -> Result<()> {
        self.json_line(&MetadataRow {
            file_name,
            text: example.text(),
            captions: &example.captions,
            record: &example.record,
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        PendingFile::finish(*self)
    }
}

impl MetadataFile for ParquetRows {
    fn add(&mut self, example: &Example, file_name: String) -> Result<()> {
        ParquetRows::add(self, example, file_name)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        ParquetRows::finish(*self)
    }
}

struct ImageFolderWriter<'a> {
    images: Shards<'a>,
    rows: Box<dyn MetadataFile>,
}

impl Writer for ImageFolderWriter<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.images.add(example)?;
        let file_name = format!("{:04}/{}", self.images.number(), example.file_name());
        self.rows.add(example, file_name)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.images.close()?;
        self.rows.finish()
    }
}
