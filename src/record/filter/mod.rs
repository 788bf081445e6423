//! The filter language: which records a filter shows, and in which order.
//!
//! Everything that takes a filter uses it: the workstation's queue and the commands without one.

mod query;
mod select;
#[cfg(test)]
mod tests;
mod text;

pub use query::{FAILED, NEEDS_REVIEW, Query, filter_field, filter_keys, last_word, quoted};
pub use select::{HeldRecord, Sort, select};
pub use text::find;
