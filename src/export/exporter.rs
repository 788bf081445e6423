//! What writes one of the files, and the list of them.

use super::errors::Errors;
use super::jsonl::Jsonl;
use super::parquet::Parquet;
use super::target::Sink;
use super::truth::View;
use crate::error::Result;
use crate::outdir;
use crate::store::{Content, Journal};
use std::path::Path;

/// Writes one file of an outdir.
pub(super) trait Exporter: std::fmt::Debug + Send {
    fn name(&self) -> &'static str;

    /// What the file holds, for the manual.
    fn describe(&self) -> &'static str;

    /// What of the journal the file shows: it is stale where this has a newer version.
    fn content(&self) -> Content;

    /// Whether the file is made of lines: then those that something else has added are kept one
    /// by one, else the file as a whole.
    fn has_lines(&self) -> bool {
        true
    }

    /// Whether the file is brought up to date while a run is going on, not only at its end.
    fn follows_run(&self) -> bool {
        true
    }

    /// Whether the file is written even where it does not exist yet.
    fn is_always_written(&self) -> bool {
        true
    }

    fn write(&self, view: &View, out: &mut Sink) -> Result<()>;

    /// Whether a line that is not known is one of our own, of a journal that was lost, and the
    /// journal of now says the same or better of its item.
    fn is_outdated(&self, _: &Journal, _: &[u8]) -> Result<bool> {
        Ok(false)
    }
}

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
