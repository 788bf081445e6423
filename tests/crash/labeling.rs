//! `--batch`, killed while it labels.

use crate::common::{Desk, good, say};
use crate::killing::{check_lines, cut, journal, number, whole};
use crate::kills;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use std::collections::HashSet;
use std::process::Command;

pub const RUN: [&str; 7] = [
    "--batch", "--json", "--resume", "--images", "source", "--outdir", "out",
];

/// So many icons, each answered well.
pub fn desk(items: usize) -> Desk {
    let mut desk = Desk::new();
    desk.slots(4);
    for n in 0..items {
        let name = format!("모자 {n:02}");
        desk.icon(&name);
        desk.plays(&name, &[say(good(&name))]);
    }
    desk
}

/// The items that a run has told as labeled.
pub fn labeled(told: &[String]) -> impl Iterator<Item = String> {
    told.iter().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let is = event["event"] == "labeled";
        is.then(|| event["item_name"].as_str().unwrap().to_owned())
    })
}

/// Of a series on one outdir: what was told is there, once.
pub fn check(desk: &Desk, told: &HashSet<String>) {
    let Some((_copy, journal)) = journal(desk) else {
        assert!(told.is_empty());
        return;
    };
    if number(&journal, "PRAGMA user_version") == 0 {
        assert!(told.is_empty());
        return;
    }
    let mut select = journal
        .prepare("SELECT g.name FROM groups g JOIN heads h ON h.group_id = g.id WHERE h.record IS NOT NULL")
        .unwrap();
    let committed = select.query_map([], |row| row.get(0)).unwrap();
    let committed: HashSet<String> = committed.map(Result::unwrap).collect();
    let lost: Vec<&String> = told.difference(&committed).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let twice =
        "SELECT count(*) FROM (SELECT 1 FROM records GROUP BY group_id HAVING count(*) > 1)";
    assert_eq!(number(&journal, twice), 0, "a record stands twice");
    check_lines(&desk.out("labels.jsonl"), &desk.source(""));
}

fn run(desk: &Desk) -> Command {
    desk.command(&RUN)
}

#[test]
fn what_a_killed_run_has_told_is_there_once() {
    let first = desk(40);
    let time = whole(&mut run(&first));
    let mut random = StdRng::seed_from_u64(1);
    let mut desk = desk(40);
    let mut told = HashSet::new();
    let mut left = kills();
    while left > 0 {
        let cut = cut(&mut run(&desk), time, &mut random);
        for name in labeled(&cut.told) {
            assert!(told.insert(name.clone()), "{name} was labeled twice");
        }
        if cut.ended {
            // All is labeled: a series begins anew.
            assert_eq!(desk.names(), first.names());
            desk = self::desk(40);
            told.clear();
        } else {
            left -= 1;
            check(&desk, &told);
        }
    }
    whole(&mut run(&desk));
    assert_eq!(desk.names(), first.names());
    check(&desk, &told);
}
