//! Kills `--batch` while it labels.

use crate::common::{Desk, good, say};
use crate::killing::{check_lines, journal, number, run_and_kill, run_to_end};
use crate::kills;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use std::collections::HashSet;
use std::process::Command;

pub const RUN: [&str; 7] = [
    "--batch", "--json", "--resume", "--images", "source", "--outdir", "out",
];

/// A source with `items` icons, each with a good answer.
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

/// Returns the items that a run reported as labeled.
pub fn labeled(output: &[String]) -> impl Iterator<Item = String> {
    output.iter().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let is = event["event"] == "labeled";
        is.then(|| event["item_name"].as_str().unwrap().to_owned())
    })
}

/// Checks that every reported record is there exactly once.
pub fn check(desk: &Desk, reported: &HashSet<String>) {
    let Some((_copy, journal)) = journal(desk) else {
        assert!(reported.is_empty());
        return;
    };
    if number(&journal, "PRAGMA user_version") == 0 {
        assert!(reported.is_empty());
        return;
    }
    let mut select = journal
        .prepare("SELECT g.name FROM groups g JOIN heads h ON h.group_id = g.id WHERE h.record IS NOT NULL")
        .unwrap();
    let committed = select.query_map([], |row| row.get(0)).unwrap();
    let committed: HashSet<String> = committed.map(Result::unwrap).collect();
    let lost: Vec<&String> = reported.difference(&committed).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let twice =
        "SELECT count(*) FROM (SELECT 1 FROM records GROUP BY group_id HAVING count(*) > 1)";
    assert_eq!(number(&journal, twice), 0, "a group has two records");
    check_lines(&desk.out("labels.jsonl"), &desk.source(""));
}

fn run(desk: &Desk) -> Command {
    desk.command(&RUN)
}

#[test]
fn records_reported_by_a_killed_run_are_there_once() {
    let first = desk(40);
    let time = run_to_end(&mut run(&first));
    let mut random = StdRng::seed_from_u64(1);
    let mut desk = desk(40);
    let mut reported = HashSet::new();
    let mut left = kills();
    while left > 0 {
        let killed = run_and_kill(&mut run(&desk), time, &mut random);
        for name in labeled(&killed.output) {
            assert!(reported.insert(name.clone()), "{name} was labeled twice");
        }
        if killed.ended {
            // Everything is labeled: start over with a new outdir.
            assert_eq!(desk.names(), first.names());
            desk = self::desk(40);
            reported.clear();
        } else {
            left -= 1;
            check(&desk, &reported);
        }
    }
    run_to_end(&mut run(&desk));
    assert_eq!(desk.names(), first.names());
    check(&desk, &reported);
}
