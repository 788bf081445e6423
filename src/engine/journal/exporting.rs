//! When the exports are brought up to date: at once where nobody waits at a screen, else without
//! anybody having to wait for them.

use super::JournalAccess;
use crate::error::Result;
use crate::export::{Exports, Tally};
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

    /// See [`Exports::catch_up`].
    pub fn catch_up(&mut self, journal: &mut JournalAccess) -> Result<()> {
        self.exports.catch_up(journal.opened())
    }

    /// Brings them up to date now and then; for `settled` see [`Exports::update`].
    pub fn follow(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        let exports = &mut self.exports;
        match self.is_unattended {
            true => {
                journal.with(|journal| exports.update_if_due(journal, settled))?;
            }
            false => journal.with(|journal| exports.follow(journal, settled))?,
        }
        Ok(())
    }

    /// After a step: all of them, soon where an operator would have to wait.
    pub fn want(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        if self.is_unattended {
            return self.update(journal, settled);
        }
        let exports = &mut self.exports;
        journal.with(|journal| exports.want(journal, settled))
    }

    /// All of them, now.
    pub fn update(&mut self, journal: &mut JournalAccess, settled: bool) -> Result<()> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.update(journal, settled))
    }

    /// Records that are not exported as they stand.
    pub fn tally(&mut self, journal: &mut JournalAccess) -> Result<Tally> {
        let exports = &mut self.exports;
        journal.with(|journal| exports.tally(journal))
    }

    /// What the user should know; told once.
    pub fn take_notices(&mut self) -> Vec<FileNotice> {
        self.exports.take_notices()
    }
}
