//! A program that is killed while it opens its journal, and again at the next start.

use super::*;
use crate::outdir::JOURNAL_LOGS;

const JOURNAL_FILES: [&str; 2] = [JOURNAL, JOURNAL_LOGS[0]];

/// Opens the journal. Returns every state in which a kill may leave its files.
fn killed_while_opening(outdir: &Path, moment: &str) -> Vec<tempfile::TempDir> {
    let left = Rc::new(RefCell::new(Vec::new()));
    let watcher = {
        let (left, outdir) = (Rc::clone(&left), outdir.to_owned());
        let mut before = Vec::new();
        move |_: &Disk| {
            let files = JOURNAL_FILES.map(|name| std::fs::read(outdir.join(name)).ok());
            let now = files.to_vec();
            if now != before {
                left.borrow_mut().push(as_if_killed(&outdir));
                before = now;
            }
        }
    };
    Disk {
        watcher: Some(Box::new(watcher)),
        ..Disk::default()
    }
    .insert();
    let opened = Journal::lock(outdir, vocabulary());
    Disk::remove();
    opened.unwrap_or_else(|error| panic!("{moment}: {error}"));
    left.take()
}

#[test]
fn a_journal_opens_after_two_kills() {
    let mut session = Session::new();
    assert_eq!(run(&mut session, |_| {}), STEPS.len());
    let expected = content(&session.outdir().journal);
    let killed = as_if_killed(session.folder.path());
    for (at, once) in killed_while_opening(killed.path(), "killed")
        .iter()
        .enumerate()
    {
        let moment = format!("killed at {at} of the first opening");
        for (again, twice) in killed_while_opening(once.path(), &moment)
            .iter()
            .enumerate()
        {
            let moment = format!("{moment} and at {again} of the second");
            let journal = Journal::lock(twice.path(), vocabulary());
            let journal = journal.unwrap_or_else(|error| panic!("{moment}: {error}"));
            assert_eq!(content(&journal), expected, "{moment}");
        }
    }
}
