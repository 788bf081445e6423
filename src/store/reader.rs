//! Reads a journal without its lock: also beside the workstation that holds it. Writes nothing.

use super::database::open::open_to_read;
use super::errors::doing;
use super::{checks, fixes, queries};
use crate::error::Result;
use crate::record::fixes::FixableRecord;
use crate::record::{GroupDetail, GroupId, GroupSummary, Vocabulary};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// A journal as it was when it was opened, whatever is done to it meanwhile.
#[derive(Debug)]
pub struct JournalReader {
    db: Connection,
    vocabulary: Arc<Vocabulary>,
}

impl JournalReader {
    /// Opens the journal of `outdir`.
    ///
    /// # Errors
    /// Where there is none, and where its layout is that of an earlier program.
    pub fn open(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        let db = open_to_read(outdir)?;
        // One state for all that is read.
        db.execute_batch("BEGIN")
            .map_err(doing("reading the journal"))?;
        Ok(Self { db, vocabulary })
    }

    /// Whether the reasons are those of the rules of this program.
    pub fn is_up_to_date(&self) -> Result<bool> {
        checks::is_checked(&self.db)
    }

    /// Every group, in source order.
    pub fn summaries(&self) -> Result<Vec<GroupSummary>> {
        queries::summaries(&self.db)
    }

    /// Everything about one group; `None` where there is no such group.
    pub fn detail(&self, id: GroupId) -> Result<Option<GroupDetail>> {
        queries::detail(&self.db, &self.vocabulary, id)
    }

    /// A group's draft with what its fixes need; `None` where there is no draft.
    pub fn fixable(&self, summary: &GroupSummary) -> Result<Option<FixableRecord>> {
        fixes::record(&self.db, summary)
    }
}
