//! `jsonl`: records with their captions, and paths that lead to the images from anywhere, or from
//! the dataset.

use super::format::{Format, Writer};
use super::table::{Located, located_files};
use crate::error::{Context, ErrorKind, Result};
use crate::export::dataset::destination::PendingFile;
use crate::export::dataset::example::{Example, Split};
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

    fn files(&self, split: &Split) -> Vec<String> {
        located_files(split, lines(split))
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(Lines {
            images: Located::new(split),
            rows: split.destination.begin_file(&lines(split))?,
        }))
    }
}

fn lines(split: &Split) -> String {
    format!("{}.jsonl", split.name)
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    record: Record,
    captions: &'a [String],
}

struct Lines<'a> {
    images: Located<'a>,
    rows: PendingFile,
}

impl Writer for Lines<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        let row = serde_json::to_string(&Row {
            record: Record {
                image_path: self.images.locate(example)?,
                ..example.record.clone()
            },
            captions: &example.captions,
        });
        self.rows
            .sink
            .line(&row.context(ErrorKind::Internal, "writing a row")?)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.images.close()?;
        self.rows.finish()
    }
}
