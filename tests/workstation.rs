//! The real program in a real pseudo-terminal, from the first frame to a committed record.

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// A terminal of 100 by 30 cells with somebody in front of it.
struct Operator {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    raw: Vec<u8>,
}

impl Operator {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let pty = native_pty_system()
            .openpty(PtySize {
                rows: 30,
                cols: 100,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_labeler-tui"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.cwd(home);
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keyboard = pty.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            // Keeps the terminal open until the program has closed its side.
            let _master = pty.master;
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
            child,
            raw: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        let seen = self.raw.len().saturating_sub(8);
        self.raw.extend_from_slice(bytes);
        // What every terminal answers to the question for its status.
        if self.raw[seen..].windows(4).any(|w| w == b"\x1b[5n") {
            self.press("\x1b[0n");
        }
    }

    fn wait_for(&mut self, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.screen.screen().contents().contains(what) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("no `{what}` on\n{}", self.screen.screen().contents()),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// The exit status, once everything that was written has been seen.
    fn leave(mut self) -> (u32, Vec<u8>) {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.take(&bytes);
        }
        (self.child.wait().unwrap().exit_code(), self.raw)
    }
}

fn cells(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).unwrap()
}

/// Two items of an earlier Python run whose labels have faults.
fn earlier_run(dir: &Path) {
    std::fs::create_dir_all(dir.join("out")).unwrap();
    let mut manifest = String::new();
    let mut labels = String::new();
    for (file, name, shade) in [("a.png", "루비 반지", 200), ("b.png", "은빛 망토", 90)] {
        image::RgbaImage::from_pixel(24, 24, image::Rgba([shade, 30, 60, 255]))
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

// Hangs in some runs while waiting for the screen or for the exit; run by hand until that is found.
#[test]
#[ignore = "hangs in some runs"]
fn from_start_to_a_committed_record_and_a_clean_exit() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let arguments = ["--input", "items.jsonl", "--outdir", "out", "--no-model"];
    let mut operator = Operator::start(dir.path(), &arguments);
    operator.wait_for("few_tags: fewer than 5 tags");
    operator.wait_for("no model");
    operator.wait_for("루비 반지");

    // Three more tags, then commit and on to the next.
    operator.press("t");
    operator.wait_for("Esc close");
    for tag in ["반지", "빨강", "둥근 테두리"] {
        operator.press(&format!("{tag}\r"));
        operator.wait_for(&format!("[{tag}]"));
    }
    operator.press("\x1b");
    operator.wait_for("? help");
    operator.wait_for("edited");
    operator.press("c");
    operator.wait_for("Queue 1/1");
    operator.wait_for("은빛 망토");

    // An edit that is not committed is asked about when leaving, and not written.
    operator.press("t");
    operator.wait_for("Esc close");
    operator.press("망토\r");
    operator.wait_for("[망토]");
    operator.press("\x1b");
    operator.wait_for("? help");
    operator.press("q");
    operator.wait_for("Leave with 1 draft not committed");
    operator.press("y");
    let (status, raw) = operator.leave();
    assert_eq!(status, 0);
    let raw = String::from_utf8_lossy(&raw);
    assert!(raw.contains("\x1b[?1049l"), "the screen was not given back");

    let labels = std::fs::read_to_string(dir.path().join("out/labels.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = labels
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 2);
    assert_eq!(
        records[0]["tags_ko"],
        serde_json::json!(["보석", "장신구", "반지", "빨강", "둥근 테두리"])
    );
    assert_eq!(records[1]["tags_ko"], serde_json::json!(["보석", "장신구"]));

    // The draft is here next time.
    let mut operator = Operator::start(dir.path(), &arguments);
    operator.wait_for("[망토]");
    operator.press("q");
    operator.wait_for("Leave with 1 draft not committed");
    operator.press("y");
    assert_eq!(operator.leave().0, 0);
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_labeler-tui"))
        .args(["--input", "items.jsonl", "--outdir", "out", "--no-model"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--batch"), "{told}");
}

#[test]
fn a_bad_key_file_is_told_with_lines_before_the_screen_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    earlier_run(dir.path());
    std::fs::write(dir.path().join("keys.toml"), "[queue]\n\"x\" = \"fly\"\n").unwrap();
    let mut arguments = vec!["--input", "items.jsonl", "--outdir", "out", "--no-model"];
    arguments.extend(["--keymap", "keys.toml"]);
    let operator = Operator::start(dir.path(), &arguments);
    let (status, raw) = operator.leave();
    let raw = String::from_utf8_lossy(&raw);
    assert_eq!(status, 2, "{raw}");
    assert!(
        raw.contains("keys.toml:2: there is no action `fly`"),
        "{raw}"
    );
    assert!(!raw.contains("\x1b[?1049h"));
}
