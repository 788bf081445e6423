//! The part that all manifest formats share: opening a manifest, and checking and emitting its rows.

use super::columns::Columns;
use super::embedded::EmbeddedImage;
use super::row::Row;
use crate::error::{Error, Result};
use crate::platform::open_to_read;
use crate::source::checks::is_selected;
use crate::source::inflated;
use crate::source::options::{Mapping, OnlySource};
use crate::source::reading::{Note, RowEvent, Sink, absolute, cannot_open, cannot_read};
use crate::text::encoding::as_utf8;
use crate::text::{Said, said};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A manifest file.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Path as the user gave it.
    pub path: PathBuf,
    /// Folder that the paths in its rows are relative to.
    pub base: PathBuf,
    /// Prepended to the paths in its rows; empty, or ends in `/`.
    pub prefix: String,
    pub only: OnlySource,
    pub columns: Columns,
}

impl Manifest {
    /// Describes a manifest built into the program; `path` is its display name.
    pub fn built_in(path: &str, only: OnlySource) -> Self {
        Self {
            path: path.into(),
            base: path.into(),
            prefix: String::new(),
            only,
            columns: Columns::new(&Mapping::default()),
        }
    }

    pub fn open(&self) -> Result<File> {
        let file = open_to_read(&self.path).map_err(|error| cannot_open(&self.path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| cannot_read(&self.path, error))?;
        if metadata.is_dir() {
            return Err(cannot_read(&self.path, "it is a folder")
                .with_hint("use --images for a folder of images"));
        }
        Ok(file)
    }

    /// Path that does not depend on the working directory.
    pub fn absolute_path(&self) -> Result<PathBuf> {
        absolute(&self.path)
    }

    pub fn unreadable(&self, error: impl fmt::Display) -> Error {
        cannot_read(&self.path, error)
    }

    /// Opens the file and decompresses it if necessary.
    pub fn content(&self) -> Result<Box<dyn Read>> {
        inflated::content(self.open()?).map_err(|error| self.unreadable(error))
    }

    /// Opens the content as UTF-8 text and warns if it is UTF-16. `None` if the sink returned `Break`.
    pub fn text(&self, sink: &mut Sink) -> Result<Option<Box<dyn BufRead>>> {
        let opened = as_utf8(self.content()?);
        let (reader, is_utf16) = opened.map_err(|error| self.unreadable(error))?;
        let path = self.path.display();
        let text = said!(
            "{path}: read as UTF-16",
            "{path}: UTF-16이어서 그렇게 읽습니다"
        );
        if is_utf16 && sink(RowEvent::Warning(text)).is_break() {
            return Ok(None);
        }
        Ok(Some(reader))
    }

    pub fn row(&self) -> Row<'_> {
        Row::new(&self.columns)
    }

    /// Checks a row and passes the item, or the reason to refuse it, to the sink.
    pub fn emit(
        &self,
        row: Result<Row, Said>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        self.emit_with_image(row, None, place, sink)
    }

    /// [`emit`](Self::emit) for a row that may have an embedded image.
    pub fn emit_with_image(
        &self,
        row: Result<Row, Said>,
        image: Option<EmbeddedImage>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        let note = |what| Note {
            file: self.path.clone(),
            place: place.to_string(),
            what,
        };
        match row.and_then(|row| row.check(&self.base, &self.prefix, image)) {
            Ok(checked) if !is_selected(self.only, checked.row.item.source_type) => {
                ControlFlow::Continue(())
            }
            Ok(checked) => {
                for what in checked.notes {
                    sink(RowEvent::Noted(note(what)))?;
                }
                sink(RowEvent::Item(checked.row))
            }
            Err(why) => sink(RowEvent::Refused(note(why))),
        }
    }
}
