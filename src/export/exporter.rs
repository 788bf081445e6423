//! What writes one of the files.

use super::target::Sink;
use super::truth::View;
use crate::error::Result;
use crate::store::{Content, Journal};

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
