//! The files that others read, written from the journal.

mod aside;

pub use aside::keep_aside;

/// Lines of others that an export no longer holds.
pub const KEPT: &str = "labels_kept.jsonl";
