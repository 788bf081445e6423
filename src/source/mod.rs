//! Reads rows of a database, manifest, folder or the built-in sample as a stream of items, and groups
//! them by image. Sources are never written, and only rows in flight are in memory.

mod checks;
mod cp949;
mod database;
mod dedup;
mod demo;
mod file_names;
mod folder;
mod image_file;
mod inflated;
mod manifest;
mod notes;
mod options;
mod reading;
mod walk;

pub use dedup::{GroupEvent, SourceEnd, SourceGroup, group};
pub use image_file::image_bytes;
pub use options::{
    EquipmentName, MAX_FILE_BYTES, Mapping, NameSource, OnlySource, SourceKind, SourceOptions,
};
pub use reading::{ItemSource, Note, RowEvent, Sink, SourceRow};

use crate::error::{Error, ErrorKind, Result};

/// Opens a source and checks its tables or columns; reads no rows yet.
pub fn open(options: &SourceOptions) -> Result<Box<dyn ItemSource>> {
    let mapping = &options.mapping;
    let outdir = options.outdir.as_deref();
    let maps_columns = mapping.image_column.is_some() || mapping.name_column.is_some();
    if maps_columns && !matches!(options.kind, SourceKind::Manifest(_)) {
        return Err(Error::new(
            ErrorKind::Usage,
            "--image-column and --name-column are only for manifests",
        )
        .with_hint("use them together with --input, or leave them out"));
    }
    let source: Box<dyn ItemSource> = match &options.kind {
        SourceKind::Database(path) => Box::new(database::Source::open(
            path,
            options.only,
            options.run_id.clone(),
            options.equipment_name,
        )?),
        SourceKind::Manifest(path) => manifest::open(path, options.only, mapping, outdir)?,
        SourceKind::Folder(path) => {
            Box::new(folder::Folder::open(path, options.only, mapping, outdir)?)
        }
        SourceKind::Demo => Box::new(demo::Demo { only: options.only }),
    };
    Ok(source)
}

#[cfg(test)]
mod tests;
