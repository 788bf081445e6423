//! Migration of a journal on a failing disk.

use super::*;
use crate::store::tests::migrations;

/// Schema versions to migrate from: the first one, and others that need much work.
const FROM: [usize; 4] = [1, 4, 9, schema::VERSION - 1];

/// An outdir with a full journal of an earlier schema version, with a write-ahead log or, like a
/// backup, without.
fn earlier(version: usize, mode: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = migrations::full(dir.path());
    journal.export().unwrap();
    drop(journal);
    let db = as_of_version(dir.path(), version);
    db.pragma_update(None, "journal_mode", mode).unwrap();
    dir
}

/// A journal to migrate, and the expected result.
struct Migration {
    outdir: tempfile::TempDir,
    /// Content of the journal and of `labels.jsonl` after the migration.
    after: (String, String),
    operations: usize,
    name: String,
}

fn all() -> impl Iterator<Item = Migration> {
    let modes = ["wal", "delete"].into_iter();
    let kinds = modes.flat_map(|mode| FROM.map(|version| (version, mode)));
    kinds.map(|(version, mode)| {
        let outdir = earlier(version, mode);
        let copy = as_if_killed(outdir.path());
        Disk::default().insert();
        let after = open_and_read(copy.path(), "undisturbed");
        Migration {
            outdir,
            after,
            operations: Disk::remove().operations,
            name: format!("version {version}, {mode}"),
        }
    })
}

fn open_and_read(outdir: &Path, moment: &str) -> (String, String) {
    let journal = try_open(outdir).unwrap_or_else(|error| panic!("{moment}: {error}"));
    let content = content(&journal.journal);
    (content, read(outdir, LABELS))
}

#[test]
fn a_failed_migration_is_repeated_at_the_next_start() {
    for migration in all() {
        let most = migration.operations;
        for (turn, at) in spread(states().div_ceil(4), most).into_iter().enumerate() {
            let fault = [Fault::Io, Fault::Torn, Fault::Full][turn % 3];
            let moment = format!("{}, {fault:?} at {at} of {most}", migration.name);
            let copy = as_if_killed(migration.outdir.path());
            Disk {
                fault: Some((at, fault)),
                ..Disk::default()
            }
            .insert();
            let opened = try_open(copy.path()).map(drop);
            Disk::remove();
            if let Err(error) = opened {
                assert!(!error.cause.is_empty(), "{moment}");
            }
            assert_eq!(
                open_and_read(copy.path(), &moment),
                migration.after,
                "{moment}"
            );
        }
    }
}

#[test]
fn a_migration_survives_a_power_failure() {
    for migration in all() {
        let most = migration.operations;
        let moments = spread(states().div_ceil(4), most);
        let copy = as_if_killed(migration.outdir.path());
        let outdir = copy.path().canonicalize().unwrap();
        let left = Rc::new(RefCell::new(Vec::new()));
        let watcher = {
            let left = Rc::clone(&left);
            let mut random = StdRng::seed_from_u64(most as u64);
            move |disk: &Disk| {
                if moments.contains(&disk.operations) {
                    let folder = after_power_loss(disk, &outdir, &mut random);
                    left.borrow_mut().push((disk.operations, folder));
                }
            }
        };
        Disk {
            watcher: Some(Box::new(watcher)),
            ..Disk::default()
        }
        .insert();
        let undisturbed = open_and_read(copy.path(), "undisturbed");
        Disk::remove();
        assert_eq!(undisturbed, migration.after);
        for (at, folder) in left.take() {
            let moment = format!("{}, power lost at {at} of {most}", migration.name);
            assert_eq!(
                open_and_read(folder.path(), &moment),
                migration.after,
                "{moment}"
            );
        }
    }
}
