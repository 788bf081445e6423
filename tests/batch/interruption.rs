//! Resuming after success, failure, Ctrl-C and `kill -9`, and two processes on one outdir.

use crate::common::sources::Sources;
use crate::common::{Desk, good, lines, say};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A program without output for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running batch whose events are read one by one.
struct Running {
    child: Child,
    events: Receiver<String>,
    notes: BufReader<ChildStderr>,
    _unchanged: Sources,
}

impl Running {
    fn start(desk: &Desk, args: &[&str]) -> Self {
        let mut all = vec!["--batch", "--json", "--images", "source", "--outdir", "out"];
        all.extend(args);
        let mut command = desk.command(&all);
        let unchanged = desk.sources();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let notes = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            events,
            notes,
            _unchanged: unchanged,
        }
    }

    /// Reads standard error up to a line with this text.
    fn wait_for_note(&mut self, text: &str) {
        let mut note = String::new();
        while !note.contains(text) {
            note.clear();
            let read = self.notes.read_line(&mut note).unwrap();
            assert!(read > 0, "no note {text}");
        }
    }

    /// The next event of this kind, or `None` if the program ends first.
    fn wait_for(&mut self, event: &str) -> Option<Value> {
        loop {
            let line = match self.events.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("no event {event}"),
            };
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == event {
                return Some(value);
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        while self.wait_for("no such event").is_some() {}
        let mut err = String::new();
        self.notes.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if the test has already waited for its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listing(desk: &Desk) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(desk.path().join("out"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn existing_labels_are_not_touched_without_resume() {
    let desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    let before = listing(&desk);
    let ended = desk.batch(&[]).expect(2);
    assert!(ended.err.contains("--resume"), "{}", ended.err);
    assert_eq!(listing(&desk), before);
}

#[test]
fn resuming_a_finished_run_reports_nothing_to_do() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.batch(&[]).expect(0);
    let before = std::fs::read(desk.out("labels.jsonl")).unwrap();
    desk.plays("가", &[json!({"fail": "asked again"})]);
    desk.plays("나", &[json!({"fail": "asked again"})]);
    let ended = desk.batch(&["--resume"]).expect(0);
    assert!(ended.out.contains("nothing to do"), "{}", ended.out);
    assert_eq!(std::fs::read(desk.out("labels.jsonl")).unwrap(), before);
}

#[test]
fn a_renamed_file_is_recognized_by_its_content() {
    let mut desk = Desk::with_icons(&["가"]);
    desk.batch(&[]).expect(0);
    std::fs::rename(desk.source("가.png"), desk.source("나.png")).unwrap();
    desk.plays("나", &[json!({"fail": "asked again"})]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.records().len(), 1);
}

#[test]
fn an_item_that_succeeds_later_is_removed_from_the_errors() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("나", &[json!({"fail": "not today"})]);
    desk.batch(&[]).expect(3);
    assert_eq!(desk.errors().len(), 1);
    desk.plays("나", &[say(good("나"))]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.names(), ["가", "나"]);
    assert_eq!(desk.errors().len(), 0);
}

#[test]
fn a_failed_item_that_left_the_source_does_not_count() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("나", &[json!({"fail": "never"})]);
    desk.batch(&[]).expect(3);
    std::fs::remove_file(desk.source("나.png")).unwrap();
    let ended = desk.batch(&["--resume"]).expect(0);
    assert!(
        ended
            .out
            .contains("nothing to do: every image has a record\n"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("1 record (0 new) of 1 image"),
        "{}",
        ended.out
    );
}

#[test]
fn new_items_are_added_in_source_order() {
    let mut desk = Desk::with_icons(&["가", "다"]);
    desk.batch(&[]).expect(0);
    desk.icon("나");
    desk.plays("나", &[say(good("나"))]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.names(), ["가", "나", "다"]);
}

#[test]
fn ctrl_c_saves_finished_items_and_points_to_resume() {
    let mut desk = Desk::with_icons(&["가", "나", "다"]);
    desk.plays("나", &[json!("hold")]);
    let mut running = Running::start(&desk, &[]);
    running.wait_for("labeled").unwrap();
    running.signal(Signal::INT);
    let summary = running.wait_for("summary").unwrap();
    assert_eq!(summary["interrupted"], true);
    let (status, err) = running.end();
    assert_eq!(status, Some(130));
    assert!(err.contains("--resume"), "{err}");
    assert_eq!(desk.names(), ["가"]);
    desk.plays("나", &[say(good("나"))]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.names(), ["가", "나", "다"]);
}

#[test]
fn two_processes_cannot_share_an_outdir() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("나", &[json!("hold")]);
    let mut running = Running::start(&desk, &[]);
    running.wait_for("labeled").unwrap();
    let ended = desk.batch(&["--resume"]).expect(1);
    let holder = running.child.id().to_string();
    assert!(ended.err.contains(&holder), "{}", ended.err);
    running.signal(Signal::TERM);
    assert_eq!(running.end().0, Some(130));
}

#[test]
fn kill_at_any_moment_neither_loses_nor_repeats_records() {
    let names: Vec<String> = (0..90).map(|n| format!("모자 {n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut desk = Desk::with_icons(&names);
    desk.slots(3);
    let mut random = StdRng::seed_from_u64(7);
    let mut reported = 0;
    for _ in 0..30 {
        let mut running = Running::start(&desk, &["--resume"]);
        for _ in 0..random.random_range(0..4) {
            reported += usize::from(running.wait_for("labeled").is_some());
        }
        running.signal(Signal::KILL);
        running.end();
        // Only complete lines, and no path twice.
        let mut paths: Vec<String> = lines(&desk.out("labels.jsonl"))
            .iter()
            .map(|record| record["image_path"].to_string())
            .collect();
        let count = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
    let ended = desk.batch(&["--resume", "--json"]).expect(0);
    let summary = ended.events().pop().unwrap();
    assert_eq!(desk.names(), names);
    // Items that were reported as labeled are not labeled again.
    let new = summary["new_records"].as_u64().unwrap() as usize;
    assert!(
        new + reported <= names.len(),
        "{new} new after {reported} reported"
    );
}

#[test]
fn a_second_ctrl_c_exits_immediately_and_loses_nothing() {
    let mut desk = Desk::with_icons(&["가", "나", "다"]);
    desk.plays("나", &[json!("hang")]);
    let mut running = Running::start(&desk, &[]);
    running.wait_for("labeled").unwrap();
    running.signal(Signal::INT);
    // The model hangs, and the program tells how to exit.
    running.wait_for_note("interrupt again");
    running.signal(Signal::INT);
    assert_eq!(running.end().0, Some(130));
    desk.plays("나", &[say(good("나"))]);
    let ended = desk.batch(&["--resume", "--json"]).expect(0);
    assert_eq!(desk.names(), ["가", "나", "다"]);
    assert_eq!(ended.events().pop().unwrap()["new_records"], 2);
}

#[test]
fn an_earlier_failure_of_a_waiting_item_is_no_line_of_another_program() {
    let mut desk = Desk::with_icons(&["가"]);
    for name in ["나", "다"] {
        desk.broken_icon(name);
    }
    desk.batch(&[]).expect(3);
    desk.lose_journal();
    desk.icon("거");
    desk.plays("거", &[say(good("거"))]);
    desk.icon("나");
    desk.plays("나", &[json!("hold")]);
    let mut running = Running::start(&desk, &["--resume"]);
    running.wait_for("labeled").unwrap();
    running.signal(Signal::INT);
    running.wait_for("summary").unwrap();
    assert_eq!(running.end().0, Some(130));
    assert_eq!(desk.names(), ["가", "거"]);
    assert!(!desk.out("labels_kept.jsonl").exists());
}

#[test]
fn an_interrupted_quality_retry_is_repeated_on_resume() {
    let mut uncertain = good("가");
    uncertain["attributes"]["colors"] = json!(["blue"]);
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("가", &[say(uncertain.clone()), json!("die")]);
    let running = Running::start(&desk, &["--quality-retry"]);
    assert_eq!(running.end().0, None, "the model killed the program");
    desk.plays("가", &[say(good("가"))]);
    let ended = desk
        .batch(&["--quality-retry", "--resume", "--json"])
        .expect(0);
    let summary = ended.events().pop().unwrap();
    assert_eq!(
        summary["quality_retries"],
        json!({"made": 1, "better": 1, "without_reason": 1})
    );
    assert_eq!(desk.record("가")["attributes"]["colors"], json!(["red"]));

    // No record is retried a second time.
    let again = desk.batch(&["--quality-retry", "--resume"]).expect(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

#[test]
fn an_answer_that_was_not_committed_is_committed_on_resume() {
    let mut uncertain = good("가");
    uncertain["attributes"]["colors"] = json!(["blue"]);
    let mut desk = Desk::with_icons(&["가"]);
    desk.plays("가", &[say(uncertain), json!("die")]);
    Running::start(&desk, &["--quality-retry"]).end();
    desk.plays("가", &[json!({"fail": "asked again"})]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.record("가")["attributes"]["colors"], json!(["blue"]));
}

#[test]
fn a_journal_deleted_during_a_run_is_rewritten() {
    let mut desk = Desk::with_icons(&["가", "나"]);
    desk.plays("나", &[json!("hold")]);
    let mut running = Running::start(&desk, &[]);
    running.wait_for("labeled").unwrap();
    std::fs::remove_file(desk.out("journal.sqlite")).unwrap();
    let cause = running.wait_for("blocked").unwrap()["cause"].to_string();
    assert!(cause.contains("was deleted by another program"), "{cause}");
    running.wait_for("unblocked").unwrap();
    running.signal(Signal::INT);
    assert_eq!(running.end().0, Some(130));
    assert_eq!(desk.names(), ["가"]);
    // The answer is in the rewritten journal, so it is not requested again.
    desk.plays("가", &[say("asked again".into())]);
    desk.plays("나", &[say(good("나"))]);
    desk.batch(&["--resume"]).expect(0);
    assert_eq!(desk.names(), ["가", "나"]);
}
