//! Image columns: binary, or a struct of bytes and path as in Hugging Face datasets.

use super::cells::cell_at;
use super::guard::guarded;
use crate::record::{ImageLocation, ReadProblem};
use crate::source::manifest::columns::{Column, Columns};
use crate::source::manifest::embedded::EmbeddedImage;
use crate::source::manifest::row::{Cell, Row};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use std::convert::Infallible;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Maximum rows per batch.
pub const BATCH_ROWS: usize = 1024;
/// Memory limit for the images of a batch, estimated by their average size.
const BATCH_BYTES: u64 = 16 << 20;

/// The known column name that stands for content; the others stand for paths.
const IMAGE: &str = "image";
const BYTES: &str = "bytes";
const PATH: &str = "path";

/// A column that contains images.
#[derive(Debug)]
pub struct ImageColumn {
    /// Index among all columns.
    pub at: usize,
    name: String,
    is_struct: bool,
}

/// Value of an image column.
pub enum Image {
    Bytes(EmbeddedImage),
    /// The path of the image, without bytes.
    Path(String),
}

impl ImageColumn {
    /// Finds the image column: the one that the user has named, one with a known name, or a struct
    /// of bytes and path.
    pub fn find(fields: &Fields, columns: &Columns) -> Option<Self> {
        let is_image = |field: &Field| is_struct(field) || *field.data_type() == DataType::Binary;
        let is_named = |field: &Field| {
            let known = columns.find(field.name());
            known.is_some_and(|known| known.column == Column::Image)
        };
        let all = fields.iter().enumerate();
        let named = all.filter(|(_, field)| is_image(field) && is_named(field));
        // Other columns may be binary too: some writers store paths without saying that they are text.
        let named = named.min_by_key(|(_, field)| (!is_struct(field), field.name() != IMAGE));
        let named = named.map(|(at, _)| at);
        let any = || fields.iter().position(|field| is_struct(field));
        let any = || any().filter(|_| !columns.is_image_named);
        let at = named.or_else(any)?;
        let field = fields.get(at)?;
        Some(Self {
            at,
            name: field.name().clone(),
            is_struct: is_struct(field),
        })
    }

    /// Batch size whose images fit in memory.
    pub fn batch_rows(&self, metadata: &ParquetMetaData) -> usize {
        let groups = metadata.row_groups().iter();
        let columns = groups
            .flat_map(|group| group.columns())
            .filter(|column| column.column_path().parts().first() == Some(&self.name));
        let bytes: i64 = columns.map(|column| column.uncompressed_size()).sum();
        let rows = metadata.file_metadata().num_rows().max(1);
        let each = u64::try_from(bytes / rows).unwrap_or_default().max(1);
        usize::try_from(BATCH_BYTES / each)
            .unwrap_or(BATCH_ROWS)
            .clamp(1, BATCH_ROWS)
    }

    /// Reads the image of a row. `number` is the row's index in the file.
    pub fn at_row(
        &self,
        batch: &RecordBatch,
        index: usize,
        file: &Path,
        number: u64,
    ) -> Option<Image> {
        let column = batch.column_by_name(&self.name)?;
        if column.is_null(index) {
            return None;
        }
        let (bytes, path, column) = match self.is_struct {
            true => {
                let fields = column.as_struct();
                let path = fields.column_by_name(PATH);
                let path = path.and_then(|path| path_at(path, index));
                let name = format!("{}.{BYTES}", self.name);
                (fields.column_by_name(BYTES)?, path, name)
            }
            false => (column, None, self.name.clone()),
        };
        if bytes.is_null(index) {
            return path.map(Image::Path);
        }
        let location = ImageLocation::Cell {
            file: file.to_owned(),
            column,
            row: number,
        };
        let bytes = bytes.as_binary_view_opt()?.value(index);
        // Some writers store texts without saying so.
        if let Ok(text) = std::str::from_utf8(bytes)
            && !self.is_struct
            && !text.contains(char::is_control)
        {
            return Some(Image::Path(text.to_owned())).filter(|_| !text.is_empty());
        }
        Some(Image::Bytes(EmbeddedImage::new(location, path, bytes)))
    }
}

impl Image {
    /// Returns an embedded image; a path is set in the row instead.
    pub fn or_path(self, row: &mut Row) -> Option<EmbeddedImage> {
        match self {
            Self::Bytes(image) => Some(image),
            Self::Path(path) => {
                row.set_missing(Column::Image, path);
                None
            }
        }
    }
}

fn is_struct(field: &Field) -> bool {
    let DataType::Struct(fields) = field.data_type() else {
        return false;
    };
    let is = |name: &str, kind: &DataType| {
        let mut all = fields.iter();
        all.any(|field| field.name() == name && field.data_type() == kind)
    };
    is(BYTES, &DataType::Binary) && is(PATH, &DataType::Utf8)
}

fn path_at(paths: &ArrayRef, index: usize) -> Option<String> {
    match cell_at(paths, index) {
        Cell::Text(path) => Some(path),
        Cell::Nothing | Cell::Odd(_) => None,
    }
}

/// Reads the bytes of one image from the file again.
pub fn cell_bytes(file: &PathBuf, column: &str, row: u64) -> Result<Vec<u8>, ReadProblem> {
    let open = || -> Result<Vec<u8>, ReadProblem> {
        let file = File::open(file)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(unreadable)?;
        let mut before = 0;
        let groups = metadata.metadata().row_groups().iter();
        let group = groups.enumerate().find_map(|(number, group)| {
            let rows = u64::try_from(group.num_rows()).unwrap_or_default();
            let row_in_group = row
                .checked_sub(before)
                .filter(|row_in_group| *row_in_group < rows);
            before += rows;
            row_in_group.map(|row_in_group| (number, row_in_group))
        });
        let (group, row_in_group) = group.ok_or(ReadProblem::FewerRows)?;
        let schema = metadata.parquet_schema();
        let leaf = (0..schema.num_columns()).find(|leaf| {
            let path = schema.column(*leaf).path().string();
            path == column
        });
        let no_column = || ReadProblem::NoColumn {
            column: column.to_owned(),
        };
        let leaf = leaf.ok_or_else(no_column)?;
        let mask = ProjectionMask::leaves(schema, [leaf]);
        let mut batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_offset(usize::try_from(row_in_group).unwrap_or(usize::MAX))
            .with_limit(1)
            .with_batch_size(1)
            .build()
            .map_err(unreadable)?;
        let batch = batches.next().ok_or(ReadProblem::FewerRows)?;
        let batch = batch.map_err(unreadable)?;
        let value = batch.columns().first().ok_or_else(no_column)?;
        let bytes = match value.as_struct_opt() {
            Some(fields) => fields.columns().first().ok_or_else(no_column)?,
            None => value,
        };
        match bytes.as_binary_opt::<i32>() {
            Some(bytes) if bytes.len() == 1 && !bytes.is_null(0) => Ok(bytes.value(0).to_vec()),
            _ => Err(ReadProblem::NoImageInRow),
        }
    };
    guarded(|| Ok::<_, Infallible>(open())).unwrap_or(Err(ReadProblem::Damaged))
}

fn unreadable(error: impl Display) -> ReadProblem {
    ReadProblem::Other(error.to_string())
}
