//! Where state lives: the journal, and the lock that keeps others out.

mod contents;
mod fault;
mod groups;
mod head;
mod import;
mod journal;
mod lock;
mod open;
mod place;
mod read;
mod recovery;
mod rules;
mod schema;
mod steps;

pub(crate) use contents::written_key;
pub use contents::{Committed, Content, FailedItem};
pub use groups::{Members, NewGroup, Upserted};
pub(crate) use import::file_sha256;
pub use import::{Imported, Prefer};
pub use journal::{Added, Basis, Journal, Merged};
pub use lock::{Lock, check_free};
pub use place::{Misplaced, rescue_text};
pub use read::{Counts, Found};
pub use recovery::{Checked, Rebuilt, Restored, backup, check, rebuild, restore};
pub use steps::StepOutcome;

#[cfg(test)]
mod tests;
