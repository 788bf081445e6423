//! The files that others read, written from the journal. An exporter writes one of them; which
//! ones are stale is told by the versions of what the journal holds.

mod compare;
mod errors;
mod exports;
mod image_path;
mod jsonl;
mod parquet;
mod target;
mod truth;

pub use compare::{ComparedFile, compare};
pub use exports::Exports;
pub use truth::Tally;

use crate::error::Result;
use crate::store::{Content, Journal};
use target::Sink;
use truth::Truth;

/// Writes one file of an outdir.
trait Exporter: std::fmt::Debug + Send {
    fn name(&self) -> &'static str;

    /// What of the journal the file shows: it is stale where this has a newer version.
    fn content(&self) -> Content;

    /// Whether the file is made of lines, cheap to bring up to date while a run is going on.
    fn has_lines(&self) -> bool {
        true
    }

    fn write(&self, view: &View, out: &mut Sink) -> Result<()>;

    /// Whether a line that is not known is one of our own, of a journal that was lost, and the
    /// journal of now says the same or better of its item.
    fn is_outdated(&self, _: &Journal, _: &[u8]) -> Result<bool> {
        Ok(false)
    }
}

/// What exporters see: the journal, and which of its records are true now.
struct View<'a> {
    journal: &'a Journal,
    truth: &'a Truth,
}
