//! `parquet-images`: Parquet shards with embedded images, and the feature types that Hugging Face
//! datasets needs to show them.

use super::format::{Format, Writer};
use crate::error::{Context, ErrorKind, Result};
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, Split};
use crate::export::dataset::shards::{Shard, Shards};
use crate::export::exporters::parquet::{broken, record_columns, record_fields, unfit};
use crate::export::target::{ExportSink, Target};
use crate::record::Record;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Number of rows in a row group, which readers load at once.
const ROWS: usize = 1000;

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
    let (sink, target) = split.destination.begin_file(name)?.into_parts();
    let schema = Arc::new(schema()?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties))
        .map_err(|error| broken(target.path(), error))?;
    Ok(Box::new(ParquetShard {
        target,
        schema,
        writer,
        pending: PendingRows::default(),
    }))
}

/// Rows that are not written yet.
#[derive(Default)]
struct PendingRows {
    images: Vec<Vec<u8>>,
    names: Vec<String>,
    captions: Vec<Vec<String>>,
    records: Vec<Record>,
}

struct ParquetShard {
    target: Target,
    schema: Arc<Schema>,
    writer: ArrowWriter<ExportSink>,
    pending: PendingRows,
}

impl ParquetShard {
    fn write_pending(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.records.is_empty() {
            return Ok(());
        }
        let path = self.target.path();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(&pending)?)
            .map_err(|error| unfit(&error))?;
        self.writer
            .write(&batch)
            .and_then(|()| self.writer.flush())
            .map_err(|error| broken(path, error))
    }
}

impl Shard for ParquetShard {
    fn add(&mut self, example: &Example) -> Result<()> {
        self.pending.images.push(example.bytes.clone());
        self.pending.names.push(example.file_name());
        self.pending.captions.push(example.captions.clone());
        self.pending.records.push(example.record.clone());
        match self.pending.records.len() >= ROWS {
            true => self.write_pending(),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_pending()?;
        let path = self.target.path().to_owned();
        let sink = self.writer.into_inner();
        let sink = sink.map_err(|error| broken(&path, error))?;
        self.target.replace(sink.finish()?)
    }
}

fn image_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

fn fields() -> Vec<Field> {
    let caption = Field::new_list_field(DataType::Utf8, true);
    let mut fields = vec![
        Field::new("image", DataType::Struct(image_fields()), true),
        Field::new("text", DataType::Utf8, true),
        Field::new_list("captions", caption, true),
    ];
    fields.extend(record_fields());
    fields
}

fn schema() -> Result<Schema> {
    let fields = fields();
    let features: Map<String, Value> = fields
        .iter()
        .map(|field| (field.name().clone(), feature(field)))
        .collect();
    let about = json!({ "info": { "features": features } });
    let about = serde_json::to_string(&about)
        .context(ErrorKind::Internal, "describing the Parquet columns")?;
    let metadata = HashMap::from([("huggingface".to_owned(), about)]);
    Ok(Schema::new_with_metadata(fields, metadata))
}

/// Returns the Hugging Face feature type of a column. Lists use the old notation, which old and new
/// versions of the library read.
fn feature(field: &Field) -> Value {
    match field.data_type() {
        DataType::Struct(_) if field.name() == "image" => json!({ "_type": "Image" }),
        DataType::Struct(inner) => Value::Object(
            inner
                .iter()
                .map(|field| (field.name().clone(), feature(field)))
                .collect(),
        ),
        DataType::List(inner) => json!([feature(inner)]),
        DataType::Boolean => json!({ "dtype": "bool", "_type": "Value" }),
        _ => json!({ "dtype": "string", "_type": "Value" }),
    }
}

fn columns(rows: &PendingRows) -> Result<Vec<ArrayRef>> {
    let images = BinaryArray::from_iter_values(&rows.images);
    let names = StringArray::from_iter_values(&rows.names);
    let images = StructArray::try_new(
        image_fields(),
        vec![Arc::new(images), Arc::new(names)],
        None,
    )
    .map_err(|error| unfit(&error))?;
    let texts = rows.captions.iter().map(|captions| captions.first());
    let texts: StringArray = texts.collect();
    let mut captions = ListBuilder::new(StringBuilder::new());
    for all in &rows.captions {
        for caption in all {
            captions.values().append_value(caption);
        }
        captions.append(true);
    }
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(images),
        Arc::new(texts),
        Arc::new(captions.finish()),
    ];
    columns.extend(record_columns(&rows.records)?);
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_declares_the_image_column_to_hugging_face() {
        let schema = schema().unwrap();
        let about: Value = serde_json::from_str(&schema.metadata["huggingface"]).unwrap();
        let features = &about["info"]["features"];
        assert_eq!(features["image"]["_type"], "Image");
        assert_eq!(features["tags_ko"][0]["dtype"], "string");
        assert_eq!(features["quality_flags"]["is_uncertain"]["dtype"], "bool");
        assert_eq!(features["attributes"]["colors"][0]["dtype"], "string");
    }
}
