//! Caches the committed records: they are examples for the model and neighbors of the record that
//! the operator has open.

use super::journal::JournalAccess;
use super::queue::Job;
use crate::error::Result;
use crate::record::{ApprovedRecords, GroupDetail, GroupId, Neighbor};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Number of neighbors shown for a record.
const NEIGHBORS: usize = 6;

#[derive(Debug, Default)]
pub struct Examples {
    records: Arc<ApprovedRecords>,
    /// Groups that may have changed since the last update; `None` before the first one.
    stale: Option<BTreeSet<GroupId>>,
}

impl Examples {
    /// Marks groups as possibly changed.
    pub fn mark_stale(&mut self, groups: impl IntoIterator<Item = GroupId>) {
        if let Some(stale) = &mut self.stale {
            stale.extend(groups);
        }
    }

    fn records(&mut self, journal: &mut JournalAccess) -> Result<&Arc<ApprovedRecords>> {
        let stale: Option<Vec<GroupId>> = self
            .stale
            .as_ref()
            .map(|stale| stale.iter().copied().collect());
        if stale.as_ref().is_none_or(|stale| !stale.is_empty()) {
            let now = journal.with(|journal| journal.approved(stale.as_deref()))?;
            let groups = stale.unwrap_or_default();
            Arc::make_mut(&mut self.records).update(&groups, now);
            self.stale = Some(BTreeSet::new());
        }
        Ok(&self.records)
    }

    /// Attaches the records to a request that needs examples.
    pub fn attach(&mut self, job: &mut Job, journal: &mut JournalAccess) -> Result<()> {
        if job.settings.examples > 0 {
            job.approved = Arc::clone(self.records(journal)?);
        }
        Ok(())
    }

    /// Adds the records with the most similar icons to a group's details.
    pub fn find_neighbors(
        &mut self,
        detail: &mut GroupDetail,
        journal: &mut JournalAccess,
    ) -> Result<()> {
        let group = detail.summary.id;
        let appearance = journal.with(|journal| journal.appearance(group))?;
        let Some(appearance) = appearance else {
            return Ok(());
        };
        let nearest = self
            .records(journal)?
            .nearest(&appearance, group, NEIGHBORS);
        detail.neighbors = nearest.iter().map(|near| Neighbor::from(&**near)).collect();
        Ok(())
    }
}
