//! Kills the first run on a `labels.jsonl` of an earlier program.

use crate::common::{Desk, good};
use crate::killing::{journal, number, run_and_kill, run_to_end};
use crate::kills;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;

const RUN: [&str; 6] = [
    "--batch", "--resume", "--images", "source", "--outdir", "out",
];

/// An outdir with a `labels.jsonl`, some of whose lines are unreadable.
fn desk() -> (Desk, BTreeSet<String>) {
    let desk = Desk::new();
    let mut lines = BTreeSet::new();
    for n in 0..60 {
        let name = format!("모자 {n:02}");
        desk.icon(&name);
        let mut line = good(&name);
        line["image_path"] = format!("{name}.png").into();
        line["source_type"] = "cash".into();
        line["item_name"] = name.into();
        lines.insert(match n % 20 {
            7 => format!("no record {n}"),
            _ => line.to_string(),
        });
    }
    std::fs::create_dir(desk.path().join("out")).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(desk.out("labels.jsonl"), text).unwrap();
    (desk, lines)
}

/// Returns the lines of all files that keep the earlier program's lines.
fn kept_lines(desk: &Desk) -> Vec<String> {
    let names = ["labels.jsonl", "labels_unread.jsonl", "labels_kept.jsonl"];
    let texts = names
        .iter()
        .map(|name| std::fs::read_to_string(desk.out(name)).unwrap_or_default());
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_killed_import_loses_and_doubles_no_line() {
    let run = |desk: &Desk| {
        let mut args = RUN.to_vec();
        args.push("--json");
        let mut command = desk.command(&args);
        command.env("RAYON_NUM_THREADS", "1");
        command
    };
    let (first, _) = desk();
    let fail_others = |desk: &mut Desk| {
        desk.otherwise(&[
            serde_json::json!({"fail": "an answer was requested for an imported item"}),
        ]);
    };
    let mut first = first;
    for n in [7, 27, 47] {
        let name = format!("모자 {n:02}");
        first.plays(&name, &[crate::common::say(good(&name))]);
    }
    fail_others(&mut first);
    let time = run_to_end(&mut run(&first));
    let expected = first.names();
    let mut random = StdRng::seed_from_u64(3);
    let mut left = kills();
    while left > 0 {
        let (mut desk, lines) = self::desk();
        for n in [7, 27, 47] {
            let name = format!("모자 {n:02}");
            desk.plays(&name, &[crate::common::say(good(&name))]);
        }
        fail_others(&mut desk);
        // A few kills in a row on the same outdir.
        for _ in 0..4.min(left) {
            let killed = run_and_kill(&mut run(&desk), time, &mut random);
            if killed.ended {
                break;
            }
            left -= 1;
            let found: BTreeSet<String> = kept_lines(&desk).into_iter().collect();
            let lost: Vec<&String> = lines.difference(&found).collect();
            assert!(lost.is_empty(), "{lost:?}");
        }
        run_to_end(&mut run(&desk));
        let found = kept_lines(&desk);
        for line in &lines {
            let times = found.iter().filter(|found| *found == line).count();
            assert_eq!(times, 1, "{line}");
        }
        assert_eq!(desk.names(), expected);
        let (_copy, journal) = journal(&desk).unwrap();
        assert_eq!(
            number(
                &journal,
                "SELECT count(*) FROM heads WHERE record IS NOT NULL"
            ),
            60
        );
    }
}
