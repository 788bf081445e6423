//! Where state lives: the journal, and the lock that keeps others out.

mod contents;
pub(crate) mod fault;
mod groups;
mod head;
mod import;
mod journal;
mod lock;
mod read;
mod rules;
mod schema;
mod steps;

pub(crate) use contents::hex;
pub use contents::{Committed, Content, FailedItem};
pub use groups::{Members, NewGroup, Upserted};
pub use import::Imported;
pub(crate) use import::file_sha256;
pub use journal::{Added, Basis, Journal, Merged};
pub use lock::{LOCK, Lock, check_free};
pub use read::{Counts, Found};
pub use steps::StepOutcome;

#[cfg(test)]
mod tests;
