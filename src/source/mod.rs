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
mod row;

pub use dedup::{GroupEvent, NewGroup, SourceEnd, group};
pub use image_file::image_bytes;
pub use json::fault_of_line;

use crate::error::{Error, ErrorKind, Result};
use crate::record::Item;
use crate::settings::{SourceKind, SourceOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a source says of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    Item(Item),
    /// An item whose image the source itself has not got, and why.
    Missing(Item, String),
    /// Something to tell the user, for example a row that cannot be used, with its number.
    Warning(String),
}

/// Receives rows; `Break` ends the reading.
pub type Sink<'a> = dyn FnMut(SourceEvent) -> ControlFlow<()> + 'a;

pub trait ItemSource: Send + std::fmt::Debug {
    /// Gives every row to `sink` in the order of the source. An error ends the reading; what was
    /// given before it stands.
    fn read(&mut self, sink: &mut Sink) -> Result<()>;
}

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

/// The folder that a source's paths are relative to; absolute, so that a later change of the
/// working directory does not matter.
fn base_of(file: &Path) -> Result<PathBuf> {
    let absolute = absolute(file)?;
    Ok(absolute.parent().unwrap_or(&absolute).to_path_buf())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| cannot_read(path, error))
}

/// For a file or folder that the user has named.
fn cannot_open(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "give read permission",
        io::ErrorKind::IsADirectory => "a folder of images is read with --images",
        io::ErrorKind::NotADirectory => "one file is read with --db or --input",
        _ => return cannot_read(path, error),
    };
    cannot_read(path, error).with_hint(hint)
}

fn cannot_read(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Source,
        format!("cannot read {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests;
