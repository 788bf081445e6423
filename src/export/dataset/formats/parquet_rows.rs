//! A Parquet file of captions and records, with the image or its file name in the first column.

use crate::error::{Context, ErrorKind, Result};
use crate::export::dataset::example::Example;
use crate::export::dataset::pending::PendingFile;
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

/// The first column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageColumn {
    /// `image`: the bytes of the image.
    Bytes,
    /// `file_name`: where the image is.
    FileName,
}

/// Rows that are not written yet.
#[derive(Default)]
struct PendingRows {
    /// Empty if the images are in files of their own.
    images: Vec<Vec<u8>>,
    names: Vec<String>,
    captions: Vec<Vec<String>>,
    records: Vec<Record>,
}

/// A file that is being written.
pub(super) struct ParquetRows {
    image: ImageColumn,
    target: Target,
    schema: Arc<Schema>,
    writer: ArrowWriter<ExportSink>,
    pending: PendingRows,
}

impl ParquetRows {
    pub fn begin(file: PendingFile, image: ImageColumn) -> Result<Self> {
        let (sink, target) = file.into_parts();
        let schema = Arc::new(schema(image)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties))
            .map_err(|error| broken(target.path(), error))?;
        Ok(Self {
            image,
            target,
            schema,
            writer,
            pending: PendingRows::default(),
        })
    }

    /// Adds an example whose image has this file name.
    pub fn add(&mut self, example: &Example, file_name: String) -> Result<()> {
        let pending = &mut self.pending;
        if self.image == ImageColumn::Bytes {
            pending.images.push(example.bytes.clone());
        }
        pending.names.push(file_name);
        pending.captions.push(example.captions.clone());
        pending.records.push(example.record.clone());
        match pending.records.len() >= ROWS {
            true => self.write_pending(),
            false => Ok(()),
        }
    }

    pub fn finish(mut self) -> Result<()> {
        self.write_pending()?;
        let path = self.target.path().to_owned();
        let sink = self.writer.into_inner();
        let sink = sink.map_err(|error| broken(&path, error))?;
        self.target.replace(sink.finish()?)
    }

    fn write_pending(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.records.is_empty() {
            return Ok(());
        }
        let path = self.target.path();
        let columns = columns(&pending, self.image)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| unfit(&error))?;
        self.writer
            .write(&batch)
            .and_then(|()| self.writer.flush())
            .map_err(|error| broken(path, error))
    }
}

fn image_fields() -> Fields {
    Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ])
}

fn schema(image: ImageColumn) -> Result<Schema> {
    let caption = Field::new_list_field(DataType::Utf8, true);
    let mut fields = vec![
        match image {
            ImageColumn::Bytes => Field::new("image", DataType::Struct(image_fields()), true),
            ImageColumn::FileName => Field::new("file_name", DataType::Utf8, true),
        },
        Field::new("text", DataType::Utf8, true),
        Field::new_list("captions", caption, true),
    ];
    fields.extend(record_fields());
    if image == ImageColumn::FileName {
        return Ok(Schema::new(fields));
    }
    // Tells Hugging Face datasets that the first column is an image.
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

fn columns(rows: &PendingRows, image: ImageColumn) -> Result<Vec<ArrayRef>> {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(&rows.names));
    let first = match image {
        ImageColumn::FileName => names,
        ImageColumn::Bytes => {
            let images: ArrayRef = Arc::new(BinaryArray::from_iter_values(&rows.images));
            let images = StructArray::try_new(image_fields(), vec![images, names], None);
            Arc::new(images.map_err(|error| unfit(&error))?)
        }
    };
    let texts = rows.captions.iter().map(|captions| captions.first());
    let texts: StringArray = texts.collect();
    let mut captions = ListBuilder::new(StringBuilder::new());
    for all in &rows.captions {
        for caption in all {
            captions.values().append_value(caption);
        }
        captions.append(true);
    }
    let mut columns: Vec<ArrayRef> = vec![first, Arc::new(texts), Arc::new(captions.finish())];
    columns.extend(record_columns(&rows.records)?);
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_declares_the_image_column_to_hugging_face() {
        let schema = schema(ImageColumn::Bytes).unwrap();
        let about: Value = serde_json::from_str(&schema.metadata["huggingface"]).unwrap();
        let features = &about["info"]["features"];
        assert_eq!(features["image"]["_type"], "Image");
        assert_eq!(features["tags_ko"][0]["dtype"], "string");
        assert_eq!(features["quality_flags"]["is_uncertain"]["dtype"], "bool");
        assert_eq!(features["attributes"]["colors"][0]["dtype"], "string");
    }
}
