//! Where state lives: the journal, and the lock that keeps others out. [`Journal`] is its door.

mod answers;
mod audit;
mod checks;
mod contents;
mod database;
mod edit_context;
mod errors;
mod fixes;
mod history;
mod images;
mod import;
mod journal;
mod learning;
mod queries;
mod recovery;
mod rules;
mod source_reading;
mod tables;

pub use answers::{Added, Basis, Merged};
pub use contents::{Committed, DisplacedEdit, FailedItem};
pub use database::lock::{Lock, check_free};
pub use database::{Misplaced, rescue_text, try_folder};
pub use history::StepOutcome;
pub use images::Relatives;
pub(crate) use import::file_sha256;
pub use import::{FileOfRecords, Imported, Prefer};
pub use journal::{Journal, REMEMBERED};
pub use queries::{Counts, KnownGroup};
pub use recovery::{
    Checked, JournalCopy, Rebuilt, Replayed, Restored, RunStep, RunStepKind, backup, check,
    copy_to_read, files_to_restore, is_run_file, rebuild, replay, rescued_files, restore,
};
pub use source_reading::{Members, NewGroup, Upserted};
pub use tables::meta::Content;
pub(crate) use tables::meta::written_key;

#[cfg(test)]
mod tests;
