//! A journal of an earlier layout, brought up to date over a disk that fails or loses its power.

use super::*;
use crate::store::database::schema::VERSION;

/// An outdir in use whose journal has an earlier layout.
fn earlier(version: usize) -> tempfile::TempDir {
    let mut life = Life::new();
    live(&mut life, |_| {});
    life.outdir = None;
    drop(as_of_version(life.folder.path(), version));
    life.folder
}

fn copy(outdir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(outdir).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn check_migrated(outdir: &Path, wanted: &str, moment: &str) {
    let opened = try_open(outdir).unwrap_or_else(|error| panic!("{moment}: {error}"));
    assert_eq!(content(&opened.journal), wanted, "{moment}");
}

#[test]
fn an_earlier_layout_is_brought_up_to_date_whatever_happens_meanwhile() {
    for version in [1, VERSION / 2, VERSION - 1] {
        let before = earlier(version);
        Disk::default().insert();
        let undisturbed = copy(before.path());
        let wanted = content(&open(undisturbed.path()).journal);
        let most = Disk::remove().operations;
        for (turn, at) in spread(states().div_ceil(3), most).into_iter().enumerate() {
            let moment = format!("layout {version}, {at} of {most}");
            let fault = [Fault::Io, Fault::Torn, Fault::Full][turn % 3];
            let failed = copy(before.path());
            Disk {
                fault: Some((at, fault)),
                ..Disk::default()
            }
            .insert();
            // Whether it was noticed or not.
            drop(try_open(failed.path()));
            Disk::remove();
            check_migrated(failed.path(), &wanted, &format!("{moment}, {fault:?}"));

            let cut = copy(before.path());
            let outdir = cut.path().canonicalize().unwrap();
            let left = Rc::new(RefCell::new(None));
            let taken = Rc::clone(&left);
            let mut random = StdRng::seed_from_u64(at as u64);
            let watcher = move |disk: &Disk| {
                if disk.operations == at {
                    *taken.borrow_mut() = Some(after_power_loss(disk, &outdir, &mut random));
                }
            };
            Disk {
                watcher: Some(Box::new(watcher)),
                ..Disk::default()
            }
            .insert();
            drop(try_open(cut.path()).unwrap());
            Disk::remove();
            let left = left
                .take()
                .unwrap_or_else(|| panic!("{moment}: never came"));
            check_migrated(left.path(), &wanted, &format!("{moment}, power lost"));
        }
    }
}
