//! The journal on a disk that fails at any write or sync, or loses power: what was reported as done
//! is there afterwards, exactly once. `STATES=1000` tries more moments.

mod disk;
mod killed;
mod migrating;

use super::*;
use crate::outdir::{JOURNAL, LABELS};
use disk::{Disk, Fault};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Number of moments to try, spread evenly over a session.
fn states() -> usize {
    let states = std::env::var("STATES").ok();
    states.and_then(|n| n.parse().ok()).unwrap_or(25)
}

/// A session on an outdir.
struct Session {
    folder: tempfile::TempDir,
    outdir: Option<Outdir>,
    ids: Vec<GroupId>,
    /// Names of the items.
    names: [&'static str; 4],
}

type Step = (&'static str, fn(&mut Session) -> Result<()>);

/// The steps of a session. Each is atomic.
const STEPS: [Step; 18] = [
    ("open", |session| session.open()),
    ("read source", |session| {
        let groups: Vec<NewGroup> = (0..)
            .zip(session.names)
            .map(|(at, name)| group(at, name))
            .collect();
        let journal = session.journal();
        journal.begin_source();
        let upserted = journal.upsert_groups(&groups)?;
        session.ids = upserted.into_iter().map(|group| group.id).collect();
        Ok(())
    }),
    ("answer 1", |session| session.answer(0)),
    ("answer 2", |session| session.answer(1)),
    ("answer 3", |session| session.answer(2)),
    ("failure", |session| {
        let id = session.ids[3];
        let failed = failure(FailureCode::MissingImage);
        session.journal().add_failure(id, &failed).map(|_| ())
    }),
    ("record", |session| {
        let id = session.ids[0];
        session.journal().commit_automatic(id).map(|_| ())
    }),
    ("export", |session| session.outdir().export()),
    ("edit", |session| {
        session.apply(&[1], &set_label("푸른 천으로 만든 것"))
    }),
    ("commit", |session| session.apply(&[0, 1], &Change::Commit)),
    ("undo", |session| session.journal().undo().map(|_| ())),
    ("redo", |session| session.journal().redo().map(|_| ())),
    ("export again", |session| session.outdir().export()),
    ("close", |session| {
        session.outdir = None;
        Ok(())
    }),
    ("open again", |session| session.open()),
    ("note", |session| {
        let note = Some("가".repeat(3000));
        session.apply(&[2], &Change::SetNote { note })
    }),
    ("edit all", |session| {
        session.apply(&[0, 1, 2], &set_label("모두 같은 것"))
    }),
    ("commit all", |session| {
        session.apply(&[0, 1, 2], &Change::Commit)?;
        session.outdir().export()
    }),
];

impl Session {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            outdir: None,
            ids: Vec::new(),
            names: ["반지", "모자", "신발", "장갑"],
        }
    }

    fn open(&mut self) -> Result<()> {
        self.outdir = Some(try_open(self.folder.path())?);
        Ok(())
    }

    fn outdir(&mut self) -> &mut Outdir {
        self.outdir.as_mut().unwrap()
    }

    fn journal(&mut self) -> &mut Journal {
        &mut self.outdir().journal
    }

    fn answer(&mut self, at: usize) -> Result<()> {
        let (id, name) = (self.ids[at], self.names[at]);
        let answer = attempt(labels(name), &[]);
        self.journal().add_attempt(id, &answer).map(|_| ())
    }

    fn apply(&mut self, of: &[usize], change: &Change) -> Result<()> {
        let ids: Vec<GroupId> = of.iter().map(|&at| self.ids[at]).collect();
        self.journal().apply(&ids, change, "step").map(|_| ())
    }
}

fn try_open(outdir: &Path) -> Result<Outdir> {
    let mut journal = Journal::lock(outdir, vocabulary())?;
    let mut exports = Exports::new(outdir, &[]);
    exports.catch_up(&mut journal)?;
    Ok(Outdir {
        journal,
        exports,
        notices: Vec::new(),
    })
}

/// Returns the content of a journal without times.
fn content(journal: &Journal) -> String {
    let mut lines = Vec::new();
    for group in journal.summaries().unwrap() {
        lines.push(format!(
            "{} {:?} {} {:?} {:?}",
            group.name, group.state, group.has_record, group.labels, group.note
        ));
    }
    journal
        .each_record(|committed| {
            assert!(committed.is_intact());
            let mut record: serde_json::Value = serde_json::from_str(&committed.record).unwrap();
            record["generated_at"].take();
            lines.push(record.to_string());
            Ok(())
        })
        .unwrap();
    for table in ["attempts", "drafts", "records", "steps", "failures"] {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = journal
            .db()
            .query_row(&count, [], |row| row.get(0))
            .unwrap();
        lines.push(format!("{rows} {table}"));
    }
    let (undo, redo) = journal.next_steps().unwrap();
    lines.push(format!("{} {}", undo.is_some(), redo.is_some()));
    lines.join("\n")
}

/// Returns the content of a journal before a session and after each of its steps.
fn contents_of_a_session() -> Vec<String> {
    let empty = tempfile::tempdir().unwrap();
    let mut contents = vec![content(&open(empty.path()).journal)];
    let mut session = Session::new();
    for (name, step) in STEPS {
        step(&mut session).unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = match &session.outdir {
            Some(outdir) => content(&outdir.journal),
            None => contents[contents.len() - 1].clone(),
        };
        contents.push(now);
    }
    contents
}

/// Opens an outdir after a failure. Its first `done` steps were reported as done and must be there.
/// The next one may be there or not.
fn check(outdir: &Path, done: usize, contents: &[String], moment: &str) {
    let reopened = try_open(outdir).unwrap_or_else(|error| panic!("{moment}: {error}"));
    let found = content(&reopened.journal);
    let may_be = &contents[done..contents.len().min(done + 2)];
    assert!(
        may_be.contains(&found),
        "{moment}: after {}\n{found}\nis not\n{}",
        STEPS[..done].last().map_or("nothing", |(name, _)| name),
        may_be.join("\nor\n")
    );
    let sound: String = reopened
        .db()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok", "{moment}");
    // Opening it has updated `labels.jsonl`.
    let mut records = Vec::new();
    reopened
        .each_record(|committed| {
            records.push(committed.image_path);
            Ok(())
        })
        .unwrap();
    let exported = match outdir.join(LABELS).exists() {
        true => lines(outdir, LABELS),
        false => Vec::new(),
    };
    let exported: Vec<&str> = exported
        .iter()
        .map(|line| line["image_path"].as_str().unwrap())
        .collect();
    assert_eq!(exported, records, "{moment}");
}

/// Runs a session until a step fails. Returns how many steps were done.
fn run(session: &mut Session, done: impl Fn(usize)) -> usize {
    for (at, (_, step)) in STEPS.iter().enumerate() {
        if step(session).is_err() {
            return at;
        }
        done(at + 1);
    }
    STEPS.len()
}

/// Returns the number of disk operations of a session.
fn operations() -> usize {
    Disk::default().insert();
    let mut session = Session::new();
    assert_eq!(run(&mut session, |_| {}), STEPS.len());
    drop(session);
    Disk::remove().operations
}

/// Returns `states` numbers from 1 to `most`, evenly spaced.
fn spread(states: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (1..=states).map(|n| (n * most).div_ceil(states)).collect();
    all.dedup();
    all
}

#[test]
fn a_failed_write_or_sync_loses_at_most_its_step() {
    let contents = contents_of_a_session();
    let most = operations();
    for (turn, at) in spread(states(), most).into_iter().enumerate() {
        let fault = [Fault::Io, Fault::Torn, Fault::Full][turn % 3];
        Disk {
            fault: Some((at, fault)),
            ..Disk::default()
        }
        .insert();
        let mut session = Session::new();
        let done = run(&mut session, |_| {});
        Disk::remove();
        let moment = format!("{fault:?} at {at} of {most}");
        // The disk works again, and the session continues.
        if let Some((name, step)) = STEPS.get(done) {
            let is_done = session.outdir.as_ref().is_some_and(|outdir| {
                let now = content(&outdir.journal);
                now != contents[done] && now == contents[done + 1]
            });
            if !is_done {
                step(&mut session)
                    .unwrap_or_else(|error| panic!("{moment}: {name} again: {error}"));
            }
            let steps = done + 1;
            session.outdir = None;
            check(session.folder.path(), steps, &contents[..=steps], &moment);
        } else {
            session.outdir = None;
            check(session.folder.path(), done, &contents, &moment);
        }
    }
}

/// Returns a folder with the files that a power failure at this moment leaves.
fn after_power_loss(disk: &Disk, outdir: &Path, random: &mut StdRng) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    let kind = random.random_range(0..4);
    for (path, file) in &disk.files {
        let is_there = path.exists();
        // A deletion may not have reached the disk, unless a new file has the name.
        let comes_back = file.is_deleted && !is_there && random.random_bool(0.5);
        if !(is_there || comes_back) || path.parent() != Some(outdir) {
            continue;
        }
        let content = file.after_power_loss(|change| match (kind, change) {
            (0, _) => None,
            (1, _) => Some(usize::MAX),
            (2, _) => random.random_bool(0.5).then_some(usize::MAX),
            (_, disk::Change::Write { bytes, .. }) => {
                Some(random.random_range(0..=2 * bytes.len()))
            }
            (_, disk::Change::Truncate(_)) => random.random_bool(0.5).then_some(usize::MAX),
        });
        std::fs::write(left.path().join(path.file_name().unwrap()), content).unwrap();
    }
    // Other files are synced before they matter.
    for entry in std::fs::read_dir(outdir).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let is_sqlites = name.to_string_lossy().starts_with(JOURNAL);
        if !is_sqlites && !disk.files.contains_key(&path) {
            std::fs::copy(&path, left.path().join(name)).unwrap();
        }
    }
    left
}

#[test]
fn finished_steps_survive_a_power_failure() {
    let contents = contents_of_a_session();
    let most = operations();
    // Few moments per session, to limit the number of folders.
    for moments in spread(states(), most).chunks(50) {
        let done = Rc::new(Cell::new(0));
        let left = Rc::new(RefCell::new(Vec::new()));
        let mut session = Session::new();
        let outdir = session.folder.path().canonicalize().unwrap();
        let watcher = {
            let (done, left) = (Rc::clone(&done), Rc::clone(&left));
            let (moments, outdir) = (moments.to_vec(), outdir);
            let mut random = StdRng::seed_from_u64(moments[0] as u64);
            move |disk: &Disk| {
                if moments.contains(&disk.operations) {
                    let folder = after_power_loss(disk, &outdir, &mut random);
                    left.borrow_mut()
                        .push((disk.operations, done.get(), folder));
                }
            }
        };
        Disk {
            watcher: Some(Box::new(watcher)),
            ..Disk::default()
        }
        .insert();
        assert_eq!(run(&mut session, |step| done.set(step)), STEPS.len());
        drop(session);
        Disk::remove();
        for (at, done, folder) in left.take() {
            let moment = format!("power lost at {at} of {most}");
            check(folder.path(), done, &contents, &moment);
        }
    }
}
