//! Test environment for the real program: an empty home, folders for the source and the labels, and
//! a fake model.

#[path = "sources.rs"]
pub mod sources;

use serde_json::{Value, json};
use sources::Sources;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Desk {
    folder: tempfile::TempDir,
    slots: usize,
    answers: BTreeMap<String, Vec<Value>>,
    otherwise: Vec<Value>,
}

pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "source"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            slots: 1,
            answers: BTreeMap::new(),
            otherwise: Vec::new(),
        }
    }

    /// Creates a source of red icons with a good answer for each.
    pub fn with_icons(names: &[&str]) -> Self {
        let mut desk = Self::new();
        for name in names {
            desk.icon(name);
            desk.plays(name, &[say(good(name))]);
        }
        desk
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Watches the sources of a run that is not started by [`ended`].
    pub fn sources(&self) -> Sources {
        Sources::watch(&self.source(""))
    }

    pub fn source(&self, name: &str) -> PathBuf {
        self.path().join("source").join(name)
    }

    pub fn out(&self, name: &str) -> PathBuf {
        self.path().join("out").join(name)
    }

    /// Adds a mostly red icon, different for each name.
    pub fn icon(&self, name: &str) -> PathBuf {
        let path = self.source(&format!("{name}.png"));
        picture(name).save(&path).unwrap();
        path
    }

    /// Adds a file that no decoder can read, different for each name.
    pub fn broken_icon(&self, name: &str) {
        std::fs::write(self.source(&format!("{name}.png")), name).unwrap();
    }

    /// Removes the journal with its logs, as somebody who cleans up may do.
    pub fn lose_journal(&self) {
        for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
            // A run that has ended well leaves no logs.
            let _ = std::fs::remove_file(self.out(name));
        }
        assert!(!self.out("journal.sqlite").exists());
    }

    pub fn slots(&mut self, slots: usize) {
        self.slots = slots;
    }

    /// Sets the model's actions for each request about `name`.
    pub fn plays(&mut self, name: &str, plays: &[Value]) {
        self.answers.insert(name.to_owned(), plays.to_vec());
    }

    /// Sets the model's actions for all other requests.
    pub fn otherwise(&mut self, plays: &[Value]) {
        self.otherwise = plays.to_vec();
    }

    /// Command in an empty environment, with a fake model.
    pub fn command(&self, args: &[&str]) -> Command {
        let plays = json!({
            "slots": self.slots, "answers": self.answers, "otherwise": self.otherwise,
        });
        let path = self.path().join("fake.json");
        std::fs::write(&path, plays.to_string()).unwrap();
        let mut command = self.plain(&["--model", &format!("fake:{}", path.display())]);
        command.args(args);
        command
    }

    /// Command in an empty environment.
    pub fn plain(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labeler-tui"));
        command
            .env_clear()
            .env("HOME", self.path().join("home"))
            .current_dir(self.path())
            .stdin(Stdio::null())
            .args(args);
        command
    }

    /// Runs `--batch` on the folder of icons.
    pub fn batch(&self, args: &[&str]) -> Ended {
        let mut all = vec!["--batch", "--images", "source", "--outdir", "out"];
        all.extend(args);
        ended(&mut self.command(&all))
    }

    /// Runs `--batch` on another source.
    pub fn batch_of(&self, source: &[&str], args: &[&str]) -> Ended {
        let mut all = vec!["--batch", "--outdir", "out"];
        all.extend(source);
        all.extend(args);
        ended(&mut self.command(&all))
    }

    pub fn records(&self) -> Vec<Value> {
        lines(&self.out("labels.jsonl"))
    }

    pub fn errors(&self) -> Vec<Value> {
        lines(&self.out("labels_errors.jsonl"))
    }

    /// The record of an item.
    pub fn record(&self, name: &str) -> Value {
        self.records()
            .into_iter()
            .find(|record| record["item_name"] == name)
            .unwrap_or_else(|| panic!("no record of {name}"))
    }

    /// Names of the records, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        names(&self.records())
    }
}

/// Runs a command and checks that it leaves the source unchanged.
pub fn ended(command: &mut Command) -> Ended {
    let desk = command.get_current_dir();
    let _unchanged = desk.map(|desk| Sources::watch(&desk.join("source")));
    let output = command.output().unwrap();
    Ended {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "\nout: {}\nerr: {}",
            self.out, self.err
        );
        self
    }

    /// The events of `--json`.
    pub fn events(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub fn names(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| row["item_name"].as_str().unwrap().to_owned())
        .collect()
}

/// Parses a file of JSON lines; a missing file has none. Every line must be complete, since files are
/// replaced, not written in place.
pub fn lines(path: &Path) -> Vec<Value> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            assert!(text.is_empty() || text.ends_with('\n'), "incomplete line");
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        }
        Err(_) => Vec::new(),
    }
}

pub fn picture(name: &str) -> image::RgbaImage {
    let mut hash = 0u32;
    for byte in name.bytes() {
        hash = hash.wrapping_mul(31).wrapping_add(u32::from(byte));
    }
    image::RgbaImage::from_fn(24, 24, |x, y| match (x, y) {
        // Makes the file unique without changing its colors.
        (0, y) => {
            let bit = hash >> (y % 24) & 1;
            image::Rgba([200 + 20 * bit as u8, 30, 35, 255])
        }
        _ => image::Rgba([210, 30, 35, 255]),
    })
}

/// An answer without any reason.
pub fn good(name: &str) -> Value {
    json!({
        "label_ko": format!("붉은 천으로 지은 단정한 {name}"),
        "label_en": null,
        "tags_ko": ["모자", "빨간색", "천", "단정한", "장비"],
        "attributes": {
            "colors": ["red"], "theme": ["fashion"], "material": ["fabric"], "vibe": ["cute"],
            "item_type_guess": "hat",
        },
        "query_variants_ko": ["빨간 모자", "천 모자", "단정한 모자"],
        "quality_flags": {"is_uncertain": false, "reasons": []},
    })
}

pub fn say(answer: Value) -> Value {
    json!({ "say": answer })
}

/// Content of every file under a folder, by relative path.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    found.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
    }
    found
}
