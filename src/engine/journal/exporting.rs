//! Decides when exports are updated: immediately in a batch, in the background in the workstation.

use super::JournalAccess;
use crate::error::Result;
use crate::export::{ExportIssues, Exports};
use crate::outdir::{FileNotice, PARQUET};
use crate::settings::EngineOptions;

pub struct Exporting {
    exports: Exports,
    is_unattended: bool,
}

impl Exporting {
    pub fn new(options: &EngineOptions) -> Self {
        let requested: &[_] = if options.parquet { &[PARQUET] } else { &[] };
        Self {
            exports: Exports::new(&options.outdir, requested),
            is_unattended: options.commit_automatically,
        }
    }

    pub fn catch_up(&mut self, journal: &mut JournalAccess) -> Result<()> {
        self.exports.catch_up(journal.opened())
    }

    /// Updates the exports if they are due. For `settled` see [`Exports::update`].
    pub fn follow(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        let exports = &mut self.exports;
        match self.is_unattended {
            true => {
                journal.with(|journal| exports.update_if_due(journal, settled))?;
            }
            false => journal.with(|journal| exports.poll(journal, settled))?,
        }
        Ok(())
    }

    /// Requests an update of all exports after a step. In the workstation it happens soon, so that the
    /// operator does not wait.
    pub fn request(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        if self.is_unattended {
            return self.update(journal, settled);
        }
        let exports = &mut self.exports;
        journal.with(|journal| exports.request_update(journal, settled))
    }

    /// Updates all exports now.
    pub fn update(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.update(journal, settled))
    }

    /// Counts the records that are not exported unchanged.
    pub fn tally(&mut self, journal: &mut JournalAccess) -> Result<ExportIssues> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.issues(journal))
    }

    /// Takes the notices for the user; each is returned once.
    pub fn take_notices(&mut self) -> Vec<FileNotice> {
        self.exports.take_notices()
    }
}
