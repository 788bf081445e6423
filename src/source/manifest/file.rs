//! What every form of manifest has: its place, the rows that are wanted of it, and how one of them
//! is handed on.

use super::columns::Columns;
use super::embedded::Embedded;
use super::row::Row;
use crate::error::{Error, Result};
use crate::settings::{Mapping, OnlySource};
use crate::source::checks::wanted;
use crate::source::inflated;
use crate::source::reading::{Note, RowEvent, Sink, absolute, cannot_open, cannot_read};
use crate::text::encoding::as_utf8;
use crate::text::{Said, said};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A manifest that is read from its first row to its last.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// As the user named it.
    pub path: PathBuf,
    /// The folder that its paths are relative to.
    pub base: PathBuf,
    /// Stands before its paths; empty, or ends in `/`.
    pub prefix: String,
    pub only: OnlySource,
    pub columns: Columns,
}

impl Manifest {
    /// One whose text is not in a file: `path` is what it is called.
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
        let file = File::open(&self.path).map_err(|error| cannot_open(&self.path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| cannot_read(&self.path, error))?;
        if metadata.is_dir() {
            return Err(cannot_read(&self.path, "it is a folder")
                .with_hint("a folder of images is read with --images"));
        }
        Ok(file)
    }

    /// The file by a path that holds wherever the program is.
    pub fn absolute_path(&self) -> Result<PathBuf> {
        absolute(&self.path)
    }

    pub fn unreadable(&self, error: impl fmt::Display) -> Error {
        cannot_read(&self.path, error)
    }

    /// The file's content, uncompressed.
    pub fn content(&self) -> Result<Box<dyn Read>> {
        inflated::content(self.open()?).map_err(|error| self.unreadable(error))
    }

    /// The content as UTF-8 text; one in UTF-16 is told. `None` where nobody listens any more.
    pub fn text(&self, sink: &mut Sink) -> Result<Option<Box<dyn BufRead>>> {
        let read = as_utf8(self.content()?);
        let (reader, is_utf16) = read.map_err(|error| self.unreadable(error))?;
        let path = self.path.display();
        let text = said!(
            "{path}: it is UTF-16, and read as that",
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

    /// Checks a row and hands it on: an item, or what is wrong with it and where.
    pub fn give(
        &self,
        row: Result<Row, Said>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        self.give_with(row, None, place, sink)
    }

    /// The same of a row that may hold its image.
    pub fn give_with(
        &self,
        row: Result<Row, Said>,
        image: Option<Embedded>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        let note = |what| Note {
            file: self.path.clone(),
            place: place.to_string(),
            what,
        };
        match row.and_then(|row| row.check(&self.base, &self.prefix, image)) {
            Ok(checked) if !wanted(self.only, checked.row.item.source_type) => {
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
