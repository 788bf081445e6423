//! A journal of an earlier layout, brought up to date over such a disk.

use super::*;
use crate::store::tests::layouts;

/// Layouts that the way begins at: the first one, and others that much is done to.
const FROM: [usize; 4] = [1, 4, 9, schema::VERSION - 1];

/// An outdir with a full journal of an earlier layout. A backup has no log beside it, the journal
/// of a program that wrote one has.
fn earlier(version: usize, mode: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = layouts::full(dir.path());
    journal.export(false).unwrap();
    drop(journal);
    let db = as_of_version(dir.path(), version);
    db.pragma_update(None, "journal_mode", mode).unwrap();
    dir
}

/// What a journal of an earlier layout comes to.
struct Migration {
    outdir: tempfile::TempDir,
    /// What the journal says behind it, and the file of records.
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
        let after = found(copy.path(), "undisturbed");
        Migration {
            outdir,
            after,
            operations: Disk::remove().operations,
            name: format!("layout {version}, {mode}"),
        }
    })
}

fn found(outdir: &Path, moment: &str) -> (String, String) {
    let journal = try_open(outdir).unwrap_or_else(|error| panic!("{moment}: {error}"));
    let content = content(&journal.journal);
    (content, read(outdir, LABELS))
}

#[test]
fn a_migration_that_fails_is_done_the_next_time() {
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
            assert_eq!(found(copy.path(), &moment), migration.after, "{moment}");
        }
    }
}

#[test]
fn a_migration_outlasts_a_loss_of_power() {
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
        let undisturbed = found(copy.path(), "undisturbed");
        Disk::remove();
        assert_eq!(undisturbed, migration.after);
        for (at, folder) in left.take() {
            let moment = format!("{}, power lost at {at} of {most}", migration.name);
            assert_eq!(found(folder.path(), &moment), migration.after, "{moment}");
        }
    }
}
