//! The interface of all sources: a stream of row events. Also resolves paths and creates errors.

use crate::error::{Error, ErrorKind, Result};
use crate::record::{FailureDetail, Item};
use crate::text::Said;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A row of a source, or a problem with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowEvent {
    Item(SourceRow),
    /// An item whose image the source does not have, and why.
    Missing(SourceRow, FailureDetail),
    /// A row that cannot be used.
    Refused(Note),
    /// A problem with a row that is used nevertheless.
    Noted(Note),
    /// A message for the user about the entire source.
    Warning(Said),
    /// The source is locked by another program. Sent again and again until it can be read.
    Locked(Said),
}

/// A problem with a row. Rows with the same message are summarized.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    /// The file that contains the row.
    pub file: PathBuf,
    /// Position in the file, such as `line 3`.
    pub place: String,
    pub what: Said,
}

/// An item and further data from its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub item: Item,
    /// Another name of the item.
    pub other_name: Option<String>,
    /// SHA-256 of the image, if it is embedded in the row.
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

/// Receives rows; `Break` stops reading.
pub type Sink<'a> = dyn FnMut(RowEvent) -> ControlFlow<()> + 'a;

pub trait ItemSource: Send + std::fmt::Debug {
    /// Passes every row to `sink`, in source order. Rows passed before an error remain valid.
    fn read(&mut self, sink: &mut Sink) -> Result<()>;
}

/// Returns the folder that a source's paths are relative to. It is absolute, so that a later change
/// of the working directory does not matter.
pub(super) fn base_of(file: &Path) -> Result<PathBuf> {
    let absolute = absolute(file)?;
    Ok(absolute.parent().unwrap_or(&absolute).to_path_buf())
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| cannot_read(path, error))
}

/// The error for a file or folder that the user has named.
pub(super) fn cannot_open(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "give read permission",
        io::ErrorKind::IsADirectory => "use --images for a folder of images",
        io::ErrorKind::NotADirectory => "use --db or --input for a single file",
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
