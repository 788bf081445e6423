//! All group summaries as the engine last told them, shared with the worker thread by pointer.

use crate::record::{GroupId, GroupState, GroupSummary};
use std::collections::HashMap;
use std::sync::Arc;

/// What a worker is handed: pointers only.
pub type Snapshot = Arc<Vec<Arc<GroupSummary>>>;

#[derive(Debug, Default)]
pub struct Groups {
    all: Snapshot,
    places: HashMap<GroupId, u32>,
    states: [u64; GroupState::ALL.len()],
}

impl Groups {
    pub fn put(&mut self, summary: GroupSummary) {
        self.states[summary.state as usize] += 1;
        let all = Arc::make_mut(&mut self.all);
        match self.places.get(&summary.id) {
            Some(&place) => {
                let old = &mut all[place as usize];
                self.states[old.state as usize] -= 1;
                *old = Arc::new(summary);
            }
            None => {
                self.places.insert(summary.id, all.len() as u32);
                all.push(Arc::new(summary));
            }
        }
    }

    /// Shows a decision at once; the engine's own word follows.
    pub fn expect_state(&mut self, id: GroupId, state: GroupState) {
        if let Some(summary) = self.get(id) {
            let mut summary = summary.clone();
            summary.state = state;
            self.put(summary);
        }
    }

    pub fn get(&self, id: GroupId) -> Option<&GroupSummary> {
        self.places
            .get(&id)
            .map(|place| self.all[*place as usize].as_ref())
    }

    pub fn at(&self, place: u32) -> &GroupSummary {
        &self.all[place as usize]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn count(&self, state: GroupState) -> u64 {
        self.states[state as usize]
    }

    pub fn snapshot(&self) -> Snapshot {
        self.all.clone()
    }

    pub fn ids_where<'a>(
        &'a self,
        test: impl Fn(&GroupSummary) -> bool + 'a,
    ) -> impl Iterator<Item = GroupId> + 'a {
        self.all
            .iter()
            .filter(move |summary| test(summary))
            .map(|summary| summary.id)
    }
}

/// Whether an operator has to look: doubtful, half mended or failed.
pub fn needs_person(state: GroupState) -> bool {
    matches!(
        state,
        GroupState::Uncertain | GroupState::Edited | GroupState::Failed
    )
}
