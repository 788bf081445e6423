//! Rows of a database, manifest, folder or the built-in sample, as a stream of items; their
//! grouping by image. Nothing here writes, and no more rows are held than are on their way.

mod cp949;
mod database;
mod dedup;
mod demo;
mod folder;
mod image_file;
mod json;
mod json_array;
mod manifest;
mod parquet;
mod reading;
mod row;

pub use dedup::{GroupEvent, NewGroup, SourceEnd, group};
pub use image_file::image_bytes;
pub use json::fault_of_line;
pub use reading::{ItemSource, RowEvent, Sink, SourceRow};

use crate::error::{Error, ErrorKind, Result};
use crate::settings::{SourceKind, SourceOptions};
use std::path::Path;

/// Opens a source and checks that it holds what is needed; reads no row yet.
pub fn open(options: &SourceOptions) -> Result<Box<dyn ItemSource>> {
    if options.run_id.is_some() && !matches!(options.kind, SourceKind::Database(_)) {
        return Err(Error::new(
            ErrorKind::Usage,
            "--run-id chooses among the runs of a database",
        )
        .with_hint("use it together with --db, or leave it out"));
    }
    let source: Box<dyn ItemSource> = match &options.kind {
        SourceKind::Database(path) => Box::new(database::Database::open(
            path,
            options.only,
            options.run_id.clone(),
            options.equipment_name,
        )?),
        SourceKind::Manifest(path) => manifest(path, options)?,
        SourceKind::Folder(path) => Box::new(folder::Folder::open(path, options.only)?),
        SourceKind::Demo => Box::new(demo::Demo { only: options.only }),
    };
    Ok(source)
}

fn manifest(path: &Path, options: &SourceOptions) -> Result<Box<dyn ItemSource>> {
    let manifest = manifest::Manifest::at(path, options.only)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl") => Box::new(json::Lines::open(manifest)?),
        Some("json") => Box::new(json_array::Array::open(manifest)?),
        Some("parquet") => Box::new(parquet::Table::open(manifest)?),
        _ => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} is not a manifest by its name", path.display()),
            )
            .with_hint("a manifest ends in .jsonl, .json (an array) or .parquet"));
        }
    })
}

#[cfg(test)]
mod tests;
