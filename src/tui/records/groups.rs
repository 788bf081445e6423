//! All group summaries as the engine last reported them, shared with the worker thread by pointer.

use crate::record::{Estimator, GroupId, GroupState, GroupSummary};
use std::collections::HashMap;
use std::sync::Arc;

/// All summaries, for a worker: pointers only.
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

    /// Shows a step at once, by the rules of the review state machine; the engine's report follows.
    pub fn predict(&mut self, after: &GroupSummary) {
        if let Some(summary) = self.get(after.id) {
            let summary = GroupSummary {
                state: after.state,
                has_record: after.has_record,
                offered: after.offered,
                note: after.note.clone(),
                ..summary.clone()
            };
            self.put(summary);
        }
    }

    /// Estimates every uncertainty again; what is not labeled has none.
    pub fn score_by(&mut self, estimator: &Estimator) {
        let all = Arc::make_mut(&mut self.all).iter_mut();
        for summary in all.filter(|summary| summary.uncertainty > 0.0) {
            let uncertainty = estimator.uncertainty(&summary.reasons, &summary.signals);
            if uncertainty != summary.uncertainty {
                Arc::make_mut(summary).uncertainty = uncertainty;
            }
        }
    }

    pub fn get(&self, id: GroupId) -> Option<&GroupSummary> {
        self.places
            .get(&id)
            .map(|place| self.all[*place as usize].as_ref())
    }

    /// The same, shared with a worker.
    pub fn shared(&self, id: GroupId) -> Option<Arc<GroupSummary>> {
        let place = self.places.get(&id)?;
        Some(Arc::clone(&self.all[*place as usize]))
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

    /// How many records an operator has to look at.
    pub fn open(&self) -> u64 {
        let states = GroupState::ALL.iter();
        let open = states.filter(|state| state.needs_review());
        open.map(|state| self.count(*state)).sum()
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
