//! The list of exporters: adding one is a line here and its own file.

use super::errors::Errors;
use super::exporter::Exporter;
use super::jsonl::Jsonl;
use super::parquet::Parquet;
use crate::error::Result;
use crate::outdir;
use std::path::Path;

/// One exporter for each file that an outdir may have.
pub(super) fn exporters() -> [Box<dyn Exporter>; 3] {
    [Box::new(Jsonl), Box::new(Errors), Box::new(Parquet)]
}

/// The names of the files, and what each holds.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    exporters()
        .into_iter()
        .map(|exporter| (exporter.name(), exporter.describe()))
}

/// Checks, before anything is written, that writing `outdir` changes no other file, see
/// [`outdir::check`].
pub fn check_outdir(outdir: &Path, source: Option<&Path>) -> Result<()> {
    let names: Vec<&str> = files().map(|(name, _)| name).collect();
    outdir::check(outdir, source, &names)
}
