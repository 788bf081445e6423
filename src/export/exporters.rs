//! The list of exporters. A new exporter is one line here and its own file.

use super::errors_jsonl::Errors;
use super::exporter::Exporter;
use super::labels_jsonl::Jsonl;
use super::parquet::Parquet;
use crate::error::Result;
use crate::outdir;
use std::path::Path;

/// Returns one exporter for each file of an outdir.
pub(super) fn exporters() -> [Box<dyn Exporter>; 3] {
    [Box::new(Jsonl), Box::new(Errors), Box::new(Parquet)]
}

/// Returns the names of the exported files, with descriptions.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    exporters()
        .into_iter()
        .map(|exporter| (exporter.name(), exporter.describe()))
}

/// Checks, before anything is written, that writing in `outdir` changes no other file, see
/// [`outdir::check`].
pub fn check_outdir(outdir: &Path, source: Option<&Path>) -> Result<()> {
    let names: Vec<&str> = files().map(|(name, _)| name).collect();
    outdir::check(outdir, source, &names)
}
