//! Where state lives: the journal, its exports, and the lock that keeps others out.

mod exports;
mod fault;
mod groups;
mod head;
mod import;
mod journal;
mod lock;
mod parquet;
mod read;
mod rules;
mod schema;
mod steps;

pub use exports::{ERRORS, LABELS, PARQUET};
pub use groups::{Members, NewGroup, Upserted};
pub use journal::{Added, Basis, Journal, Merged};
pub use lock::{LOCK, Lock, check_free};
pub use read::{Counts, Found};
pub use steps::{LineEffects, StepOutcome};

#[cfg(test)]
mod tests;
