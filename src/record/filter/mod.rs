//! The filter language: parses filters, and selects and sorts records.
//!
//! The workstation's queue and all commands with `--filter` use it.

mod keys;
mod lexer;
mod query;
mod range;
mod select;
#[cfg(test)]
mod tests;
mod text;
mod views;

pub use keys::{FilterKey, filter_field, filter_keys, has_targets};
pub use lexer::{last_word, quoted};
pub use query::{FAILED, NEEDS_REVIEW, Query};
pub use select::{PinnedRecord, Sort, by_uncertainty, select};
pub use text::find;
pub use views::Views;
