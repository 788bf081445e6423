//! Work over all summaries that may take longer than a frame, off the UI thread.

use super::filter::{self, Held, Query, Sort};
use super::groups::Snapshot;
use crate::record::{GroupState, Reason};
use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    Filter {
        number: u64,
        all: Snapshot,
        query: Query,
        sort: Sort,
        held: Option<Held>,
    },
    Count {
        all: Snapshot,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    Filtered { number: u64, rows: Vec<u32> },
    Counted(Box<Counts>),
}

/// How often everything occurs, most first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub states: Vec<(GroupState, u64)>,
    pub reasons: Vec<(Reason, u64)>,
    pub tags: Vec<(String, u64)>,
    pub colours: Vec<(String, u64)>,
    pub types: Vec<(String, u64)>,
    /// Tenths of doubt, lowest first.
    pub doubt: [u64; 10],
}

impl Job {
    pub fn run(self) -> Done {
        match self {
            Job::Filter {
                number,
                all,
                query,
                sort,
                held,
            } => Done::Filtered {
                number,
                rows: filter::run(&all, &query, sort, held),
            },
            Job::Count { all } => Done::Counted(Box::new(count(&all))),
        }
    }
}

fn count(all: &Snapshot) -> Counts {
    let mut states: HashMap<GroupState, u64> = HashMap::new();
    let mut reasons: HashMap<Reason, u64> = HashMap::new();
    let mut tags: HashMap<&str, u64> = HashMap::new();
    let mut colours: HashMap<&str, u64> = HashMap::new();
    let mut types: HashMap<&str, u64> = HashMap::new();
    let mut doubt = [0; 10];
    for summary in all.iter() {
        *states.entry(summary.state).or_default() += 1;
        for reason in &summary.reasons {
            *reasons.entry(*reason).or_default() += 1;
        }
        for tag in &summary.tags_ko {
            *tags.entry(tag).or_default() += 1;
        }
        for colour in &summary.colors {
            *colours.entry(colour).or_default() += 1;
        }
        if let Some(kind) = &summary.item_type {
            *types.entry(kind).or_default() += 1;
        }
        if !matches!(summary.state, GroupState::Waiting | GroupState::Running) {
            doubt[((summary.doubt * 10.0).max(0.0) as usize).min(9)] += 1;
        }
    }
    let text = |map: HashMap<&str, u64>| most(map.into_iter().map(|(k, v)| (k.to_owned(), v)));
    Counts {
        states: GroupState::ALL
            .iter()
            .filter_map(|state| Some((*state, *states.get(state)?)))
            .collect(),
        reasons: most(reasons.into_iter()),
        tags: text(tags),
        colours: text(colours),
        types: text(types),
        doubt,
    }
}

fn most<K: Ord>(counts: impl Iterator<Item = (K, u64)>) -> Vec<(K, u64)> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// A thread that always works on the newest job of each kind.
pub fn spawn(
    jobs: crossbeam_channel::Receiver<Job>,
    done: crossbeam_channel::Sender<Done>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("tui-worker".into())
        .spawn(move || {
            while let Ok(first) = jobs.recv() {
                let (mut filter, mut count) = (None, None);
                for job in std::iter::once(first).chain(jobs.try_iter()) {
                    match job {
                        Job::Filter { .. } => filter = Some(job),
                        Job::Count { .. } => count = Some(job),
                    }
                }
                for job in [filter, count].into_iter().flatten() {
                    if done.send(job.run()).is_err() {
                        return;
                    }
                }
            }
        })
}
