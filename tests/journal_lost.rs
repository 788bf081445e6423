//! The journal deleted, replaced, cut short or not writable while the engine runs.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]
#[path = "common/engine.rs"]
mod engine;
#[path = "common/sources.rs"]
mod sources;

use labeler_tui::engine::{Command, Cure, Event, Handle, Warning};
use labeler_tui::record::{Change, Field, GroupId, GroupSummary};
use labeler_tui::wording::Words;
use serde_json::{Value, json};
use sources::Sources;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two icons with what an earlier program said of them.
struct Desk {
    folder: tempfile::TempDir,
}

struct Run {
    engine: Handle,
    groups: BTreeMap<String, GroupSummary>,
    _unchanged: Sources,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        let mut lines = String::new();
        for (name, shade) in [("가", 210), ("나", 200)] {
            let icon = image::RgbaImage::from_pixel(20, 20, image::Rgba([shade, 30, 35, 255]));
            icon.save(folder.path().join(format!("{name}.png")))
                .unwrap();
            let line = json!({
                "image_path": format!("{name}.png"), "source_type": "cash", "item_name": name,
                "label_ko": format!("천으로 지은 단정한 {name}"),
                "tags_ko": ["모자", "천", "빨강", "단정한", "장비"],
                "attributes": {
                    "colors": ["red"], "theme": ["fashion"], "material": ["fabric"],
                    "vibe": ["cute"], "item_type_guess": "hat",
                },
                "query_variants_ko": ["모자", "천 모자", "단정한 모자"],
            });
            lines.push_str(&format!("{line}\n"));
        }
        fs::write(folder.path().join("out/labels.jsonl"), lines).unwrap();
        Self { folder }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    /// Goes on until the engine has nothing to do.
    fn open(&self) -> Run {
        let engine = engine::engine(self.folder.path()).start(None).unwrap();
        let mut run = Run {
            engine,
            groups: BTreeMap::new(),
            _unchanged: Sources::watch(self.folder.path()),
        };
        run.hear(|event| *event == Event::Idle);
        run
    }

    /// Files of the outdir whose name begins so.
    fn files(&self, begin: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.out("")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(begin)
        };
        paths.filter(named).collect()
    }

    fn committed_tags(&self) -> Vec<Vec<String>> {
        let lines = fs::read_to_string(self.out("labels.jsonl")).unwrap();
        let tags = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            serde_json::from_value(record["tags_ko"].clone()).unwrap()
        };
        lines.lines().map(tags).collect()
    }
}

impl Run {
    /// Hears events up to the first one that `until` accepts, which is returned.
    fn hear(&mut self, until: impl Fn(&Event) -> bool) -> Event {
        let events = self.engine.events();
        loop {
            let event = events.recv_timeout(PATIENCE).unwrap();
            if let Event::Groups(new) = &event {
                for group in new {
                    self.groups.insert(group.name.clone(), group.clone());
                }
            }
            if until(&event) {
                return event;
            }
        }
    }

    fn blocked(&mut self) -> (String, Cure) {
        match self.hear(|event| matches!(event, Event::Blocked(_))) {
            Event::Blocked(blocked) => (Words::ENGLISH.blocked(&blocked).cause, blocked.cure),
            _ => unreachable!(),
        }
    }

    fn add_tag(&self, name: &str, tag: &str) {
        self.engine.send(Command::Apply {
            groups: vec![self.id(name)],
            change: Change::Add {
                field: Field::TagsKo,
                value: tag.into(),
            },
        });
    }

    fn commit(&self, name: &str) {
        self.engine.send(Command::Apply {
            groups: vec![self.id(name)],
            change: Change::Commit,
        });
    }

    fn id(&self, name: &str) -> GroupId {
        self.groups[name].id
    }

    fn stepped(&mut self) {
        self.hear(|event| matches!(event, Event::Stepped { .. }));
    }

    fn tags(&self, name: &str) -> &[String] {
        self.groups[name].labels.values(Field::TagsKo)
    }

    /// Stops; the error that the run ends with, if it does.
    fn stop(mut self) -> Option<String> {
        self.engine.send(Command::Stop);
        self.ended()
    }

    fn ended(&mut self) -> Option<String> {
        match self.hear(|event| matches!(event, Event::Stopped(_) | Event::Broken(_))) {
            Event::Broken(broken) => Some(Words::ENGLISH.broken(&broken).cause),
            _ => None,
        }
    }
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_deleted_journal_is_rewritten_with_all_that_was_decided() {
    for and_its_log in [false, true] {
        let desk = Desk::new();
        let mut run = desk.open();
        run.add_tag("가", "하나");
        run.stepped();
        remove(&desk.out("journal.sqlite"));
        if and_its_log {
            remove(&desk.out("journal.sqlite-wal"));
            remove(&desk.out("journal.sqlite-shm"));
        }
        // Nothing needs to be done for it to be noticed.
        let (cause, cure) = run.blocked();
        assert_eq!(cure, Cure::Rewrite);
        assert!(cause.contains("journal.sqlite was deleted"), "{cause}");
        // What is decided meanwhile waits, and is not shown as if it were done.
        run.add_tag("나", "둘");
        run.commit("나");
        run.hear(|event| matches!(event, Event::Groups(_)));
        assert_eq!(run.tags("나").len(), 5);
        run.engine.send(Command::TryAgain);
        run.hear(|event| *event == Event::Unblocked);
        run.stepped();
        run.stepped();
        assert_eq!(run.tags("나").len(), 6);
        assert_eq!(run.stop(), None);

        let run = desk.open();
        assert_eq!(run.tags("가").last().unwrap(), "하나");
        assert_eq!(run.tags("나").last().unwrap(), "둘");
        assert_eq!(desk.committed_tags()[1].last().unwrap(), "둘");
        for left in ["journal.rescued-", "journal.replaced-", ".journal-"] {
            assert_eq!(desk.files(left), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn a_journal_that_is_gone_at_the_end_is_saved_under_another_name() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    remove(&desk.out("journal.sqlite"));
    run.blocked();
    run.add_tag("나", "둘");
    let cause = run.stop().unwrap();
    assert!(cause.contains("was deleted by another program"), "{cause}");
    let rescued = desk.files("journal.rescued-");
    assert_eq!(rescued.len(), 1);
    assert!(cause.contains(rescued[0].to_str().unwrap()), "{cause}");
    // Nor the log, which would spoil the file that comes to stand there.
    assert_eq!(desk.files("journal.sqlite"), [] as [PathBuf; 0]);

    fs::rename(&rescued[0], desk.out("journal.sqlite")).unwrap();
    let run = desk.open();
    assert_eq!(run.tags("가").last().unwrap(), "하나");
    assert_eq!(run.tags("나").last().unwrap(), "둘");
}

#[test]
fn what_stands_in_the_journals_place_is_kept() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    fs::write(desk.out("other"), "somebody's file").unwrap();
    fs::rename(desk.out("other"), desk.out("journal.sqlite")).unwrap();
    let (cause, cure) = run.blocked();
    assert_eq!(cure, Cure::Rewrite);
    assert!(cause.contains("replaced"), "{cause}");
    run.engine.send(Command::TryAgain);
    run.hear(|event| *event == Event::Unblocked);
    assert_eq!(run.stop(), None);
    let kept = desk.files("journal.replaced-");
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), "somebody's file");
    assert_eq!(desk.open().tags("가").last().unwrap(), "하나");
}

#[test]
fn a_folder_that_was_deleted_is_made_again() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    fs::remove_dir_all(desk.out("")).unwrap();
    run.blocked();
    run.engine.send(Command::TryAgain);
    run.hear(|event| *event == Event::Unblocked);
    run.commit("가");
    run.stepped();
    assert_eq!(run.stop(), None);
    assert_eq!(desk.committed_tags()[0].last().unwrap(), "하나");
    assert_eq!(desk.open().tags("가").last().unwrap(), "하나");
}

/// As `> journal.sqlite` in a shell.
fn cut(path: &Path) {
    fs::File::create(path).unwrap();
}

#[test]
fn a_journal_that_was_cut_short_is_rewritten_where_its_log_holds_it() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    cut(&desk.out("journal.sqlite"));
    let (cause, cure) = run.blocked();
    assert_eq!(cure, Cure::Rewrite, "{cause}");
    assert!(cause.contains("truncated"), "{cause}");
    run.engine.send(Command::TryAgain);
    run.hear(|event| *event == Event::Unblocked);
    assert_eq!(run.stop(), None);
    assert_eq!(desk.open().tags("가").last().unwrap(), "하나");
}

#[test]
fn what_a_run_did_to_a_journal_that_was_damaged_is_written_down() {
    type Damage = fn(&Path);
    let overwrite: Damage = |path| {
        let length = fs::metadata(path).unwrap().len();
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(&vec![0; length as usize]).unwrap();
    };
    let damages: [(Damage, &str); 2] = [(overwrite, "overwritten"), (cut, "truncated")];
    for (damage, word) in damages {
        let desk = Desk::new();
        // At its end all is in the journal's own file, and the next run does not read all of it.
        assert_eq!(desk.open().stop(), None);
        let mut run = desk.open();
        run.add_tag("가", "하나");
        run.stepped();
        damage(&desk.out("journal.sqlite"));
        let (cause, cure) = run.blocked();
        assert_eq!(cure, Cure::None);
        assert!(cause.contains(word), "{cause}");
        run.add_tag("나", "둘");
        let cause = run.stop().unwrap();
        assert!(cause.contains(word), "{cause}");
        assert!(cause.contains("not saved: add 둘 to tags"), "{cause}");
        let rescued = desk.files("journal.rescued-");
        assert_eq!(rescued.len(), 1);
        assert!(cause.contains(rescued[0].to_str().unwrap()), "{cause}");
        let text = fs::read_to_string(&rescued[0]).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                let value = line["change"]["add"]["value"].as_str().unwrap();
                (value, &line["images"], line["saved"].as_bool().unwrap())
            })
            .collect();
        let (first, second) = (json!(["가.png"]), json!(["나.png"]));
        assert_eq!(told, [("하나", &first, true), ("둘", &second, false)]);
        // Nothing committed is gone.
        assert_eq!(desk.committed_tags().len(), 2);
    }
}

/// `labeler-tui journal` over the desk; its status and what it printed.
fn journal(desk: &Desk, args: &[&str]) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_labeler-tui"))
        .env_clear()
        .env("HOME", desk.folder.path())
        .current_dir(desk.folder.path())
        .arg("journal")
        .args(args)
        .args(["--outdir", "out"])
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    let status = output.status.code().unwrap();
    (status, String::from_utf8(told).unwrap())
}

impl Run {
    /// The file of an earlier run that the start names, if it does.
    fn rescued(desk: &Desk) -> (Self, Option<PathBuf>) {
        let engine = engine::engine(desk.folder.path()).start(None).unwrap();
        let mut run = Run {
            engine,
            groups: BTreeMap::new(),
            _unchanged: Sources::watch(desk.folder.path()),
        };
        let found = std::cell::RefCell::new(None);
        run.hear(|event| {
            if let Event::Warning(Warning::RunToRestore(path)) = event {
                found.replace(Some(path.clone()));
            }
            *event == Event::Idle
        });
        (run, found.into_inner())
    }
}

#[test]
fn what_a_run_wrote_down_is_named_at_the_next_start_and_brought_back() {
    let desk = Desk::new();
    assert_eq!(desk.open().stop(), None);
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.commit("가");
    run.add_tag("가", "둘");
    run.engine.send(Command::Undo);
    run.engine.send(Command::Redo);
    run.add_tag("나", "셋");
    run.engine.send(Command::Undo);
    for _ in 0..7 {
        run.stepped();
    }
    let path = desk.out("journal.sqlite");
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(&vec![0; length as usize]).unwrap();
    run.blocked();
    run.add_tag("나", "넷");
    run.stop().unwrap();
    let rescued = desk.files("journal.rescued-");
    assert_eq!(rescued.len(), 1);
    let name = format!("out/{}", rescued[0].file_name().unwrap().display());

    let (status, told) = journal(&desk, &["rebuild"]);
    assert_eq!(status, 0, "{told}");
    let hint = format!("`labeler-tui journal restore {name} --outdir out` restores it");
    assert!(told.contains(&hint), "{told}");
    let (run, found) = Run::rescued(&desk);
    assert_eq!(found.as_ref(), Some(&rescued[0]));
    assert!(!run.tags("가").contains(&"둘".to_owned()));
    assert_eq!(run.stop(), None);

    let (status, told) = journal(&desk, &["restore", &name]);
    assert_eq!(
        status,
        0,
        "{told}\n{}",
        fs::read_to_string(&rescued[0]).unwrap()
    );
    assert!(told.contains("never saved by the run: 1"), "{told}");
    let (run, found) = Run::rescued(&desk);
    assert_eq!(found, None);
    assert_eq!(run.tags("가")[5..], ["하나", "둘"]);
    assert_eq!(run.tags("나")[5..], ["넷"]);
    assert_eq!(desk.committed_tags()[0].last().unwrap(), "하나");
    assert_eq!(run.stop(), None);

    // Once more changes nothing.
    let before = fs::read(desk.out("labels.jsonl")).unwrap();
    let (_, told) = journal(&desk, &["restore", &name]);
    assert!(told.contains("restored from"), "{told}");
    assert_eq!(fs::read(desk.out("labels.jsonl")).unwrap(), before);
}

#[test]
fn a_journal_that_was_saved_under_another_name_is_brought_back() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    remove(&desk.out("journal.sqlite"));
    run.blocked();
    run.stop().unwrap();
    let rescued = desk.files("journal.rescued-");
    let name = format!("out/{}", rescued[0].file_name().unwrap().display());
    // Somebody goes on without it.
    let (run, found) = Run::rescued(&desk);
    assert_eq!(found.as_ref(), Some(&rescued[0]));
    assert_eq!(run.stop(), None);
    let (status, told) = journal(&desk, &["restore", "nowhere.sqlite"]);
    assert_eq!(status, 2, "{told}");
    assert!(told.contains("there is no file nowhere.sqlite"), "{told}");
    assert!(told.contains(&name), "{told}");
    let (status, told) = journal(&desk, &["restore", &name]);
    assert_eq!(status, 0, "{told}");
    let (run, found) = Run::rescued(&desk);
    assert_eq!(found, None);
    assert_eq!(run.tags("가").last().unwrap(), "하나");
}

#[test]
fn a_deleted_log_costs_nothing() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    remove(&desk.out("journal.sqlite-wal"));
    run.add_tag("나", "둘");
    run.stepped();
    // As a crash right now would leave it.
    let other = Desk::new();
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        fs::copy(desk.out(name), other.out(name)).unwrap();
    }
    let left = other.open();
    assert_eq!(left.tags("가").last().unwrap(), "하나");
    assert_eq!(left.tags("나").last().unwrap(), "둘");
    assert_eq!(run.stop(), None);
}

#[test]
fn what_could_not_be_saved_is_saved_once_it_can_be() {
    for by_itself in [true, false] {
        let desk = Desk::new();
        let mut run = desk.open();
        // In the place of the export stands what cannot be replaced.
        remove(&desk.out("labels.jsonl"));
        fs::create_dir_all(desk.out("labels.jsonl/in the way")).unwrap();
        run.add_tag("가", "하나");
        run.commit("가");
        let (cause, cure) = run.blocked();
        assert_eq!(cure, Cure::Wait);
        assert!(cause.contains("labels.jsonl"), "{cause}");
        // Looking goes on.
        run.engine.send(Command::Open(run.id("나")));
        run.hear(|event| matches!(event, Event::Detail(_)));
        run.commit("나");
        fs::remove_dir_all(desk.out("labels.jsonl")).unwrap();
        if !by_itself {
            run.engine.send(Command::TryAgain);
        }
        run.hear(|event| *event == Event::Unblocked);
        assert_eq!(run.stop(), None);
        assert_eq!(desk.committed_tags()[0].last().unwrap(), "하나");
    }
}

#[test]
fn a_program_that_only_reads_the_journal_changes_nothing() {
    let desk = Desk::new();
    let mut run = desk.open();
    run.add_tag("가", "하나");
    run.stepped();
    let other = rusqlite::Connection::open(desk.out("journal.sqlite")).unwrap();
    let busy: i64 = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 0);
    drop(other);
    run.add_tag("나", "둘");
    run.stepped();
    assert_eq!(run.stop(), None);
    assert_eq!(desk.open().tags("나").last().unwrap(), "둘");
}
