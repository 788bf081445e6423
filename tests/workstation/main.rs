//! The real program in a pseudo-terminal, from the first frame to a committed record.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod judging;
#[path = "../common/sources.rs"]
mod sources;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use sources::Sources;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const LEAVE_SCREEN: &str = "\x1b[?1049l";
/// Arguments for review without a model, on the files of [`earlier_run`].
const REVIEW: [&str; 5] = ["--input", "items.jsonl", "--outdir", "out", "--no-model"];

/// A pseudo-terminal with the program in it, and an operator who types and reads.
struct Operator {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    keyboard: Box<dyn Write + Send>,
    pty: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    raw: Vec<u8>,
    /// Whether the terminal replies at once, as most do.
    answers: bool,
    _unchanged: Sources,
}

impl Operator {
    /// Starts the program on 100 by 30 cells with 256 colors and an empty home.
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_labeler-tui"));
        command.args(arguments);
        Self::run(home, command)
    }

    /// Starts the program as a job of a shell. When the job stops, the shell prints a line, waits
    /// for input and resumes the job.
    fn start_in_shell(home: &Path, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new("/bin/sh");
        let script = r#"set -m; "$0" "$@"; echo "at the shell"; read line; fg; echo "ended: $?""#;
        command.args(["-c", script, env!("CARGO_BIN_EXE_labeler-tui")]);
        command.args(arguments);
        Self::run(home, command)
    }

    fn run(home: &Path, mut command: CommandBuilder) -> Self {
        let pty = native_pty_system().openpty(size(100, 30)).unwrap();
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.cwd(home);
        let unchanged = Sources::watch(home);
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keyboard = pty.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            screen: vt100::Parser::new(cells(30), cells(100), 0),
            output,
            keyboard,
            pty: pty.master,
            child,
            raw: Vec::new(),
            answers: true,
            _unchanged: unchanged,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        // A status query may arrive in two parts.
        let seen = self.raw.len().saturating_sub(STATUS.len() - 1);
        self.raw.extend_from_slice(bytes);
        let new = &self.raw[seen..];
        if self.answers && new.windows(STATUS.len()).any(|part| part == STATUS) {
            // The reply of every terminal.
            self.press("\x1b[0n");
        }
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str) {
        self.wait_until(what, |screen| screen.contains(what));
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.screen.screen().contents()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("no `{what}` on\n{}", self.screen.screen().contents()),
            }
        }
    }

    /// Closes a prompt and waits for the hint line. A frame arrives in pieces, and a key right
    /// after the escape would be read as Alt with that key.
    #[track_caller]
    fn close_prompt(&mut self) {
        self.press("\x1b");
        self.wait_until("? help alone", |screen| {
            screen.contains("? help") && !screen.contains("Esc close")
        });
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Commits the current record, once its picture is on the screen.
    #[track_caller]
    fn commits(&mut self) {
        self.wait_for("24x24 px");
        self.press("c");
    }

    /// Adds tags to the current record; waits for each before typing the next.
    #[track_caller]
    fn add_tags(&mut self, tags: &[&str]) {
        self.press("t");
        self.wait_for("Esc close");
        for tag in tags {
            self.press(&format!("{tag}\r"));
            self.wait_for(&format!("[{tag}]"));
        }
        self.close_prompt();
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.pty.resize(size(columns, rows)).unwrap();
        self.screen
            .screen_mut()
            .set_size(cells(rows), cells(columns));
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.process_id().unwrap();
        kill_process(Pid::from_raw(id as i32).unwrap(), signal).unwrap();
    }

    /// Waits for the program to exit; returns its exit status and everything that it wrote.
    fn leave(mut self) -> (u32, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("still running:\n{}", self.screen.screen().contents())
                }
            }
        }
        let status = self.child.wait().unwrap().exit_code();
        (status, String::from_utf8_lossy(&self.raw).into_owned())
    }
}

/// The query for the terminal's status.
const STATUS: &[u8] = b"\x1b[5n";

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).unwrap()
}

/// Writes two items of an earlier Python run; their only problem is too few tags.
fn earlier_run(dir: &Path) {
    std::fs::create_dir_all(dir.join("out")).unwrap();
    let mut manifest = String::new();
    let mut labels = String::new();
    for (file, name, shade) in [("a.png", "루비 반지", 210), ("b.png", "붉은 망토", 200)] {
        image::RgbaImage::from_pixel(24, 24, image::Rgba([shade, 30, 35, 255]))
            .save(dir.join(file))
            .unwrap();
        let item = serde_json::json!({
            "image_path": file, "item_name": name, "source_type": "cash"
        });
        manifest.push_str(&format!("{item}\n"));
        let record = serde_json::json!({
            "image_path": file, "image_sha256": null, "source_type": "cash",
            "item_name": name, "item_description": null,
            "label_ko": format!("둥근 테두리에 보석이 박힌 {name}"), "label_en": null,
            "tags_ko": ["보석", "장신구"],
            "attributes": {"colors": ["red"], "theme": ["fantasy"], "material": ["metal"],
                "vibe": [], "item_type_guess": "ring"},
            "query_variants_ko": ["보석 반지", "붉은 반지", "둥근 장신구"],
            "quality_flags": {"is_uncertain": false, "reasons": []},
            "model": "Qwen/Qwen2-VL-7B-Instruct", "prompt_version": "v2",
            "generated_at": "2026-01-10T00:00:00Z"
        });
        labels.push_str(&format!("{record}\n"));
    }
    std::fs::write(dir.join("items.jsonl"), manifest).unwrap();
    std::fs::write(dir.join("out/labels.jsonl"), labels).unwrap();
}

fn committed_tags(dir: &Path) -> Vec<Vec<String>> {
    let labels = std::fs::read_to_string(dir.join("out/labels.jsonl")).unwrap();
    labels
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            serde_json::from_value(record["tags_ko"].clone()).unwrap()
        })
        .collect()
}

#[test]
fn from_start_to_a_committed_record_and_a_clean_exit() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.wait_for("no model");
    operator.wait_for("루비 반지");

    // Adds three tags and commits; the next record appears.
    operator.add_tags(&["반지", "빨강", "둥근 테두리"]);
    operator.wait_for("edited");
    operator.commits();
    operator.wait_for("Queue 1/1");
    operator.wait_for("붉은 망토");

    // Quitting asks about an uncommitted edit and does not export it.
    operator.add_tags(&["망토"]);
    operator.press("q");
    operator.wait_for("Leave with 1 draft not committed");
    operator.press("y");
    let (status, raw) = operator.leave();
    assert_eq!(status, 0);
    assert!(raw.contains(LEAVE_SCREEN), "the terminal was not restored");
    assert_eq!(
        committed_tags(dir.path()),
        [
            &["보석", "장신구", "반지", "빨강", "둥근 테두리"][..],
            &["보석", "장신구"],
        ]
    );

    // The next start shows the draft.
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("[망토]");
    operator.press("q");
    operator.wait_for("Leave with 1 draft not committed");
    operator.press("y");
    assert_eq!(operator.leave().0, 0);
}

#[test]
fn a_signal_quits_cleanly() {
    for signal in [Signal::TERM, Signal::HUP] {
        let dir = tempfile::tempdir().unwrap();
        earlier_run(dir.path());
        let mut operator = Operator::start(dir.path(), &REVIEW);
        operator.wait_for("few_tags: fewer than 5 tags");
        operator.add_tags(&["반지"]);
        operator.signal(signal);
        let (status, raw) = operator.leave();
        assert_eq!(status, 130);
        assert!(raw.contains(LEAVE_SCREEN), "{signal:?}");
        assert_eq!(committed_tags(dir.path())[0], ["보석", "장신구"]);

        let mut operator = Operator::start(dir.path(), &REVIEW);
        operator.wait_for("[반지]");
        operator.press("q");
        operator.wait_for("Leave with 1 draft not committed");
        operator.press("y");
        assert_eq!(operator.leave().0, 0);
    }
}

#[test]
fn a_crash_loses_no_edit_and_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.add_tags(&["반지"]);
    operator.wait_for("added 반지 to tags");
    operator.signal(Signal::KILL);
    operator.leave();

    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("[반지]");
    operator.commits();
    // Wait for the report of the engine, not the prediction of the queue.
    operator.wait_for("committed: 1 committed line replaced");
    operator.signal(Signal::KILL);
    operator.leave();
    assert_eq!(
        committed_tags(dir.path()),
        [&["보석", "장신구", "반지"][..], &["보석", "장신구"]]
    );

    // The commit can be undone after a restart.
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("Queue 1/1");
    operator.press("uu");
    // Undo goes to the changed record.
    operator.wait_for("Queue 1/2");
    operator.press("q");
    assert_eq!(operator.leave().0, 0);
    assert_eq!(committed_tags(dir.path())[0], ["보석", "장신구"]);
}

#[test]
fn it_suspends_and_resumes_as_a_shell_job() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start_in_shell(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.press("\x1a");
    operator.wait_for("at the shell");
    assert!(!operator.screen.screen().alternate_screen());
    // The shell reads lines again.
    operator.press("\r");
    operator.wait_for("few_tags: fewer than 5 tags");
    assert!(operator.screen.screen().alternate_screen());
    operator.add_tags(&["반지"]);
    operator.press("qy");
    operator.wait_for("ended: 0");
    let (status, raw) = operator.leave();
    assert_eq!(status, 0);
    // The screen is entered at the start and once after the stop: entering it again would lose
    // keys.
    assert_eq!(raw.matches("\x1b[?1049h").count(), 2);
}

#[test]
fn after_sigstop_the_screen_is_entered_once_more() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.signal(Signal::STOP);
    operator.signal(Signal::CONT);
    operator.add_tags(&["반지"]);
    operator.press("qy");
    let (status, raw) = operator.leave();
    assert_eq!(status, 0);
    assert_eq!(raw.matches("\x1b[?1049h").count(), 2);
}

#[test]
fn late_replies_of_the_terminal_are_not_keys() {
    let answers =
        "\x1b_Gi=31;OK\x1b\\\x1b[?62;4;52c\x1b[6;20;10t\x1b]11;rgb:1717/1717/4040\x07\x1b[0n";
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.answers = false;
    operator.wait_for("few_tags: fewer than 5 tags");
    // All at once, and in pieces.
    operator.press(answers);
    for byte in answers.chars() {
        operator.press(&byte.to_string());
    }
    // The next key works as before.
    operator.add_tags(&["반지"]);
    let screen = operator.screen.screen().contents();
    assert!(!screen.contains("1717"), "{screen}");
    operator.wait_for("added 반지 to tags");
    operator.press("qy");
    assert_eq!(operator.leave().0, 0);
}

#[test]
fn closing_the_terminal_shuts_down_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.add_tags(&["반지"]);
    operator.commits();
    operator.wait_for("committed: 1 committed line replaced");
    let Operator {
        pty,
        keyboard,
        output,
        mut child,
        ..
    } = operator;
    drop((pty, keyboard, output));
    assert_eq!(child.wait().unwrap().exit_code(), 130);
    let log = std::fs::read_to_string(dir.path().join("out/labeler.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(committed_tags(dir.path())[0], ["보석", "장신구", "반지"]);
    // A clean shutdown leaves no write-ahead log.
    assert!(!dir.path().join("out/journal.sqlite-wal").exists());
}

#[test]
fn redraw_removes_output_of_other_programs() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator
        .screen
        .process(b"\x1b[Hfrom another program\x1b[2;30Hand another");
    operator.press("\x0c");
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.wait_for("[Work]");
    assert!(!operator.screen.screen().contents().contains("another"));
    operator.press("q");
    assert_eq!(operator.leave().0, 0);
}

#[test]
fn a_storm_of_resizes_and_keys_settles_at_the_last_ones() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let mut operator = Operator::start(dir.path(), &REVIEW);
    operator.wait_for("few_tags: fewer than 5 tags");
    for step in 0..200u16 {
        operator.resize(20 + step * 7 % 180, 5 + step * 11 % 60);
        operator.press("jk");
    }
    operator.resize(100, 30);
    // More keys than one read takes; the last one opens a prompt.
    operator.press(&"jk".repeat(3000));
    operator.press("t");
    // The frame has the last size, without remains of other sizes.
    operator.wait_until("the prompt alone", |screen| {
        screen.contains("Esc close") && screen.contains("[Work]") && !screen.contains("? help")
    });
    operator.close_prompt();
    operator.press("q");
    assert_eq!(operator.leave().0, 0);
}

#[test]
fn a_model_that_fails_to_load_does_not_stop_the_review() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let arguments = [
        "--input",
        "items.jsonl",
        "--outdir",
        "out",
        "--model",
        "./empty",
    ];
    let mut operator = Operator::start(dir.path(), &arguments);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.wait_for("model failed");
    operator.wait_for("config.json");
    operator.add_tags(&["반지", "빨강", "둥근"]);
    operator.commits();
    operator.wait_for("Queue 1/1");
    operator.press("q");
    assert_eq!(operator.leave().0, 0);
    assert_eq!(committed_tags(dir.path())[0].len(), 5);
}

#[test]
fn without_a_terminal_it_suggests_batch() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_labeler-tui"))
        .args(REVIEW)
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("--batch"), "{error}");
}

#[test]
fn errors_in_a_key_file_are_reported_before_the_screen_is_entered() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    std::fs::write(dir.path().join("keys.toml"), "[queue]\n\"x\" = \"fly\"\n").unwrap();
    let mut arguments = REVIEW.to_vec();
    arguments.extend(["--keymap", "keys.toml"]);
    let operator = Operator::start(dir.path(), &arguments);
    let (status, raw) = operator.leave();
    assert_eq!(status, 2, "{raw}");
    assert!(
        raw.contains("keys.toml:2: there is no action `fly`"),
        "{raw}"
    );
    assert!(!raw.contains("\x1b[?1049h"));
}
