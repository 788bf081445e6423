//! All group summaries as the engine last reported them, shared with the worker thread.

use crate::record::{Estimator, GroupId, GroupState, GroupSummary};
use std::collections::HashMap;
use std::sync::Arc;

/// All summaries; cheap to clone for the worker thread.
pub type Snapshot = Arc<Vec<Arc<GroupSummary>>>;

#[derive(Debug, Default)]
pub struct Groups {
    all: Snapshot,
    indices: HashMap<GroupId, u32>,
    /// Number of groups in each state.
    states: [u64; GroupState::ALL.len()],
    /// Indices of the groups of each recolor family.
    families: HashMap<GroupId, Vec<u32>>,
}

impl Groups {
    pub fn put(&mut self, summary: GroupSummary) {
        self.states[summary.state as usize] += 1;
        let all = Arc::make_mut(&mut self.all);
        let family = summary.family;
        let (index, old_family) = match self.indices.get(&summary.id) {
            Some(&index) => {
                let summary = Arc::new(summary);
                let old = std::mem::replace(&mut all[index as usize], summary);
                self.states[old.state as usize] -= 1;
                (index, old.family)
            }
            None => {
                let index = all.len() as u32;
                self.indices.insert(summary.id, index);
                all.push(Arc::new(summary));
                (index, None)
            }
        };
        if family == old_family {
            return;
        }
        if let Some(members) = old_family.and_then(|family| self.families.get_mut(&family)) {
            members.retain(|member| *member != index);
        }
        if let Some(family) = family {
            self.families.entry(family).or_default().push(index);
        }
    }

    /// Shows a predicted step at once; the engine's report follows.
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

    /// Recomputes every uncertainty.
    pub fn rescore(&mut self, estimator: &Estimator) {
        for summary in Arc::make_mut(&mut self.all) {
            if uncertainty(summary, estimator) != summary.uncertainty {
                rescore(Arc::make_mut(summary), estimator);
            }
        }
    }

    pub fn get(&self, id: GroupId) -> Option<&GroupSummary> {
        self.indices
            .get(&id)
            .map(|index| self.all[*index as usize].as_ref())
    }

    /// A summary to share with the worker thread.
    pub fn shared(&self, id: GroupId) -> Option<Arc<GroupSummary>> {
        let index = self.indices.get(&id)?;
        Some(Arc::clone(&self.all[*index as usize]))
    }

    pub fn at(&self, index: u32) -> &GroupSummary {
        &self.all[index as usize]
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

    /// Number of records that need review.
    pub fn open(&self) -> u64 {
        let states = GroupState::ALL.iter();
        let open = states.filter(|state| state.needs_review());
        open.map(|state| self.count(*state)).sum()
    }

    /// Number of records that `labels.jsonl` has, with or without reasons.
    pub fn in_labels(&self) -> u64 {
        self.ids_where(|summary| summary.has_record).count() as u64
    }

    /// Number of rejected records whose lines a commit removes.
    pub fn rejected_lines(&self) -> u64 {
        match self.count(GroupState::Rejected) {
            0 => 0,
            _ => self.ids_where(GroupSummary::loses_line).count() as u64,
        }
    }

    /// Number of icons in a recolor family, including this one.
    pub fn family_size(&self, summary: &GroupSummary) -> usize {
        self.members(summary).map_or(1, <[u32]>::len)
    }

    fn members(&self, summary: &GroupSummary) -> Option<&[u32]> {
        Some(self.families.get(&summary.family?)?)
    }

    /// All icons of a recolor family, including this one, in source order.
    pub fn family(&self, id: GroupId) -> Vec<&GroupSummary> {
        let Some(this) = self.get(id) else {
            return Vec::new();
        };
        let Some(members) = self.members(this) else {
            return vec![this];
        };
        let mut family: Vec<&GroupSummary> = members.iter().map(|index| self.at(*index)).collect();
        family.sort_by_key(|member| member.order);
        family
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

/// Recomputes the uncertainty of a group.
pub fn rescore(summary: &mut GroupSummary, estimator: &Estimator) {
    summary.uncertainty = uncertainty(summary, estimator);
}

/// The uncertainty of a group; unlabeled ones have none.
fn uncertainty(summary: &GroupSummary, estimator: &Estimator) -> f32 {
    match summary.uncertainty > 0.0 {
        true => estimator.uncertainty(&summary.reasons, &summary.signals, summary.unexplained),
        false => summary.uncertainty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::items;

    #[test]
    fn a_family_follows_changes_of_its_members() {
        let mut groups = Groups::default();
        let mut put = |id, family: Option<i64>| {
            let summary = items::detail(id, "모자", GroupState::Draft, &[]).summary;
            groups.put(GroupSummary {
                order: 10 - id as u64,
                family: family.map(GroupId),
                ..summary
            });
            let members = |id| groups.family(GroupId(id)).into_iter();
            (1..=3)
                .map(|id| members(id).map(|member| member.id.0).collect())
                .collect::<Vec<Vec<i64>>>()
        };
        put(1, None);
        put(2, Some(2));
        assert_eq!(put(3, Some(2)), [vec![1], vec![3, 2], vec![3, 2]]);
        assert_eq!(put(1, Some(1)), [vec![1], vec![3, 2], vec![3, 2]]);
        assert_eq!(put(3, Some(1)), [vec![3, 1], vec![2], vec![3, 1]]);
        assert_eq!(put(2, None), [vec![3, 1], vec![2], vec![3, 1]]);
    }
}
