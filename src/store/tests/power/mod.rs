//! The journal over a disk that fails at any write or sync, or loses its power: what was told is
//! there afterwards, once and whole. `STATES=1000` tries more than a few moments.

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

/// Moments that are tried, evenly over all of a life.
fn states() -> usize {
    let told = std::env::var("STATES").ok();
    told.and_then(|n| n.parse().ok()).unwrap_or(25)
}

/// An outdir in use, and what its steps come to.
struct Life {
    folder: tempfile::TempDir,
    outdir: Option<Outdir>,
    ids: Vec<GroupId>,
    /// The image files that records are true of.
    names: [&'static str; 4],
}

type Step = (&'static str, fn(&mut Life) -> Result<()>);

/// A life in steps; each is all there or not at all.
const STEPS: [Step; 18] = [
    ("open", |life| life.open()),
    ("meet", |life| {
        let groups: Vec<NewGroup> = (0..)
            .zip(life.names)
            .map(|(at, name)| group(at, name))
            .collect();
        let journal = life.journal();
        journal.begin_source();
        let met = journal.upsert_groups(&groups)?;
        life.ids = met.into_iter().map(|met| met.id).collect();
        Ok(())
    }),
    ("answer 1", |life| life.answer(0)),
    ("answer 2", |life| life.answer(1)),
    ("answer 3", |life| life.answer(2)),
    ("failure", |life| {
        let id = life.ids[3];
        let failed = failure(FailureCode::MissingImage);
        life.journal().add_failure(id, &failed).map(|_| ())
    }),
    ("record", |life| {
        let id = life.ids[0];
        life.journal().commit_automatic(id).map(|_| ())
    }),
    ("export", |life| life.outdir().export(false)),
    ("edit", |life| {
        life.apply(&[1], &set_label("푸른 천으로 만든 것"))
    }),
    ("commit", |life| life.apply(&[0, 1], &Change::Commit)),
    ("undo", |life| life.journal().undo().map(|_| ())),
    ("redo", |life| life.journal().redo().map(|_| ())),
    ("export again", |life| life.outdir().export(false)),
    ("close", |life| {
        life.outdir = None;
        Ok(())
    }),
    ("open again", |life| life.open()),
    ("note", |life| {
        let note = Some("가".repeat(3000));
        life.apply(&[2], &Change::SetNote { note })
    }),
    ("edit all", |life| {
        life.apply(&[0, 1, 2], &set_label("모두 같은 것"))
    }),
    ("commit all", |life| {
        life.apply(&[0, 1, 2], &Change::Commit)?;
        life.outdir().export(false)
    }),
];

impl Life {
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

/// All that a journal says, but for when.
fn content(journal: &Journal) -> String {
    let mut said = Vec::new();
    for group in journal.summaries().unwrap() {
        said.push(format!(
            "{} {:?} {} {:?} {:?}",
            group.name, group.state, group.has_record, group.labels, group.note
        ));
    }
    journal
        .each_record(|committed| {
            assert!(committed.is_intact);
            let mut record: serde_json::Value = serde_json::from_str(&committed.record).unwrap();
            record["generated_at"].take();
            said.push(record.to_string());
            Ok(())
        })
        .unwrap();
    for table in ["attempts", "drafts", "records", "steps", "failures"] {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = journal
            .db()
            .query_row(&count, [], |row| row.get(0))
            .unwrap();
        said.push(format!("{rows} {table}"));
    }
    let (undo, redo) = journal.next_steps().unwrap();
    said.push(format!("{} {}", undo.is_some(), redo.is_some()));
    said.join("\n")
}

/// What a journal says before its life and after each step of it.
fn contents_of_a_life() -> Vec<String> {
    let nothing = tempfile::tempdir().unwrap();
    let mut contents = vec![content(&open(nothing.path()).journal)];
    let mut life = Life::new();
    for (name, step) in STEPS {
        step(&mut life).unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = match &life.outdir {
            Some(outdir) => content(&outdir.journal),
            None => contents[contents.len() - 1].clone(),
        };
        contents.push(now);
    }
    contents
}

/// Opens what is left of an outdir whose first `done` steps were told as done: they are there, and
/// the one after them is there or is not.
fn check(outdir: &Path, done: usize, contents: &[String], moment: &str) {
    let left = try_open(outdir).unwrap_or_else(|error| panic!("{moment}: {error}"));
    let found = content(&left.journal);
    let may_be = &contents[done..contents.len().min(done + 2)];
    assert!(
        may_be.contains(&found),
        "{moment}: after {}\n{found}\nis not\n{}",
        STEPS[..done].last().map_or("nothing", |(name, _)| name),
        may_be.join("\nor\n")
    );
    let sound: String = left
        .db()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok", "{moment}");
    // Opening it has brought the file of records up to date.
    let mut records = Vec::new();
    left.each_record(|committed| {
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

/// Lives until a step fails; how many were told as done.
fn live(life: &mut Life, told: impl Fn(usize)) -> usize {
    for (at, (_, step)) in STEPS.iter().enumerate() {
        if step(life).is_err() {
            return at;
        }
        told(at + 1);
    }
    STEPS.len()
}

/// How many operations a life takes.
fn operations() -> usize {
    Disk::default().insert();
    let mut life = Life::new();
    assert_eq!(live(&mut life, |_| {}), STEPS.len());
    drop(life);
    Disk::remove().operations
}

/// `states` of the numbers from 1 to `most`, evenly.
fn spread(states: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (1..=states).map(|n| (n * most).div_ceil(states)).collect();
    all.dedup();
    all
}

#[test]
fn a_write_or_sync_that_fails_costs_at_most_its_step() {
    let contents = contents_of_a_life();
    let most = operations();
    for (turn, at) in spread(states(), most).into_iter().enumerate() {
        let fault = [Fault::Io, Fault::Torn, Fault::Full][turn % 3];
        Disk {
            fault: Some((at, fault)),
            ..Disk::default()
        }
        .insert();
        let mut life = Life::new();
        let done = live(&mut life, |_| {});
        Disk::remove();
        let moment = format!("{fault:?} at {at} of {most}");
        // The disk is well again, and whoever worked goes on.
        if let Some((name, step)) = STEPS.get(done) {
            let is_done = life.outdir.as_ref().is_some_and(|outdir| {
                let now = content(&outdir.journal);
                now != contents[done] && now == contents[done + 1]
            });
            if !is_done {
                step(&mut life).unwrap_or_else(|error| panic!("{moment}: {name} again: {error}"));
            }
            let went_on = done + 1;
            life.outdir = None;
            check(life.folder.path(), went_on, &contents[..=went_on], &moment);
        } else {
            life.outdir = None;
            check(life.folder.path(), done, &contents, &moment);
        }
    }
}

/// What the disk holds after the power was lost at this moment.
fn after_power_loss(disk: &Disk, outdir: &Path, random: &mut StdRng) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    let kind = random.random_range(0..4);
    for (path, file) in &disk.files {
        let is_there = path.exists();
        // A deletion may not have reached the disk, as long as nothing new has the name.
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
    // What SQLite does not write is synced before it counts.
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
fn what_was_told_outlasts_a_loss_of_power() {
    let contents = contents_of_a_life();
    let most = operations();
    // Each life is looked at in so many moments, to hold few folders at a time.
    for moments in spread(states(), most).chunks(50) {
        let done = Rc::new(Cell::new(0));
        let left = Rc::new(RefCell::new(Vec::new()));
        let mut life = Life::new();
        let outdir = life.folder.path().canonicalize().unwrap();
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
        assert_eq!(live(&mut life, |step| done.set(step)), STEPS.len());
        drop(life);
        Disk::remove();
        for (at, done, folder) in left.take() {
            let moment = format!("power lost at {at} of {most}");
            check(folder.path(), done, &contents, &moment);
        }
    }
}
