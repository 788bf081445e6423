//! Killed runs, a full disk, and a folder that cannot be written.

use super::*;
use crate::outdir::LABELS;

#[test]
fn a_kill_loses_no_finished_work() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    journal.commit_automatic(ids[1]).unwrap();
    journal
        .apply(&ids, &set_label("같은 붉은 것"), "edit")
        .unwrap();
    let seen = journal.summaries().unwrap();

    let killed = as_if_killed(dir.path());
    let mut again = open(killed.path());
    assert_eq!(again.summaries().unwrap(), seen);
    assert!(again.take_notices().is_empty());
    assert_eq!(lines(killed.path(), LABELS).len(), 2);
    assert!(again.undo().unwrap().is_some());
}

#[test]
fn an_interrupted_step_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ids) = labeled(dir.path(), &["반지"]);
    let seen = journal.summaries().unwrap();
    journal
        .db()
        .execute_batch("BEGIN; UPDATE heads SET labels = ''; DELETE FROM attempts;")
        .unwrap();
    let killed = as_if_killed(dir.path());
    let again = open(killed.path());
    assert_eq!(again.summaries().unwrap(), seen);
    assert_eq!(again.attempts(ids[0]).unwrap().len(), 1);
}

#[test]
fn a_full_disk_fails_only_the_step() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let pages: i64 = journal
        .db()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    journal
        .db()
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    let long = "가".repeat(100_000);
    let note = Change::SetNote { note: Some(long) };
    let full = journal.apply(&ids, &note, "note").unwrap_err();
    assert!(full.hint.unwrap().contains("free some space"));
    assert_eq!(journal.next_steps().unwrap(), (None, None));

    journal
        .db()
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    let stepped = journal.apply(&ids, &note, "note").unwrap();
    assert_eq!(stepped.changed, ids);
}

#[test]
fn a_failed_export_leaves_the_old_file_and_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    let before = read(dir.path(), LABELS);
    journal.commit_automatic(ids[1]).unwrap();
    // The disk behind a link is gone, then back.
    let (here, disk) = (dir.path().join(LABELS), dir.path().join("disk"));
    std::fs::create_dir(&disk).unwrap();
    std::fs::rename(&here, disk.join(LABELS)).unwrap();
    std::os::unix::fs::symlink(disk.join(LABELS), &here).unwrap();
    std::fs::rename(&disk, dir.path().join("elsewhere")).unwrap();
    assert!(journal.export().is_err());
    std::fs::rename(dir.path().join("elsewhere"), &disk).unwrap();
    assert_eq!(read(dir.path(), LABELS), before);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 2);
}

#[test]
fn an_outdir_that_is_a_file_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels");
    std::fs::write(&path, "").unwrap();
    let refused = Journal::lock(&path, vocabulary()).unwrap_err();
    assert!(refused.cause.contains("labels"), "{refused}");
}
