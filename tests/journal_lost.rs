//! The journal is deleted, replaced, truncated or unwritable while the engine runs.

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
use labeler_tui::record::{Change, Field, GroupId, GroupState, GroupSummary};
use labeler_tui::wording::Words;
use serde_json::{Value, json};
use sources::Sources;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine without events for this long is stuck.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Two icons and a `labels.jsonl` to import.
struct Workspace {
    folder: tempfile::TempDir,
}

struct Run {
    engine: Handle,
    groups: BTreeMap<String, GroupSummary>,
    _unchanged: Sources,
}

impl Workspace {
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

    /// Starts the engine and waits until it is idle.
    fn open(&self) -> Run {
        let engine = engine::engine(self.folder.path()).start(None).unwrap();
        let mut run = Run {
            engine,
            groups: BTreeMap::new(),
            _unchanged: Sources::watch(self.folder.path()),
        };
        run.wait_for(|event| *event == Event::Idle);
        run
    }

    /// Files of the outdir whose names start with `prefix`.
    fn files(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.out("")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix)
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
    /// Receives events up to the first that `until` accepts, and returns that one.
    fn wait_for(&mut self, until: impl Fn(&Event) -> bool) -> Event {
        let events = self.engine.events();
        loop {
            let event = events.recv_timeout(TIMEOUT).unwrap();
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

    fn wait_until_blocked(&mut self) -> (String, Cure) {
        match self.wait_for(|event| matches!(event, Event::Blocked(_))) {
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

    fn wait_for_step(&mut self) {
        self.wait_for(|event| matches!(event, Event::Stepped { .. }));
    }

    fn tags(&self, name: &str) -> &[String] {
        self.groups[name].labels.values(Field::TagsKo)
    }

    /// Stops the engine; returns the error that the run ends with, if any.
    fn stop(mut self) -> Option<String> {
        self.engine.send(Command::Stop);
        match self.wait_for(|event| matches!(event, Event::Stopped(_) | Event::Broken(_))) {
            Event::Broken(broken) => Some(Words::ENGLISH.broken(&broken).cause),
            _ => None,
        }
    }
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_deleted_journal_is_rewritten_with_all_decisions() {
    for with_wal in [false, true] {
        let workspace = Workspace::new();
        let mut run = workspace.open();
        run.add_tag("가", "하나");
        run.wait_for_step();
        remove(&workspace.out("journal.sqlite"));
        if with_wal {
            remove(&workspace.out("journal.sqlite-wal"));
            remove(&workspace.out("journal.sqlite-shm"));
        }
        // The engine notices on its own.
        let (cause, cure) = run.wait_until_blocked();
        assert_eq!(cure, Cure::Rewrite);
        assert!(cause.contains("journal.sqlite was deleted"), "{cause}");
        // Decisions made meanwhile wait and are not shown as done.
        run.add_tag("나", "둘");
        run.commit("나");
        run.wait_for(|event| matches!(event, Event::Groups(_)));
        assert_eq!(run.tags("나").len(), 5);
        run.engine.send(Command::TryAgain);
        run.wait_for(|event| *event == Event::Unblocked);
        run.wait_for_step();
        run.wait_for_step();
        assert_eq!(run.tags("나").len(), 6);
        assert_eq!(run.stop(), None);

        let run = workspace.open();
        assert_eq!(run.tags("가").last().unwrap(), "하나");
        assert_eq!(run.tags("나").last().unwrap(), "둘");
        assert_eq!(workspace.committed_tags()[1].last().unwrap(), "둘");
        for left in ["journal.rescued-", "journal.replaced-", ".journal-"] {
            assert_eq!(workspace.files(left), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn a_journal_missing_at_the_end_is_saved_under_another_name() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    remove(&workspace.out("journal.sqlite"));
    run.wait_until_blocked();
    run.add_tag("나", "둘");
    let cause = run.stop().unwrap();
    assert!(cause.contains("was deleted by another program"), "{cause}");
    let rescued = workspace.files("journal.rescued-");
    assert_eq!(rescued.len(), 1);
    assert!(cause.contains(rescued[0].to_str().unwrap()), "{cause}");
    // The WAL is gone too: it would corrupt the file renamed to this path.
    assert_eq!(workspace.files("journal.sqlite"), [] as [PathBuf; 0]);

    fs::rename(&rescued[0], workspace.out("journal.sqlite")).unwrap();
    let run = workspace.open();
    assert_eq!(run.tags("가").last().unwrap(), "하나");
    assert_eq!(run.tags("나").last().unwrap(), "둘");
}

#[test]
fn a_file_that_replaced_the_journal_is_kept() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    fs::write(workspace.out("other"), "another file").unwrap();
    fs::rename(workspace.out("other"), workspace.out("journal.sqlite")).unwrap();
    let (cause, cure) = run.wait_until_blocked();
    assert_eq!(cure, Cure::Rewrite);
    assert!(cause.contains("replaced"), "{cause}");
    run.engine.send(Command::TryAgain);
    run.wait_for(|event| *event == Event::Unblocked);
    assert_eq!(run.stop(), None);
    let kept = workspace.files("journal.replaced-");
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), "another file");
    assert_eq!(workspace.open().tags("가").last().unwrap(), "하나");
}

#[test]
fn a_deleted_outdir_is_recreated() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    fs::remove_dir_all(workspace.out("")).unwrap();
    run.wait_until_blocked();
    run.engine.send(Command::TryAgain);
    run.wait_for(|event| *event == Event::Unblocked);
    run.commit("가");
    run.wait_for_step();
    assert_eq!(run.stop(), None);
    assert_eq!(workspace.committed_tags()[0].last().unwrap(), "하나");
    assert_eq!(workspace.open().tags("가").last().unwrap(), "하나");
}

/// Truncates a file to nothing, as `> journal.sqlite` does in a shell.
fn truncate(path: &Path) {
    fs::File::create(path).unwrap();
}

#[test]
fn a_truncated_journal_is_rewritten_from_its_wal() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    truncate(&workspace.out("journal.sqlite"));
    let (cause, cure) = run.wait_until_blocked();
    assert_eq!(cure, Cure::Rewrite, "{cause}");
    assert!(cause.contains("truncated"), "{cause}");
    run.engine.send(Command::TryAgain);
    run.wait_for(|event| *event == Event::Unblocked);
    assert_eq!(run.stop(), None);
    assert_eq!(workspace.open().tags("가").last().unwrap(), "하나");
}

#[test]
fn changes_of_a_run_whose_journal_is_damaged_are_saved_to_a_file() {
    type Damage = fn(&Path);
    let overwrite: Damage = |path| {
        let length = fs::metadata(path).unwrap().len();
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(&vec![0; length as usize]).unwrap();
    };
    let damages: [(Damage, &str); 2] = [(overwrite, "overwritten"), (truncate, "truncated")];
    for (damage, word) in damages {
        let workspace = Workspace::new();
        // This run checkpoints the WAL into the journal, and the next run does not read all of it.
        assert_eq!(workspace.open().stop(), None);
        let mut run = workspace.open();
        run.add_tag("가", "하나");
        run.wait_for_step();
        damage(&workspace.out("journal.sqlite"));
        let (cause, cure) = run.wait_until_blocked();
        assert_eq!(cure, Cure::None);
        assert!(cause.contains(word), "{cause}");
        run.add_tag("나", "둘");
        let cause = run.stop().unwrap();
        assert!(cause.contains(word), "{cause}");
        assert!(cause.contains("not saved: add 둘 to tags"), "{cause}");
        let rescued = workspace.files("journal.rescued-");
        assert_eq!(rescued.len(), 1);
        assert!(cause.contains(rescued[0].to_str().unwrap()), "{cause}");
        let text = fs::read_to_string(&rescued[0]).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let changes: Vec<_> = lines
            .iter()
            .map(|line| {
                let value = line["change"]["add"]["value"].as_str().unwrap();
                (value, &line["images"], line["saved"].as_bool().unwrap())
            })
            .collect();
        let (first, second) = (json!(["가.png"]), json!(["나.png"]));
        assert_eq!(changes, [("하나", &first, true), ("둘", &second, false)]);
        // No committed record is lost.
        assert_eq!(workspace.committed_tags().len(), 2);
    }
}

/// Runs `labeler-tui journal` in the workspace; returns its exit status and output.
fn journal(workspace: &Workspace, args: &[&str]) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_labeler-tui"))
        .env_clear()
        .env("HOME", workspace.folder.path())
        .current_dir(workspace.folder.path())
        .arg("journal")
        .args(args)
        .args(["--outdir", "out"])
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let status = output.status.code().unwrap();
    (status, String::from_utf8(printed).unwrap())
}

impl Run {
    /// Starts the engine; also returns the rescue file of an earlier run that it reports, if any.
    fn open_with_rescued(workspace: &Workspace) -> (Self, Option<PathBuf>) {
        let engine = engine::engine(workspace.folder.path()).start(None).unwrap();
        let mut run = Run {
            engine,
            groups: BTreeMap::new(),
            _unchanged: Sources::watch(workspace.folder.path()),
        };
        let found = std::cell::RefCell::new(None);
        run.wait_for(|event| {
            if let Event::Warning(Warning::RunToRestore(path)) = event {
                found.replace(Some(path.clone()));
            }
            *event == Event::Idle
        });
        (run, found.into_inner())
    }
}

#[test]
fn saved_changes_are_reported_at_the_next_start_and_restored() {
    let workspace = Workspace::new();
    assert_eq!(workspace.open().stop(), None);
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.commit("가");
    run.add_tag("가", "둘");
    run.engine.send(Command::Undo);
    run.engine.send(Command::Redo);
    run.add_tag("나", "셋");
    run.engine.send(Command::Undo);
    for _ in 0..7 {
        run.wait_for_step();
    }
    let path = workspace.out("journal.sqlite");
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(&vec![0; length as usize]).unwrap();
    run.wait_until_blocked();
    run.add_tag("나", "넷");
    run.stop().unwrap();
    let rescued = workspace.files("journal.rescued-");
    assert_eq!(rescued.len(), 1);
    let name = format!("out/{}", rescued[0].file_name().unwrap().display());

    let (status, output) = journal(&workspace, &["rebuild"]);
    assert_eq!(status, 0, "{output}");
    let hint = format!("`labeler-tui journal restore {name} --outdir out` restores it");
    assert!(output.contains(&hint), "{output}");
    let (run, found) = Run::open_with_rescued(&workspace);
    assert_eq!(found.as_ref(), Some(&rescued[0]));
    assert!(!run.tags("가").contains(&"둘".to_owned()));
    assert_eq!(run.stop(), None);

    let (status, output) = journal(&workspace, &["restore", &name]);
    assert_eq!(
        status,
        0,
        "{output}\n{}",
        fs::read_to_string(&rescued[0]).unwrap()
    );
    assert!(output.contains("never saved by the run: 1"), "{output}");
    let (run, found) = Run::open_with_rescued(&workspace);
    assert_eq!(found, None);
    assert_eq!(run.tags("가")[5..], ["하나", "둘"]);
    assert_eq!(run.tags("나")[5..], ["넷"]);
    assert_eq!(workspace.committed_tags()[0].last().unwrap(), "하나");
    assert_eq!(run.stop(), None);

    // Restoring again changes nothing.
    let before = fs::read(workspace.out("labels.jsonl")).unwrap();
    let (_, output) = journal(&workspace, &["restore", &name]);
    assert!(output.contains("restored from"), "{output}");
    assert_eq!(fs::read(workspace.out("labels.jsonl")).unwrap(), before);
}

#[test]
fn a_rebuild_after_a_kill_loses_no_commit() {
    let workspace = Workspace::new();
    assert_eq!(workspace.open().stop(), None);
    let closed = fs::read(workspace.out("journal.sqlite")).unwrap();
    let imported = fs::read(workspace.out("labels.jsonl")).unwrap();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.commit("가");
    for _ in 0..2 {
        run.wait_for_step();
    }
    // The state after a kill: with all files, before the export, and with a backup in the place of
    // the journal.
    let backup = ("journal.sqlite", closed);
    for older in [None, Some(("labels.jsonl", imported)), Some(backup)] {
        let killed = Workspace::new();
        for name in ["journal.sqlite", "journal.sqlite-wal", "labels.jsonl"] {
            fs::copy(workspace.out(name), killed.out(name)).unwrap();
        }
        if let Some((name, bytes)) = &older {
            fs::write(killed.out(name), bytes).unwrap();
        }
        let (status, output) = journal(&killed, &["rebuild"]);
        assert_eq!(status, 0, "{output}");
        assert_eq!(killed.committed_tags()[0].last().unwrap(), "하나");
        let run = killed.open();
        assert_eq!(run.groups["가"].state, GroupState::Committed);
        assert_eq!(run.tags("가").last().unwrap(), "하나");
        assert_eq!(run.stop(), None);
        assert_eq!(killed.files("labels_kept"), [] as [PathBuf; 0]);
    }
}

#[test]
fn a_journal_saved_under_another_name_is_restored() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    remove(&workspace.out("journal.sqlite"));
    run.wait_until_blocked();
    run.stop().unwrap();
    let rescued = workspace.files("journal.rescued-");
    let name = format!("out/{}", rescued[0].file_name().unwrap().display());
    // A run without it comes first.
    let (run, found) = Run::open_with_rescued(&workspace);
    assert_eq!(found.as_ref(), Some(&rescued[0]));
    assert_eq!(run.stop(), None);
    let (status, output) = journal(&workspace, &["restore", "nowhere.sqlite"]);
    assert_eq!(status, 2, "{output}");
    assert!(output.contains("nowhere.sqlite does not exist"), "{output}");
    assert!(output.contains(&name), "{output}");
    let (status, output) = journal(&workspace, &["restore", &name]);
    assert_eq!(status, 0, "{output}");
    let (run, found) = Run::open_with_rescued(&workspace);
    assert_eq!(found, None);
    assert_eq!(run.tags("가").last().unwrap(), "하나");
}

#[test]
fn deleting_the_wal_loses_nothing() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    remove(&workspace.out("journal.sqlite-wal"));
    run.add_tag("나", "둘");
    run.wait_for_step();
    // The state after a crash at this moment.
    let other = Workspace::new();
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        fs::copy(workspace.out(name), other.out(name)).unwrap();
    }
    let recovered = other.open();
    assert_eq!(recovered.tags("가").last().unwrap(), "하나");
    assert_eq!(recovered.tags("나").last().unwrap(), "둘");
    assert_eq!(run.stop(), None);
}

#[test]
fn a_blocked_export_is_written_once_it_can_be() {
    for automatic in [true, false] {
        let workspace = Workspace::new();
        let mut run = workspace.open();
        // A folder with content blocks the export's path.
        remove(&workspace.out("labels.jsonl"));
        fs::create_dir_all(workspace.out("labels.jsonl/in the way")).unwrap();
        run.add_tag("가", "하나");
        run.commit("가");
        let (cause, cure) = run.wait_until_blocked();
        assert_eq!(cure, Cure::Wait);
        assert!(cause.contains("labels.jsonl"), "{cause}");
        // Reading still works.
        run.engine.send(Command::Open(run.id("나")));
        run.wait_for(|event| matches!(event, Event::Detail(_)));
        run.commit("나");
        fs::remove_dir_all(workspace.out("labels.jsonl")).unwrap();
        if !automatic {
            run.engine.send(Command::TryAgain);
        }
        run.wait_for(|event| *event == Event::Unblocked);
        assert_eq!(run.stop(), None);
        assert_eq!(workspace.committed_tags()[0].last().unwrap(), "하나");
    }
}

#[test]
fn a_checkpoint_by_another_program_does_no_harm() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    run.add_tag("가", "하나");
    run.wait_for_step();
    let other = rusqlite::Connection::open(workspace.out("journal.sqlite")).unwrap();
    let busy: i64 = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 0);
    drop(other);
    run.add_tag("나", "둘");
    run.wait_for_step();
    assert_eq!(run.stop(), None);
    assert_eq!(workspace.open().tags("나").last().unwrap(), "둘");
}

/// Changes the journal of a run from outside.
fn tamper(workspace: &Workspace, sql: &str) {
    let other = rusqlite::Connection::open(workspace.out("journal.sqlite")).unwrap();
    other.execute_batch(sql).unwrap();
}

#[test]
fn an_unreadable_first_text_does_not_repeat_an_undo() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    for tag in ["하나", "둘"] {
        run.add_tag("가", tag);
        run.wait_for_step();
    }
    tamper(&workspace, "UPDATE drafts SET labels = '{' WHERE id = 1");
    run.engine.send(Command::Undo);
    run.wait_for_step();
    assert_eq!(run.tags("가").last().unwrap(), "하나");
    assert_eq!(run.stop(), None);
}

#[test]
fn a_synonym_that_cannot_be_removed_does_not_hide_why_its_step_failed() {
    let workspace = Workspace::new();
    let mut run = workspace.open();
    tamper(
        &workspace,
        "CREATE TRIGGER full BEFORE INSERT ON steps BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    run.engine.send(Command::Apply {
        groups: vec![run.id("가")],
        change: Change::Synonym {
            field: Field::TagsKo,
            from: "천".into(),
            to: "옷감".into(),
        },
    });
    run.wait_until_blocked();
    fs::write(workspace.out("vocabulary.toml"), "# without it\n").unwrap();
    let cause = run.stop().unwrap();
    assert!(cause.contains("no room"), "{cause}");
}
