//! Manifests in Parquet, read batch by batch.

use super::manifest::Manifest;
use super::reading::{ItemSource, Sink, cannot_read};
use super::row::{OPTIONAL, REQUIRED, Row};
use crate::error::{Error, ErrorKind, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

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
        // The plain types of the columns: a text is a text, whether it was written from a
        // dictionary, a view or a large array.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder =
            self.guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))?;
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

/// The known columns of a batch.
struct Columns(Vec<(&'static str, ArrayRef)>);

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, String> {
        let mut columns = Vec::new();
        for name in REQUIRED.into_iter().chain(OPTIONAL) {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let found = column.data_type();
            if !is_scalar(found) {
                return Err(format!("column {name} holds {found}, not text or a number"));
            }
            columns.push((name, Arc::clone(column)));
        }
        Ok(Self(columns))
    }

    fn row(&self, index: usize) -> Row {
        let text = |name: &str| {
            let (_, column) = self.0.iter().find(|(column, _)| *column == name)?;
            text_at(column, index)
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
            ranking: text("ranking").and_then(|text| whole_number(&text)),
        }
    }
}

fn is_scalar(kind: &DataType) -> bool {
    use DataType::{Binary, Boolean, Null, Utf8};
    kind.is_integer()
        || matches!(kind, DataType::Float32 | DataType::Float64)
        || matches!(kind, Utf8 | Binary | Boolean | Null)
}

/// The value at `index` in words; `None` where there is none or its bytes are not UTF-8.
fn text_at(column: &ArrayRef, index: usize) -> Option<String> {
    macro_rules! number {
        ($kind:ty) => {
            column.as_primitive::<$kind>().value(index).to_string()
        };
    }
    if column.is_null(index) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(index).to_owned(),
        DataType::Binary => {
            let bytes = column.as_binary::<i32>().value(index);
            str::from_utf8(bytes).ok()?.to_owned()
        }
        DataType::Boolean => column.as_boolean().value(index).to_string(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        // `Columns::of` lets nothing else in.
        _ => return None,
    })
}

/// A whole number, also where a column with gaps was written as floating point (`3.0`).
fn whole_number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}
