//! Tasks over all summaries that may take longer than a frame; they run off the UI thread.

use super::groups::Snapshot;
use crate::error::{Error, Result};
use crate::record::filter::{PinnedRecord, Query, Sort, select};
use crate::record::{
    Change, ChangePreview, Field, GroupId, GroupState, GroupSummary, Reason, Vocabulary, similar,
};
use crate::threads;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// Most example records of a value.
const MAX_EXAMPLES: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    Filter {
        number: u64,
        all: Snapshot,
        query: Query,
        sort: Sort,
        /// Ranks of search results; they override the sort order.
        found: Option<Arc<HashMap<GroupId, u32>>>,
        /// Whether to keep only the first row of each recolor family.
        folded: bool,
        pinned: Option<PinnedRecord>,
    },
    Count {
        all: Snapshot,
        vocabulary: Arc<Vocabulary>,
    },
    Preview {
        number: u64,
        records: Vec<Arc<GroupSummary>>,
        change: Change,
        vocabulary: Arc<Vocabulary>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum TaskResult {
    Filtered {
        number: u64,
        rows: Vec<u32>,
    },
    Counted(Box<ValueCounts>),
    Previewed {
        number: u64,
        preview: Box<ChangePreview>,
    },
}

/// Counts of states, reasons and values over all records, most frequent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueCounts {
    pub states: Vec<(GroupState, u64)>,
    pub reasons: Vec<(Reason, u64)>,
    pub values: BTreeMap<Field, Vec<ValueCount>>,
    /// Histogram of the uncertainty in tenths, lowest first.
    pub uncertainty: [u64; 10],
}

impl ValueCounts {
    /// Counts of the values of a field; probable synonyms are adjacent.
    pub fn of(&self, field: Field) -> &[ValueCount] {
        self.values.get(&field).map_or(&[], Vec::as_slice)
    }
}

/// Count of one value of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueCount {
    pub value: String,
    pub records: u64,
    /// Number of those records that are uncertain.
    pub uncertain: u64,
    /// The first of those records, in source order.
    pub examples: Vec<GroupId>,
    /// The more frequent value that this one is probably a synonym of.
    pub like: Option<String>,
}

impl Task {
    pub fn run(self) -> TaskResult {
        match self {
            Task::Filter {
                number,
                all,
                query,
                sort,
                found,
                folded,
                pinned,
            } => {
                let mut rows = select(&all, &query, sort, pinned);
                if let Some(found) = found {
                    let rank = |row: &u32| found.get(&all[*row as usize].id).copied();
                    rows.sort_by_key(|row| rank(row).unwrap_or(u32::MAX));
                }
                if folded {
                    fold(&mut rows, &all, pinned);
                }
                TaskResult::Filtered { number, rows }
            }
            Task::Count { all, vocabulary } => {
                TaskResult::Counted(Box::new(count(&all, &vocabulary)))
            }
            Task::Preview {
                number,
                records,
                change,
                vocabulary,
            } => {
                let records = records.iter().map(AsRef::as_ref);
                let preview = ChangePreview::of::<&GroupSummary>(records, &change, &vocabulary);
                TaskResult::Previewed {
                    number,
                    preview: Box::new(preview),
                }
            }
        }
    }
}

/// Keeps the first row of each recolor family, and the record being edited.
fn fold(rows: &mut Vec<u32>, all: &Snapshot, pinned: Option<PinnedRecord>) {
    let mut seen = HashSet::new();
    let pinned = pinned.map(|pinned| pinned.group);
    rows.retain(|index| {
        let summary = &all[*index as usize];
        let is_first = summary.family.is_none_or(|family| seen.insert(family));
        is_first || pinned == Some(summary.id)
    });
}

fn count(all: &Snapshot, vocabulary: &Vocabulary) -> ValueCounts {
    let mut uncertainty = [0; 10];
    for summary in all.iter() {
        if !matches!(summary.state, GroupState::Waiting | GroupState::Running) {
            uncertainty[((summary.uncertainty * 10.0).max(0.0) as usize).min(9)] += 1;
        }
    }
    let states = tally(all.iter().map(|summary| summary.state));
    let of = |state: GroupState| states.iter().find(|(have, _)| *have == state).copied();
    let values = |field: Field| {
        let counts = values_in(all.iter().map(AsRef::as_ref), field);
        with_synonyms(field, counts, vocabulary)
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

/// Counts each value of a field in these records, most frequent first.
pub fn values_in<'a>(
    records: impl Iterator<Item = &'a GroupSummary>,
    field: Field,
) -> Vec<ValueCount> {
    let mut counts: HashMap<&str, ValueCount> = HashMap::new();
    for summary in records {
        let values = summary.labels.values(field).iter();
        // An imported list may contain a value twice.
        let mut seen = HashSet::new();
        for value in values.filter(|value| seen.insert(*value)) {
            let count = counts.entry(value).or_insert_with(|| ValueCount {
                value: value.clone(),
                ..ValueCount::default()
            });
            count.records += 1;
            count.uncertain += u64::from(summary.state == GroupState::Uncertain);
            if count.examples.len() < MAX_EXAMPLES {
                count.examples.push(summary.id);
            }
        }
    }
    let mut counts: Vec<ValueCount> = counts.into_values().collect();
    counts.sort_by(|a, b| {
        b.records
            .cmp(&a.records)
            .then_with(|| a.value.cmp(&b.value))
    });
    counts
}

/// Moves each probable synonym right after its more frequent value.
fn with_synonyms(
    field: Field,
    counts: Vec<ValueCount>,
    vocabulary: &Vocabulary,
) -> Vec<ValueCount> {
    let words: Vec<&str> = counts.iter().map(|count| count.value.as_str()).collect();
    let heads = similar(field, &words, vocabulary);
    let names: Vec<Option<String>> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| (at != *head).then(|| counts[*head].value.clone()))
        .collect();
    let mut found: Vec<(usize, ValueCount)> = heads
        .into_iter()
        .zip(counts.into_iter().zip(names))
        .map(|(head, (count, like))| (head, ValueCount { like, ..count }))
        .collect();
    found.sort_by_key(|(head, _)| *head);
    found.into_iter().map(|(_, count)| count).collect()
}

/// Counts each distinct value, most frequent first.
fn tally<K: Ord + Hash>(values: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut counts: HashMap<K, u64> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// Starts a thread that runs the newest task of each kind.
pub fn spawn(
    tasks: crossbeam_channel::Receiver<Task>,
    done: crossbeam_channel::Sender<TaskResult>,
    failed: impl FnOnce(Error) + Send + 'static,
) -> Result<()> {
    let work = move || {
        while let Ok(first) = tasks.recv() {
            let (mut filter, mut count, mut preview) = (None, None, None);
            for task in std::iter::once(first).chain(tasks.try_iter()) {
                match task {
                    Task::Filter { .. } => filter = Some(task),
                    Task::Count { .. } => count = Some(task),
                    Task::Preview { .. } => preview = Some(task),
                }
            }
            for task in [filter, preview, count].into_iter().flatten() {
                if done.send(task.run()).is_err() {
                    return;
                }
            }
        }
    };
    threads::spawn("tui-worker", work, failed).map(drop)
}
