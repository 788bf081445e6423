//! One exporter for each file of an outdir. A new exporter is a module and a line of the list here,
//! and its name among [`outdir::EXPORTED`].

mod errors_jsonl;
mod exporter;
mod labels_jsonl;
pub(super) mod parquet;

pub(super) use exporter::Exporter;
pub use exporter::MissingImages;

use crate::error::Result;
use crate::outdir;
use errors_jsonl::Errors;
use labels_jsonl::Jsonl;
use parquet::Parquet;
use std::path::Path;

/// Returns one exporter for each file of an outdir.
pub(super) fn exporters() -> [Box<dyn Exporter>; outdir::EXPORTED.len()] {
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
    outdir::check(outdir, source, &outdir::EXPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exported_file_is_known_as_a_file_of_an_outdir() {
        let names: Vec<&str> = files().map(|(name, _)| name).collect();
        assert_eq!(names, outdir::EXPORTED);
    }
}
