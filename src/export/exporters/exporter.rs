//! The trait of exporters.

use crate::error::Result;
use crate::export::selection::ExportView;
use crate::export::target::ExportSink;
use crate::store::{Content, Journal};

/// What becomes of images that are not at their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingImages {
    /// The source may still show them at other paths.
    MayTurnUp,
    AreGone,
}

/// Writes one file of an outdir from the journal.
pub(in crate::export) trait Exporter: std::fmt::Debug + Send {
    fn name(&self) -> &'static str;

    /// Names the content in the summary of a run.
    fn title(&self) -> &'static str;

    /// Describes the file for the manual.
    fn describe(&self) -> &'static str;

    /// The part of the journal from which the file is made. A newer version of it makes the file
    /// stale.
    fn content(&self) -> Content;

    /// Whether the file consists of lines. Lines that another program added are then saved one by
    /// one before the file is replaced; otherwise the whole file is saved.
    fn has_lines(&self) -> bool {
        true
    }

    /// Whether the file is updated during a run, not only at its end.
    fn is_updated_during_run(&self, _: MissingImages) -> bool {
        true
    }

    /// Whether the file is created without being requested.
    fn is_always_written(&self) -> bool {
        true
    }

    fn write(&self, view: &ExportView, out: &mut ExportSink) -> Result<()>;

    /// Whether an unknown line came from an earlier, lost journal, and this journal has the same or
    /// newer information about its item. Such a line need not be saved.
    fn is_outdated(&self, _: &Journal, _: &[u8]) -> Result<bool> {
        Ok(false)
    }
}
