//! `webdataset`: tar files in which the image, its text and its record of one key follow each
//! other, with `sizes.json` beside them as OpenCLIP reads it.

use super::format::{Format, Writer};
use crate::error::{Context, ErrorKind, Result};
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::shards::{Shard, Shards};
use crate::export::target::{Sink, Target};
use crate::outdir::file;
use crate::record::Record;
use serde::Serialize;
use serde_json::{Map, Value};

pub struct WebDataset;

impl Format for WebDataset {
    fn name(&self) -> &'static str {
        "webdataset"
    }

    fn describe(&self) -> &'static str {
        "tar shards with sizes.json, for OpenCLIP and webdataset"
    }

    fn files(&self, split: &Split) -> Vec<String> {
        let shards = (0..split.shard_count()).map(|number| shard(split, number));
        shards.chain([sizes(split)]).collect()
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(Tars {
            split,
            shards: Shards::new(split, shard, begin),
        }))
    }
}

fn shard(split: &Split, number: usize) -> String {
    format!("{}/{}", split.name, file_of(number))
}

fn file_of(number: usize) -> String {
    format!("{number:05}.tar")
}

fn sizes(split: &Split) -> String {
    format!("{}/sizes.json", split.name)
}

struct Tars<'a> {
    split: &'a Split<'a>,
    shards: Shards<'a>,
}

impl Writer for Tars<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.shards.add(example)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.shards.close()?;
        let size = self.split.options.shard_size;
        let sizes_of = (0..self.split.shard_count()).map(|number| {
            let left = self.split.count - number * size;
            (file_of(number), Value::from(left.min(size)))
        });
        let all = Value::Object(sizes_of.collect::<Map<_, _>>());
        let name = sizes(self.split);
        self.split
            .destination
            .write(&name, format!("{all}\n").as_bytes())
    }
}

fn begin<'a>(split: &'a Split<'a>, name: &str) -> Result<Box<dyn Shard + 'a>> {
    let (sink, target) = split.destination.begin_file(name)?.into_parts();
    Ok(Box::new(Tar {
        split,
        target,
        tar: tar::Builder::new(sink),
    }))
}

struct Tar<'a> {
    split: &'a Split<'a>,
    target: Target,
    tar: tar::Builder<Sink>,
}

/// The `.json` of one key.
#[derive(Serialize)]
struct About<'a> {
    key: &'a str,
    captions: &'a [String],
    #[serde(flatten)]
    record: &'a Record,
}

impl Tar<'_> {
    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.tar
            .append_data(&mut header, name, bytes)
            .map_err(file("writing", self.target.path()))
    }
}

impl Shard for Tar<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        let about = serde_json::to_vec(&About {
            key: &example.key,
            captions: &example.captions,
            record: &example.record,
        });
        let pictures = self.split.pictures;
        let picture = pictures.written(&example.record.image_path, &example.bytes)?;
        self.append(&example.file_name(), &picture)?;
        self.append(&format!("{}.txt", example.key), example.text().as_bytes())?;
        let about = about.context(ErrorKind::Internal, "writing a record")?;
        self.append(&format!("{}.json", example.key), &about)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let path = self.target.path().to_owned();
        let sink = self.tar.into_inner().map_err(file("writing", &path))?;
        self.target.replace(sink.finish()?)
    }
}
