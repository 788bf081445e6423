//! The journal that stores all state, and the lock that gives one process exclusive access to it.
//! [`Journal`] is the public interface.

mod answers;
mod audit;
mod checks;
mod contents;
mod database;
mod edit_context;
mod errors;
mod history;
mod images;
mod import;
mod journal;
mod learning;
mod queries;
mod recovery;
mod review_records;
mod source_reading;
mod tables;

pub use answers::{Basis, Merged, StoredAttempt};
pub use contents::{Committed, DisplacedEdit, FailedItem};
pub use database::lock::{Lock, check_unlocked};
pub use database::{UnusableJournal, check_journal_folder, write_rescued_text};
pub use history::StepOutcome;
pub use images::Relatives;
pub(crate) use import::file_sha256;
pub use import::{Imported, LabelsFile, Prefer};
pub use journal::{FRONT_END_PREFIX, Journal};
pub use queries::{Counts, KnownGroup};
pub use recovery::{
    Checked, JournalCopy, Rebuilt, Replayed, Restored, RunJudgment, RunStep, RunStepKind, backup,
    check, copy_to_read, files_to_restore, is_steps_file, rebuild, replay, require_journal,
    rescued_files, restore,
};
pub use review_records::{ReviewRecord, StoredRecord};
pub use source_reading::{NewGroup, Upserted};
pub use tables::meta::Content;

#[cfg(test)]
mod tests;
