//! Where state lives: the journal, its exports, and the lock that keeps others out.

mod aside;
mod exports;
mod fault;
mod groups;
mod head;
mod import;
mod journal;
mod lock;
mod open;
mod outdir;
mod parquet;
mod read;
mod recovery;
mod rules;
mod schema;
mod steps;

pub use exports::{ERRORS, LABELS, PARQUET};
pub use groups::{Members, NewGroup, Upserted};
pub use journal::{Added, Basis, Journal, Merged};
pub use lock::{LOCK, Lock, check_free};
pub use outdir::{JOURNAL, KEPT, LOG, UNREAD, check_outdir, open_own};
pub use read::{Counts, Found};
pub use recovery::{Checked, Rebuilt, Restored, backup, check, rebuild, restore};
pub use steps::StepOutcome;

#[cfg(test)]
mod tests;
