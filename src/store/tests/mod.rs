//! The journal in use: helpers, and what it must keep.

mod crash;
mod exports;
mod import;
mod journal;
mod steps;
mod versions;

use super::{Journal, NewGroup};
use crate::record::testing::{item, labels, list, settings};
use crate::record::{
    Attempt, Change, Failure, FailureCode, Field, GroupId, GroupState, Labels, Reason, Timings,
    TokenCounts, Vocabulary,
};
use std::path::Path;
use std::sync::{Arc, OnceLock};

fn vocabulary() -> Arc<Vocabulary> {
    static BUILTIN: OnceLock<Arc<Vocabulary>> = OnceLock::new();
    Arc::clone(BUILTIN.get_or_init(|| Arc::new(Vocabulary::builtin().unwrap())))
}

fn open(outdir: &Path) -> Journal {
    Journal::open(outdir, vocabulary()).unwrap()
}

/// A group whose hash follows from its name.
fn group(order: u64, name: &str) -> NewGroup {
    NewGroup {
        order,
        item: item(name),
        sha256: Some(format!("sha-{name}")),
        rows: 1,
        other_names: vec![],
    }
}

fn attempt(labels: Labels, reasons: &[Reason]) -> Attempt {
    Attempt {
        id: 0,
        at: "2026-01-10T00:00:00Z".into(),
        model: "Qwen/Qwen2-VL-2B-Instruct".into(),
        prompt_version: "v2".into(),
        retry_of: None,
        settings: settings(),
        settings_hash: "5e77".into(),
        raw_text: "{}".into(),
        labels: Some(labels),
        reasons: reasons.to_vec(),
        confidence: vec![],
        truncated: false,
        timings: Timings::default(),
        tokens: TokenCounts::default(),
        failure: None,
    }
}

fn failure(code: FailureCode) -> Failure {
    Failure {
        code,
        detail: "no such file".into(),
    }
}

/// A journal with these groups, in this order, each with a good answer.
fn labelled(outdir: &Path, names: &[&str]) -> (Journal, Vec<GroupId>) {
    let mut journal = open(outdir);
    let ids = add(&mut journal, names);
    for (id, name) in ids.iter().zip(names) {
        journal
            .add_attempt(*id, &attempt(labels(name), &[]))
            .unwrap();
    }
    (journal, ids)
}

fn add(journal: &mut Journal, names: &[&str]) -> Vec<GroupId> {
    journal.begin_source();
    let groups: Vec<NewGroup> = (0..).zip(names).map(|(at, name)| group(at, name)).collect();
    let upserted = journal.upsert_groups(&groups).unwrap();
    upserted.into_iter().map(|upserted| upserted.id).collect()
}

fn state(journal: &Journal, id: GroupId) -> GroupState {
    journal.summary(id).unwrap().unwrap().state
}

fn set_label(text: &str) -> Change {
    Change::Set {
        field: Field::LabelKo,
        values: vec![text.into()],
    }
}

fn read(outdir: &Path, name: &str) -> String {
    std::fs::read_to_string(outdir.join(name)).unwrap()
}

fn lines(outdir: &Path, name: &str) -> Vec<serde_json::Value> {
    read(outdir, name)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
