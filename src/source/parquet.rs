//! Manifests in Parquet, read batch by batch.

use super::manifest::Manifest;
use super::row::{OPTIONAL, REQUIRED, Row};
use super::{ItemSource, Sink, cannot_read};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

const BATCH_ROWS: usize = 1024;

#[derive(Debug)]
pub struct Table(Manifest);

impl Table {
    pub fn open(manifest: Manifest) -> Result<Self> {
        let table = Self(manifest);
        table.builder()?;
        Ok(table)
    }

    /// A reader of the known columns, all required ones being there.
    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = self.0.open()?;
        let builder = self.guarded(|| ParquetRecordBatchReaderBuilder::try_new(file))?;
        let has = |name: &str| builder.schema().column_with_name(name).is_some();
        let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() {
            return Err(Error::new(
                ErrorKind::Source,
                format!(
                    "{} lacks the required columns: {}",
                    self.0.path.display(),
                    missing.join(", ")
                ),
            ));
        }
        let row_groups = builder.metadata().row_groups();
        let codecs = row_groups.iter().flat_map(|group| group.columns());
        let unknown = codecs.map(|column| column.compression()).find(|codec| {
            use Compression::{SNAPPY, UNCOMPRESSED, ZSTD};
            !matches!(codec, UNCOMPRESSED | SNAPPY | ZSTD(_))
        });
        if let Some(codec) = unknown {
            let codec = codec.to_string();
            let codec = codec.split('(').next().unwrap_or_default();
            return Err(
                cannot_read(&self.0.path, format!("it is compressed with {codec}"))
                    .with_hint("write it with snappy, zstd or no compression"),
            );
        }
        let known = REQUIRED.into_iter().chain(OPTIONAL);
        let indices: Vec<usize> = known
            .filter_map(|name| Some(builder.schema().column_with_name(name)?.0))
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), indices);
        Ok(builder.with_projection(mask).with_batch_size(BATCH_ROWS))
    }

    /// The parquet crate panics on some damaged files; to us they are only unreadable.
    fn guarded<T, E: Display>(&self, read: impl FnOnce() -> Result<T, E>) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(result) => result.map_err(|error| cannot_read(&self.0.path, error)),
            Err(_) => Err(cannot_read(&self.0.path, "the file is damaged")),
        }
    }
}

impl ItemSource for Table {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let builder = self.builder()?;
        let mut batches = self.guarded(|| builder.build())?;
        let mut number = 0u64;
        while let Some(batch) = self.guarded(|| batches.next().transpose())? {
            let columns = self.guarded(|| Columns::of(&batch))?;
            for index in 0..batch.num_rows() {
                number += 1;
                let place = format_args!("row {number}");
                if self.0.give(Ok(columns.row(index)), &place, sink).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The known columns of a batch, as text whatever their encoding.
struct Columns {
    texts: Vec<(&'static str, StringArray)>,
    ranking: Option<Int64Array>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, String> {
        let column = |name: &'static str, to: &DataType| {
            let Some(column) = batch.column_by_name(name) else {
                return Ok(None);
            };
            let found = column.data_type();
            if found.is_nested() {
                return Err(format!("column {name} holds {found}, not {to}"));
            }
            cast(column, to)
                .map(Some)
                .map_err(|error| format!("column {name}: {error}"))
        };
        let mut texts = Vec::new();
        let names = REQUIRED.into_iter().chain(OPTIONAL);
        for name in names.filter(|&name| name != "ranking") {
            if let Some(values) = column(name, &DataType::Utf8)? {
                texts.push((name, values.as_string::<i32>().clone()));
            }
        }
        let ranking = column("ranking", &DataType::Int64)?
            .map(|values| values.as_primitive::<Int64Type>().clone());
        Ok(Self { texts, ranking })
    }

    fn row(&self, index: usize) -> Row {
        let text = |name: &str| {
            let (_, values) = self.texts.iter().find(|(column, _)| *column == name)?;
            values
                .is_valid(index)
                .then(|| values.value(index).to_owned())
        };
        Row {
            image_path: text("image_path"),
            item_name: text("item_name"),
            source_type: text("source_type"),
            image_sha256: text("image_sha256"),
            item_description: text("item_description"),
            item_part: text("item_part"),
            image_url: text("image_url"),
            ocid: text("ocid"),
            ranking: self
                .ranking
                .as_ref()
                .filter(|values| values.is_valid(index))
                .map(|values| values.value(index)),
        }
    }
}
