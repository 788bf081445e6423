//! Reads Parquet manifests batch by batch. Images may be embedded.

mod cells;
mod guard;
mod image_column;

pub use image_column::cell_bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::source::manifest::columns::KnownColumn;
use crate::source::manifest::file::Manifest;
use crate::source::manifest::row::Row;
use crate::source::reading::{ItemSource, RowEvent, Sink};
use crate::text::{Said, said};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema};
use cells::{cell_at, is_scalar};
use guard::guarded;
use image_column::{BATCH_ROWS, ImageColumn};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use std::fmt::Display;
use std::fs::File;
use std::sync::Arc;

/// Columns whose values are longer than this on average are not text about items.
const LONG_TEXT: i64 = 64 << 10;
/// Columns of up to this many bytes are harmless, whatever their values.
const SMALL_COLUMN: i64 = 16 << 20;

#[derive(Debug)]
struct ParquetTable(Manifest);

pub(super) fn open(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    let table = ParquetTable(manifest);
    table.layout()?;
    Ok(Box::new(table))
}

/// The columns to read from a file.
struct TableLayout {
    file: File,
    metadata: ArrowReaderMetadata,
    /// Value columns, by index among all columns.
    values: Vec<(usize, KnownColumn)>,
    images: Option<ImageColumn>,
    /// Columns that cannot be used, and why.
    ignored: Vec<Said>,
}

impl ParquetTable {
    /// Chooses the columns to read. Fails if a required one is missing.
    fn layout(&self) -> Result<TableLayout> {
        let file = self.0.open()?;
        // Ignores the Arrow schema, so that a string column has the same type whether it was
        // written from a dictionary, a view or a large array.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = self.guarded(|| ArrowReaderMetadata::load(&file, options))?;
        self.check_codecs(plain.metadata())?;
        let fields = plain.schema().fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let columns = &self.0.columns;
        let images = ImageColumn::find(fields, columns);
        if let Some((missing, hint)) = columns.missing(&names, images.is_some()) {
            let path = self.0.path.display();
            let cause = format!("{path} lacks the required columns: {missing}");
            return Err(Error::new(ErrorKind::Source, cause).with_hint(hint));
        }
        let mut values = Vec::new();
        let mut ignored = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let Some(known) = columns.find(field.name()) else {
                continue;
            };
            if images.as_ref().is_some_and(|images| images.at == at) {
                continue;
            }
            let name = &known.name;
            if !is_scalar(field.data_type()) {
                let found = field.data_type();
                ignored.push(said!(
                    "column {name} contains {found}, not text or numbers",
                    "{name} 열에 글이나 숫자가 아니라 {found}{이} 있습니다"
                ));
            } else if has_long_texts(plain.metadata(), name) {
                ignored.push(said!(
                    "column {name} contains enormous values",
                    "{name} 열의 글이 너무 깁니다"
                ));
            } else {
                values.push((at, known.clone()));
            }
        }
        let used: Vec<&str> = values
            .iter()
            .map(|(_, known)| known.name.as_str())
            .collect();
        if let Some((missing, _)) = columns.missing(&used, images.is_some()) {
            let ignored: Vec<&str> = ignored.iter().map(|what| what.english.as_str()).collect();
            let why = format!("{missing} cannot be read: {}", ignored.join("; "));
            return Err(self.0.unreadable(why));
        }
        let schema = with_views(fields, &values, images.as_ref());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        let metadata = Arc::clone(plain.metadata());
        let metadata = self.guarded(|| ArrowReaderMetadata::try_new(metadata, options))?;
        Ok(TableLayout {
            file,
            metadata,
            values,
            images,
            ignored,
        })
    }

    fn check_codecs(&self, metadata: &ParquetMetaData) -> Result<()> {
        let codecs = metadata
            .row_groups()
            .iter()
            .flat_map(|group| group.columns());
        let unknown = codecs
            .map(|column| column.compression())
            .find(|codec| matches!(codec, Compression::LZO));
        match unknown {
            None => Ok(()),
            Some(_) => Err(self
                .0
                .unreadable("it is compressed with LZO")
                .with_hint("write it with snappy, zstd, gzip, lz4, brotli or no compression")),
        }
    }

    /// Turns a panic of the parquet crate on a damaged file into an error.
    fn guarded<T, E: Display>(&self, read: impl FnOnce() -> Result<T, E>) -> Result<T> {
        guarded(read).map_err(|error| {
            let hint = "check that it is a complete Parquet file";
            self.0.unreadable(error).with_hint(hint)
        })
    }
}

/// Whether the values of a column are longer than any text about an item. Compressed, gigabytes of
/// them may fit into a file of a few kilobytes.
fn has_long_texts(metadata: &ParquetMetaData, name: &str) -> bool {
    let groups = metadata.row_groups().iter();
    let mut columns = groups
        .flat_map(|group| group.columns())
        .filter(|column| column.column_path().parts() == [name]);
    columns.any(|column| {
        let size = column.uncompressed_size();
        size > SMALL_COLUMN && size / column.num_values().max(1) > LONG_TEXT
    })
}

/// Changes the schema to read text and images as views into a page, so that a value shared by many
/// rows is in memory once.
fn with_views(
    fields: &Fields,
    values: &[(usize, KnownColumn)],
    images: Option<&ImageColumn>,
) -> Schema {
    fn as_view(field: &Field) -> Field {
        let kind = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            DataType::Struct(inner) => {
                DataType::Struct(inner.iter().map(|field| as_view(field)).collect())
            }
            other => other.clone(),
        };
        field.clone().with_data_type(kind)
    }
    let is_read = |at: usize| {
        values.iter().any(|(value, _)| *value == at) || images.is_some_and(|images| images.at == at)
    };
    let fields = fields
        .iter()
        .enumerate()
        .map(|(at, field)| match is_read(at) {
            true => as_view(field),
            false => field.as_ref().clone(),
        });
    Schema::new(fields.collect::<Vec<_>>())
}

impl ItemSource for ParquetTable {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let layout = self.layout()?;
        for what in &layout.ignored {
            let (path, Said { english, korean }) = (self.0.path.display(), what);
            let text = said!(
                "{path}: {english} and is ignored",
                "{path}: {korean}. 빼고 읽습니다"
            );
            if sink(RowEvent::Warning(text)).is_break() {
                return Ok(());
            }
        }
        let path = self.0.absolute_path()?;
        let values = layout.values.iter().map(|(at, _)| *at);
        let read = values.chain(layout.images.as_ref().map(|images| images.at));
        let mask = ProjectionMask::roots(layout.metadata.parquet_schema(), read);
        let rows = match &layout.images {
            Some(images) => images.batch_rows(layout.metadata.metadata()),
            None => BATCH_ROWS,
        };
        let mut batches = self.guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(layout.file, layout.metadata)
                .with_projection(mask)
                .with_batch_size(rows)
                .build()
        })?;
        let mut number = 0u64;
        while let Some(batch) = self.guarded(|| batches.next().transpose())? {
            for index in 0..batch.num_rows() {
                let mut row = self.0.row();
                take_values(&mut row, &batch, &layout.values, index);
                let image = layout.images.as_ref();
                let image = image.and_then(|image| image.at_row(&batch, index, &path, number));
                let image = image.and_then(|image| image.or_path(&mut row));
                number += 1;
                let place = format_args!("row {number}");
                if self
                    .0
                    .emit_with_image(Ok(row), image, &place, sink)
                    .is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn take_values(row: &mut Row, batch: &RecordBatch, values: &[(usize, KnownColumn)], index: usize) {
    for (_, known) in values {
        if let Some(column) = batch.column_by_name(&known.name) {
            row.set(&known.name, cell_at(column, index));
        }
    }
}
