//! `imagefolder`: a folder of images for each split, with `metadata.jsonl`.

use super::format::{Format, Writer};
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
        "folders of images with metadata.jsonl, for Hugging Face datasets"
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        let folders = (0..split.shard_count()).map(|number| folder(split, number));
        folders.chain([Part::file(metadata(split))]).collect()
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(ImageFolderWriter {
            images: Shards::new(split, folder, images),
            rows: split.destination.begin_file(&metadata(split))?,
        }))
    }

    fn data_files(&self, split: &str) -> Option<String> {
        Some(format!("{split}/**"))
    }
}

fn metadata(split: &Split) -> String {
    format!("{}/metadata.jsonl", split.name)
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

struct ImageFolderWriter<'a> {
    images: Shards<'a>,
    rows: PendingFile,
}

impl Writer for ImageFolderWriter<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.images.add(example)?;
        self.rows.json_line(&MetadataRow {
            file_name: format!("{:04}/{}", self.images.number(), example.file_name()),
            text: example.text(),
            captions: &example.captions,
            record: &example.record,
        })
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.images.close()?;
        self.rows.finish()
    }
}
