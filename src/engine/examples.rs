//! The records that the operator has committed, kept up to date as far as somebody wants them: the
//! model as examples, a person beside the record in hand.

use super::journal::JournalAccess;
use super::queue::Job;
use crate::error::Result;
use crate::record::{ApprovedRecords, GroupDetail, GroupId, Neighbor};
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many stand beside a record.
const NEIGHBORS: usize = 6;

#[derive(Debug, Default)]
pub struct Examples {
    records: Arc<ApprovedRecords>,
    /// Groups that may stand otherwise by now; `None` before anybody has wanted any.
    stale: Option<BTreeSet<GroupId>>,
}

impl Examples {
    /// These groups may stand otherwise than before.
    pub fn changed(&mut self, groups: impl IntoIterator<Item = GroupId>) {
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

    /// Gives a request what its examples are chosen from, where it wants any.
    pub fn give(&mut self, job: &mut Job, journal: &mut JournalAccess) -> Result<()> {
        if job.settings.examples > 0 {
            job.approved = Arc::clone(self.records(journal)?);
        }
        Ok(())
    }

    /// Puts the nearest ones beside a record.
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
