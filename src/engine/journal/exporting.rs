//! Decides when exports are updated: immediately in a batch, in the background in the workstation.

use super::JournalAccess;
use crate::engine::EngineOptions;
use crate::error::Result;
use crate::export::{ExportIssues, Exports, MissingImages, OutputFile};
use crate::record::FileNotice;

pub struct Exporting {
    exports: Exports,
    is_unattended: bool,
}

impl Exporting {
    pub fn new(options: &EngineOptions) -> Self {
        Self {
            exports: Exports::new(&options.outdir, &options.exports),
            is_unattended: options.commit_automatically,
        }
    }

    pub fn catch_up(&mut self, journal: &mut JournalAccess) -> Result<()> {
        self.exports.catch_up(journal.opened())
    }

    /// Updates the exports if they are due.
    pub fn follow(&mut self, journal: &mut JournalAccess, missing: MissingImages) -> Result<()> {
        let exports = &mut self.exports;
        match self.is_unattended {
            true => {
                journal.with(|journal| exports.update_if_due(journal, missing))?;
            }
            false => journal.with(|journal| exports.poll(journal, missing))?,
        }
        Ok(())
    }

    /// Requests an update of all exports after a step. In the workstation it happens soon, so that the
    /// operator does not wait.
    pub fn request(&mut self, journal: &mut JournalAccess, missing: MissingImages) -> Result<()> {
        let exports = &mut self.exports;
        journal.with(|journal| match self.is_unattended {
            true => exports.update(journal, missing),
            false => exports.request_update(journal, missing),
        })
    }

    /// Updates all exports now. Images that are not at their paths are taken as gone.
    pub fn update(&mut self, journal: &mut JournalAccess) -> Result<()> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.update(journal, MissingImages::AreGone))
    }

    /// Counts the records that are not exported unchanged.
    pub fn tally(&mut self, journal: &mut JournalAccess) -> Result<ExportIssues> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.issues(journal))
    }

    /// Returns the existing files that the run may have written.
    pub fn output_files(&self, has_failures: bool) -> Vec<OutputFile> {
        self.exports.output_files(has_failures)
    }

    /// Takes the notices for the user; each is returned once.
    pub fn take_notices(&mut self) -> Vec<FileNotice> {
        self.exports.take_notices()
    }
}
