//! What every source has: that it is read as a stream of events, where its paths lead, and what is
//! said where it cannot be read.

use crate::error::{Error, ErrorKind, Result};
use crate::record::Item;
use crate::text::Said;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// One row of a source, or something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowEvent {
    Item(SourceRow),
    /// An item whose image the source itself has not got, and why.
    Missing(SourceRow, String),
    /// A row that cannot be used.
    Refused(Note),
    /// A row that is used, though not all of it, or not as it is written.
    Noted(Note),
    /// Something to tell the user about the source as a whole.
    Warning(Said),
}

/// What is wrong with a row. Rows with the same words are told together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    /// The source, or the part of it that has the row.
    pub file: PathBuf,
    /// Where in that: `line 3`.
    pub place: String,
    pub what: Said,
}

/// An item, and what else its row tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub item: Item,
    /// Another name of the item.
    pub other_name: Option<String>,
    /// The SHA-256 of the image, where its bytes came with the row.
    pub sha256: Option<[u8; 32]>,
}

impl From<Item> for SourceRow {
    fn from(item: Item) -> Self {
        Self {
            item,
            other_name: None,
            sha256: None,
        }
    }
}

/// Receives rows; `Break` ends the reading.
pub type Sink<'a> = dyn FnMut(RowEvent) -> ControlFlow<()> + 'a;

pub trait ItemSource: Send + std::fmt::Debug {
    /// Gives every row to `sink` in the order of the source. An error ends the reading; what was
    /// given before it stands.
    fn read(&mut self, sink: &mut Sink) -> Result<()>;
}

/// The folder that a source's paths are relative to; absolute, so that a later change of the
/// working directory does not matter.
pub(super) fn base_of(file: &Path) -> Result<PathBuf> {
    let absolute = absolute(file)?;
    Ok(absolute.parent().unwrap_or(&absolute).to_path_buf())
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| cannot_read(path, error))
}

/// For a file or folder that the user has named.
pub(super) fn cannot_open(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "give read permission",
        io::ErrorKind::IsADirectory => "a folder of images is read with --images",
        io::ErrorKind::NotADirectory => "one file is read with --db or --input",
        _ => return cannot_read(path, error),
    };
    cannot_read(path, error).with_hint(hint)
}

pub(super) fn cannot_read(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Source,
        format!("cannot read {}: {error}", path.display()),
    )
}
