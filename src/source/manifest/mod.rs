//! Reads manifests of every format.

mod columns;
mod dataset;
mod embedded;
mod file;
mod forms;
mod row;

pub use file::Manifest;
pub use forms::{cell_bytes, read_lines};

use super::reading::{ItemSource, base_of};
use crate::error::Result;
use crate::source::options::{Mapping, OnlySource};
use columns::Columns;
use std::path::Path;

/// Opens a manifest, or all manifests of a folder.
pub fn open(
    path: &Path,
    only: OnlySource,
    mapping: &Mapping,
    outdir: Option<&Path>,
) -> Result<Box<dyn ItemSource>> {
    let columns = Columns::new(mapping);
    if path.is_dir() {
        return dataset::open(path, only, &columns, outdir);
    }
    forms::open_file(Manifest {
        base: base_of(path)?,
        path: path.to_owned(),
        prefix: String::new(),
        only,
        columns,
    })
}
