//! Kills the workstation in a pseudo-terminal after an operator's keys.

use crate::common::{Desk, good};
use crate::killing::{check_lines, journal, number};
use crate::kills;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// Adds a tag, commits, and kills the workstation after another commit that was not reported yet.
/// Returns the number of reported steps.
fn review_and_kill(desk: &Desk, tag: &str, random: &mut StdRng) -> i64 {
    let pty = native_pty_system();
    let (rows, cols) = (30, 100);
    let pty = pty
        .openpty(PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        })
        .unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_labeler-tui"));
    command.args(["--images", "source", "--outdir", "out", "--no-model"]);
    command.env_clear();
    command.env("HOME", desk.path().join("home"));
    command.env("TERM", "xterm-256color");
    command.cwd(desk.path());
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut keyboard = pty.master.take_writer().unwrap();
    let (send, output) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            if send.send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut screen = vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0);
    let mut raw = Vec::new();
    let mut press = |keys: &str| {
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    };
    let mut is_answered = false;
    let mut wait_for = |press: &mut dyn FnMut(&str), what: &dyn Fn(&str) -> bool| {
        let end = Instant::now() + PATIENCE;
        while !what(&screen.screen().contents()) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(bytes) = output.recv_timeout(left) else {
                panic!("stuck on\n{}", screen.screen().contents());
            };
            screen.process(&bytes);
            raw.extend(bytes);
            // The terminal status query, which every terminal answers.
            if !is_answered && raw.windows(4).any(|part| part == b"\x1b[5n") {
                is_answered = true;
                press("\x1b[0n");
            }
        }
    };
    wait_for(&mut press, &|screen| {
        screen.contains("few_tags") && screen.contains("24x24 px")
    });
    press("t");
    wait_for(&mut press, &|screen| screen.contains("Esc close"));
    press(&format!("{tag}\r"));
    wait_for(&mut press, &|screen| {
        screen.contains(&format!("added {tag} to tags"))
    });
    press("\x1b");
    wait_for(&mut press, &|screen| {
        screen.contains("? help") && !screen.contains("Esc close")
    });
    press("c");
    wait_for(&mut press, &|screen| {
        screen.contains("committed: 1 committed line replaced")
    });
    // The tag and the commit were reported; this commit may be saved or not.
    press("c");
    std::thread::park_timeout(Duration::from_micros(random.random_range(0..60_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    2
}

#[test]
fn reported_steps_survive_a_kill_of_the_workstation() {
    let desk = Desk::new();
    let mut text = String::new();
    let items = 3 * kills() + 10;
    for n in 0..items {
        let name = format!("모자 {n:04}");
        desk.icon(&name);
        let mut line = good(&name);
        line["image_path"] = format!("{name}.png").into();
        line["source_type"] = "cash".into();
        line["item_name"] = name.into();
        line["tags_ko"] = serde_json::json!(["모자"]);
        text.push_str(&format!("{line}\n"));
    }
    std::fs::create_dir(desk.path().join("out")).unwrap();
    std::fs::write(desk.out("labels.jsonl"), text).unwrap();
    let mut random = StdRng::seed_from_u64(4);
    let mut steps = 0;
    for round in 0..kills() {
        let tag = format!("표{round}");
        let reported = review_and_kill(&desk, &tag, &mut random);
        let (_copy, journal) = journal(&desk).unwrap();
        let now = number(&journal, "SELECT count(*) FROM steps");
        assert!(
            (steps + reported..=steps + reported + 1).contains(&now),
            "{steps} steps before, {reported} reported, {now} now"
        );
        steps = now;
        let committed =
            format!("SELECT count(DISTINCT group_id) FROM records WHERE record LIKE '%\"{tag}\"%'");
        assert_eq!(number(&journal, &committed), 1, "{tag}");
        // The export follows at its own pace; the next run completes it.
        let records = check_lines(&desk.out("labels.jsonl"), &desk.source(""));
        assert_eq!(records.len(), items);
    }
    desk.batch(&["--resume"]).expect(0);
    let records = check_lines(&desk.out("labels.jsonl"), &desk.source(""));
    assert_eq!(records.len(), items);
    for round in 0..kills() {
        let tag = format!("표{round}");
        let tagged = records.iter().filter(|record| {
            let tags = record["tags_ko"].as_array().unwrap();
            tags.contains(&tag.as_str().into())
        });
        assert_eq!(tagged.count(), 1, "{tag}");
    }
}
