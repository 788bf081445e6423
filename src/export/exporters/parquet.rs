//! `labels.parquet`: the same records, with fixed column types even if a column is empty.

use super::exporter::{Exporter, MissingImages};
use crate::error::{Error, ErrorKind, Result};
use crate::export::selection::ExportView;
use crate::export::target::ExportSink;
use crate::outdir::{PARQUET, file_error};
use crate::record::{self, Record};
use crate::store::Content;
use arrow_array::builder::{BooleanBuilder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Number of records per batch.
const BATCH: usize = 4096;

#[derive(Debug)]
pub(super) struct Parquet;

impl Exporter for Parquet {
    fn name(&self) -> &'static str {
        PARQUET
    }

    fn title(&self) -> &'static str {
        "parquet"
    }

    fn describe(&self) -> &'static str {
        "the same records, with --parquet"
    }

    fn content(&self) -> Content {
        Content::Records
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn is_updated_during_run(&self, _: MissingImages) -> bool {
        false
    }

    fn is_always_written(&self) -> bool {
        false
    }

    fn write(&self, view: &ExportView, out: &mut ExportSink) -> Result<()> {
        let target = out.target().to_owned();
        let mut parquet = ParquetFile::create(out, &target)?;
        view.each_record(|record| match record.record()? {
            Some(record) => parquet.push(record),
            None => Ok(()),
        })?;
        parquet.finish()
    }
}

/// A Parquet file that is being written.
struct ParquetFile<'a> {
    writer: ArrowWriter<&'a mut ExportSink>,
    schema: Arc<Schema>,
    pending: Vec<Record>,
    path: &'a Path,
}

impl<'a> ParquetFile<'a> {
    pub fn create(out: &'a mut ExportSink, path: &'a Path) -> Result<Self> {
        let schema = Arc::new(Schema::new(record_fields()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
            .map_err(|error| broken(path, error))?;
        Ok(Self {
            writer,
            schema,
            pending: Vec::new(),
            path,
        })
    }

    pub fn push(&mut self, record: Record) -> Result<()> {
        self.pending.push(record);
        if self.pending.len() >= BATCH {
            self.write_batch()?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        self.write_batch()?;
        let path = self.path;
        self.writer.close().map_err(|error| broken(path, error))?;
        Ok(())
    }

    fn write_batch(&mut self) -> Result<()> {
        let columns = record_columns(&std::mem::take(&mut self.pending))?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| unfit(&error))?;
        self.writer
            .write(&batch)
            .map_err(|error| broken(self.path, error))
    }
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn optional_text(name: &str) -> Field {
    text(name).with_nullable(true)
}

fn list(name: &str) -> Field {
    Field::new_list(name, Field::new_list_field(DataType::Utf8, true), false)
}

/// Columns of the labels. Fields of one JSON object share a struct column.
fn labels_fields() -> Vec<Field> {
    let mut columns = Vec::new();
    for (object, fields) in record::Field::by_object() {
        let fields = fields.iter().map(labels_field);
        match object {
            Some(name) => {
                let fields = DataType::Struct(fields.collect());
                columns.push(Field::new(name, fields, false));
            }
            None => columns.extend(fields),
        }
    }
    columns
}

fn labels_field(field: &record::Field) -> Field {
    match (field.is_list(), field.is_required()) {
        (true, _) => list(field.key()),
        (false, true) => text(field.key()),
        (false, false) => optional_text(field.key()),
    }
}

fn flags_fields() -> Fields {
    Fields::from(vec![
        Field::new("is_uncertain", DataType::Boolean, false),
        list("reasons"),
    ])
}

/// Columns of a record, in the order of its keys.
pub(in crate::export) fn record_fields() -> Vec<Field> {
    let mut fields = vec![
        text("image_path"),
        optional_text("image_sha256"),
        text("source_type"),
        text("item_name"),
        optional_text("item_description"),
    ];
    fields.extend(labels_fields());
    fields.extend([
        Field::new("quality_flags", DataType::Struct(flags_fields()), false),
        text("model"),
        text("prompt_version"),
        text("generated_at"),
    ]);
    fields
}

pub(in crate::export) fn record_columns(records: &[Record]) -> Result<Vec<ArrayRef>> {
    let mut uncertain = BooleanBuilder::new();
    let mut reasons = ListBuilder::new(StringBuilder::new());
    for record in records {
        uncertain.append_value(record.quality_flags.is_uncertain);
        for reason in &record.quality_flags.reasons {
            reasons.values().append_value(reason.code());
        }
        reasons.append(true);
    }
    let flags = StructArray::try_new(
        flags_fields(),
        vec![Arc::new(uncertain.finish()), Arc::new(reasons.finish())],
        None,
    )
    .map_err(|error| unfit(&error))?;
    let mut columns = vec![
        texts(records, |record| Some(&record.image_path)),
        texts(records, |record| record.image_sha256.as_deref()),
        texts(records, |record| Some(record.source_type.as_str())),
        texts(records, |record| Some(&record.item_name)),
        texts(records, |record| record.item_description.as_deref()),
    ];
    columns.extend(labels_columns(records)?);
    columns.extend([
        Arc::new(flags),
        texts(records, |record| Some(&record.model)),
        texts(records, |record| Some(&record.prompt_version)),
        texts(records, |record| Some(&record.generated_at)),
    ]);
    Ok(columns)
}

fn labels_columns(records: &[Record]) -> Result<Vec<ArrayRef>> {
    let column = |field: record::Field| match field.is_list() {
        true => lists(records, |record| record.labels.values(field)),
        false if field.is_required() => texts(records, |record| {
            Some(record.labels.text(field).unwrap_or_default())
        }),
        false => texts(records, |record| record.labels.text(field)),
    };
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (object, fields) in record::Field::by_object() {
        let arrays = fields.iter().map(|&field| column(field));
        match object {
            Some(_) => {
                let described = fields.iter().map(labels_field).collect();
                let array = StructArray::try_new(described, arrays.collect(), None)
                    .map_err(|error| unfit(&error))?;
                columns.push(Arc::new(array));
            }
            None => columns.extend(arrays),
        }
    }
    Ok(columns)
}

fn texts(records: &[Record], of: impl Fn(&Record) -> Option<&str>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for record in records {
        builder.append_option(of(record));
    }
    Arc::new(builder.finish())
}

fn lists(records: &[Record], of: impl Fn(&Record) -> &[String]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for record in records {
        for text in of(record) {
            builder.values().append_value(text);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

pub(in crate::export) fn unfit(error: &ArrowError) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("building Parquet columns: {error}"),
    )
}

pub(in crate::export) fn broken(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => file_error("writing", path)(*inner),
            Err(inner) => Error::new(
                ErrorKind::Store,
                format!("writing {}: {inner}", path.display()),
            ),
        },
        error => Error::new(
            ErrorKind::Store,
            format!("writing {}: {error}", path.display()),
        ),
    }
}
