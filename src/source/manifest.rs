//! What every kind of manifest has: its place, the rows that are wanted of it, and how one of them
//! is handed on.

use super::reading::{RowEvent, Sink, base_of, cannot_open, cannot_read};
use super::row::{Row, wanted};
use crate::error::Result;
use crate::settings::OnlySource;
use crate::text::encoding::as_utf8;
use std::fmt;
use std::fs::File;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Manifest {
    /// As the user named it.
    pub path: PathBuf,
    /// The folder that its paths are relative to.
    pub base: PathBuf,
    pub only: OnlySource,
}

impl Manifest {
    pub fn at(path: &Path, only: OnlySource) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            base: base_of(path)?,
            only,
        })
    }

    pub fn open(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(|error| cannot_open(&self.path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| cannot_read(&self.path, error))?;
        if metadata.is_dir() {
            return Err(cannot_read(&self.path, "it is a folder")
                .with_hint("a folder is read with --images"));
        }
        Ok(file)
    }

    /// The file as UTF-8 text; one in UTF-16 is told. `None` where nobody listens any more.
    pub fn text(&self, sink: &mut Sink) -> Result<Option<Box<dyn BufRead>>> {
        let (reader, is_utf16) =
            as_utf8(self.open()?).map_err(|error| cannot_read(&self.path, error))?;
        let text = format!("{}: it is UTF-16, and read as that", self.path.display());
        if is_utf16 && sink(RowEvent::Warning(text)).is_break() {
            return Ok(None);
        }
        Ok(Some(reader))
    }

    /// Checks a row and hands it on: an item, or what is wrong with it and where.
    pub fn give(
        &self,
        row: Result<Row, String>,
        place: &dyn fmt::Display,
        sink: &mut Sink,
    ) -> ControlFlow<()> {
        match row.and_then(|row| row.into_item(&self.base)) {
            Ok(item) if !wanted(self.only, item.source_type) => ControlFlow::Continue(()),
            Ok(item) => sink(RowEvent::Item(item.into())),
            Err(why) => {
                let path = self.path.display();
                sink(RowEvent::Warning(format!("{path} {place}: {why}")))
            }
        }
    }
}
