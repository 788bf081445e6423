//! `webdataset`: tar files with an image, a text and a record for each key, and `sizes.json`, which
//! OpenCLIP reads.

use super::format::{Format, Writer};
use crate::error::{Context, ErrorKind, Result};
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::shards::{Shard, Shards};
use crate::export::exporters::parquet::record_fields;
use crate::export::target::{ExportSink, Target};
use crate::outdir::file_error;
use crate::record::Record;
use arrow_schema::{DataType, Field};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub struct WebDataset;

impl Format for WebDataset {
    fn name(&self) -> &'static str {
        "webdataset"
    }

    fn describe(&self) -> &'static str {
        "tar shards with sizes.json, for OpenCLIP and webdataset"
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        let shards = (0..split.shard_count()).map(|number| shard(split, number));
        shards.chain([Part::file(sizes(split))]).collect()
    }

    fn data_files(&self, split: &str) -> Option<String> {
        Some(format!("{split}/*.tar"))
    }

    fn features(&self, image: &str) -> Option<Value> {
        let text = |name: &str| json!({ "name": name, "dtype": "string" });
        let mut record = vec![
            text("key"),
            json!({ "name": "captions", "sequence": "string" }),
        ];
        record.extend(record_fields().iter().map(feature));
        Some(json!([
            text("__key__"),
            text("__url__"),
            { "name": image, "dtype": "image" },
            text("txt"),
            { "name": "json", "struct": record },
        ]))
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        Ok(Box::new(WebDatasetWriter {
            split,
            shards: Shards::new(split, shard, begin),
        }))
    }
}

/// Returns the type of a column of the record.
fn feature(field: &Field) -> Value {
    let name = field.name();
    match field.data_type() {
        DataType::Struct(inner) => {
            let inner: Vec<Value> = inner.iter().map(|field| feature(field)).collect();
            json!({ "name": name, "struct": inner })
        }
        DataType::List(_) => json!({ "name": name, "sequence": "string" }),
        DataType::Boolean => json!({ "name": name, "dtype": "bool" }),
        _ => json!({ "name": name, "dtype": "string" }),
    }
}

fn shard(split: &Split, number: usize) -> Part {
    Part::file(format!("{}/{}", split.name, file_name(number)))
}

fn file_name(number: usize) -> String {
    format!("{number:05}.tar")
}

fn sizes(split: &Split) -> String {
    format!("{}/sizes.json", split.name)
}

struct WebDatasetWriter<'a> {
    split: &'a Split<'a>,
    shards: Shards<'a>,
}

impl Writer for WebDatasetWriter<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.shards.add(example)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.shards.close()?;
        let shard_sizes = (0..self.split.shard_count())
            .map(|number| (file_name(number), Value::from(self.split.shard_len(number))));
        let all = Value::Object(shard_sizes.collect::<Map<_, _>>());
        let name = sizes(self.split);
        self.split
            .destination
            .write(&name, format!("{all}\n").as_bytes())
    }
}

fn begin<'a>(split: &'a Split<'a>, name: &str) -> Result<Box<dyn Shard + 'a>> {
    let (sink, target) = split.destination.begin_file(name)?.into_parts();
    Ok(Box::new(TarShard {
        target,
        tar: tar::Builder::new(sink),
    }))
}

struct TarShard {
    target: Target,
    tar: tar::Builder<ExportSink>,
}

/// Content of the `.json` file of a key.
#[derive(Serialize)]
struct Metadata<'a> {
    key: &'a str,
    captions: &'a [String],
    #[serde(flatten)]
    record: &'a Record,
}

impl TarShard {
    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.tar
            .append_data(&mut header, name, bytes)
            .map_err(file_error("writing", self.target.path()))
    }
}

impl Shard for TarShard {
    fn add(&mut self, example: &Example) -> Result<()> {
        let about = serde_json::to_vec(&Metadata {
            key: &example.key,
            captions: &example.captions,
            record: &example.record,
        });
        self.append(&example.file_name(), &example.bytes)?;
        self.append(&format!("{}.txt", example.key), example.text().as_bytes())?;
        let about = about.context(ErrorKind::Internal, "writing a record")?;
        self.append(&format!("{}.json", example.key), &about)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let path = self.target.path().to_owned();
        let sink = self
            .tar
            .into_inner()
            .map_err(file_error("writing", &path))?;
        self.target.replace(sink.finish()?)
    }
}
