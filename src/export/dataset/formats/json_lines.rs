//! `jsonl`: records with their captions, and absolute or relative paths to the images.

use super::format::{Format, Writer};
use super::table::{ImagePaths, check_path, parts_with_images};
use crate::error::Result;
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, ImageName, Split};
use crate::export::dataset::options::DatasetOptions;
use crate::export::dataset::pending::PendingFile;
use crate::record::Record;
use serde::Serialize;

pub struct JsonLines;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn describe(&self) -> &'static str {
        "records with captions and paths to the images"
    }

    fn names_paths(&self) -> bool {
        true
    }

    fn check_image(&self, options: &DatasetOptions, image: &ImageName) -> Result<()> {
        check_path(options, image)
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        parts_with_images(split, lines(split))
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(LinesWriter {
            images: ImagePaths::new(split),
            rows: split.destination.begin_file(&lines(split))?,
        }))
    }
}

fn lines(split: &Split) -> String {
    format!("{}.jsonl", split.name)
}

#[derive(Serialize)]
struct JsonRow<'a> {
    #[serde(flatten)]
    record: Record,
    captions: &'a [String],
}

struct LinesWriter<'a> {
    images: ImagePaths<'a>,
    rows: PendingFile,
}

impl Writer for LinesWriter<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.rows.json_line(&JsonRow {
            record: Record {
                image_path: self.images.resolve(example)?,
                ..example.record.clone()
            },
            captions: &example.captions,
        })
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.images.close()?;
        self.rows.finish()
    }
}
