//! Work over all summaries that may take longer than a frame, off the UI thread.

use super::groups::Snapshot;
use crate::error::{Error, Result};
use crate::record::filter::{HeldRecord, Query, Sort, select};
use crate::record::{Field, GroupState, Reason};
use crate::threads;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    Filter {
        number: u64,
        all: Snapshot,
        query: Query,
        sort: Sort,
        held: Option<HeldRecord>,
    },
    Count {
        all: Snapshot,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum TaskResult {
    Filtered { number: u64, rows: Vec<u32> },
    Counted(Box<ValueCounts>),
}

/// How often everything occurs, most first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueCounts {
    pub states: Vec<(GroupState, u64)>,
    pub reasons: Vec<(Reason, u64)>,
    pub values: BTreeMap<Field, Vec<(String, u64)>>,
    /// Tenths of uncertainty, lowest first.
    pub uncertainty: [u64; 10],
}

impl ValueCounts {
    pub fn of(&self, field: Field) -> &[(String, u64)] {
        self.values.get(&field).map_or(&[], Vec::as_slice)
    }
}

impl Task {
    pub fn run(self) -> TaskResult {
        match self {
            Task::Filter {
                number,
                all,
                query,
                sort,
                held,
            } => TaskResult::Filtered {
                number,
                rows: select(&all, &query, sort, held),
            },
            Task::Count { all } => TaskResult::Counted(Box::new(count(&all))),
        }
    }
}

fn count(all: &Snapshot) -> ValueCounts {
    let mut uncertainty = [0; 10];
    for summary in all.iter() {
        if !matches!(summary.state, GroupState::Waiting | GroupState::Running) {
            uncertainty[((summary.uncertainty * 10.0).max(0.0) as usize).min(9)] += 1;
        }
    }
    let states = tally(all.iter().map(|summary| summary.state));
    let of = |state: GroupState| states.iter().find(|(have, _)| *have == state).copied();
    let values = |field: Field| {
        let counts = tally(all.iter().flat_map(|summary| summary.labels.values(field)));
        counts
            .into_iter()
            .map(|(text, n)| (text.clone(), n))
            .collect()
    };
    ValueCounts {
        states: GroupState::ALL
            .iter()
            .filter_map(|state| of(*state))
            .collect(),
        reasons: tally(
            all.iter()
                .flat_map(|summary| summary.reasons.iter().copied()),
        ),
        values: Field::shared()
            .map(|(field, _)| (field, values(field)))
            .collect(),
        uncertainty,
    }
}

/// How often each occurs, most first.
fn tally<K: Ord + Hash>(values: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut counts: HashMap<K, u64> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// A thread that always works on the newest task of each kind.
pub fn spawn(
    tasks: crossbeam_channel::Receiver<Task>,
    done: crossbeam_channel::Sender<TaskResult>,
    failed: impl FnOnce(Error) + Send + 'static,
) -> Result<()> {
    let work = move || {
        while let Ok(first) = tasks.recv() {
            let (mut filter, mut count) = (None, None);
            for task in std::iter::once(first).chain(tasks.try_iter()) {
                match task {
                    Task::Filter { .. } => filter = Some(task),
                    Task::Count { .. } => count = Some(task),
                }
            }
            for task in [filter, count].into_iter().flatten() {
                if done.send(task.run()).is_err() {
                    return;
                }
            }
        }
    };
    threads::spawn("tui-worker", work, failed).map(drop)
}
