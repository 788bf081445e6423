//! Outdirs with foreign files, and journals that were copied.

use super::*;
use crate::export::check_outdir;
use crate::icon::{Drawing, Edges, Measured};
use crate::outdir::{JOURNAL, LABELS, open_own};
use crate::store::{Checked, Rebuilt, backup, check, copy_to_read, rebuild, restore};
use std::fs::OpenOptions;

/// Rebuilds a journal like `journal rebuild`.
fn rebuild_with_exports(outdir: &Path) -> Rebuilt {
    let mut rebuilt = rebuild(outdir, vocabulary()).unwrap();
    let mut exports = Exports::new(outdir, &[]);
    exports
        .rebuild(&mut rebuilt.journal, rebuilt.prefer)
        .unwrap();
    rebuilt
}

/// Checks a journal like `journal check`.
fn check_journal(outdir: &Path) -> Checked {
    check(outdir, vocabulary()).unwrap()
}

#[test]
fn a_database_of_another_program_is_rejected_and_unchanged() {
    for setup in [
        "CREATE TABLE runs (run_id TEXT); INSERT INTO runs VALUES ('x')",
        "PRAGMA user_version = 2; CREATE TABLE meta (key, value)",
        "PRAGMA application_id = 77; CREATE TABLE meta (key, value)",
        "PRAGMA journal_mode = WAL; CREATE TABLE runs (run_id TEXT)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(JOURNAL);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch(setup).unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let refused = Journal::lock(dir.path(), vocabulary()).unwrap_err();
        assert!(refused.cause.contains("not a journal of"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

/// Returns names, sizes and times of all files in a folder.
fn files_of(folder: &Path) -> Vec<(std::ffi::OsString, u64, std::time::SystemTime)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            (entry.file_name(), about.len(), about.modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_copy_to_read_has_saved_data_and_writes_nothing_in_the_outdir() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "검"]);
    let before = files_of(dir.path());
    // Another process uses the outdir meanwhile.
    let copy = copy_to_read(dir.path(), vocabulary()).unwrap();
    assert_eq!(files_of(dir.path()), before);
    journal.apply(&ids, &Change::Accept, "accept").unwrap();
    assert_eq!(state(&copy.journal, ids[0]), GroupState::Draft);
    let again = copy_to_read(dir.path(), vocabulary()).unwrap();
    assert_eq!(state(&again.journal, ids[1]), GroupState::Accepted);
    drop(journal);
    let before = files_of(dir.path());
    let closed = copy_to_read(dir.path(), vocabulary()).unwrap();
    assert_eq!(state(&closed.journal, ids[1]), GroupState::Accepted);
    assert_eq!(files_of(dir.path()), before);
}

#[test]
fn a_folder_without_a_journal_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let refused = copy_to_read(dir.path(), vocabulary()).unwrap_err();
    assert!(refused.cause.contains("no journal.sqlite"), "{refused}");
    assert_eq!(files_of(dir.path()), []);
}

#[test]
fn a_journal_without_an_application_id_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ids) = labeled(dir.path(), &["반지"]);
    let seen = journal.summary(ids[0]).unwrap();
    drop(journal);
    drop(as_of_version(dir.path(), 3));
    let journal = open(dir.path());
    assert_eq!(journal.summary(ids[0]).unwrap(), seen);
    let id: i64 = journal
        .db()
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .unwrap();
    assert_eq!(id, i64::from(u32::from_be_bytes(*b"LTUI")));
}

#[test]
fn links_under_our_names_are_never_written() {
    for name in ["labeler.lock", JOURNAL, "journal.sqlite-wal", "labeler.log"] {
        for hard in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let outside = dir.path().join("outside");
            std::fs::write(&outside, "precious").unwrap();
            let out = dir.path().join("out");
            std::fs::create_dir(&out).unwrap();
            match hard {
                true => std::fs::hard_link(&outside, out.join(name)).unwrap(),
                false => std::os::unix::fs::symlink(&outside, out.join(name)).unwrap(),
            }
            let refused = check_outdir(&out, None).unwrap_err();
            assert!(refused.cause.contains(name), "{refused}");
            assert!(refused.cause.contains("link"), "{refused}");
            match name {
                "labeler.log" => {
                    let mut options = OpenOptions::new();
                    assert!(open_own(&out.join(name), options.append(true)).is_err());
                }
                _ => assert!(Journal::lock(&out, vocabulary()).is_err()),
            }
            assert_eq!(std::fs::read_to_string(&outside).unwrap(), "precious");
        }
    }
}

#[test]
fn an_outdir_may_itself_be_a_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("there")).unwrap();
    let here = dir.path().join("here");
    std::os::unix::fs::symlink("there", &here).unwrap();
    check_outdir(&here, None).unwrap();
    drop(open(&here));
    assert!(dir.path().join("there").join(JOURNAL).exists());
}

#[test]
fn an_export_may_only_be_a_link_to_its_own_file_type() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join(LABELS);
    std::fs::write(dir.path().join("mine.jsonl"), "").unwrap();
    std::os::unix::fs::symlink("mine.jsonl", &link).unwrap();
    check_outdir(dir.path(), None).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::fs::write(dir.path().join("icon.png"), "").unwrap();
    std::os::unix::fs::symlink("icon.png", &link).unwrap();
    assert!(check_outdir(dir.path(), None).is_err());
}

/// A journal with one record, its backup, and the files of a later run that was killed.
fn killed_after_backup(dir: &Path) -> std::path::PathBuf {
    let out = dir.join("out");
    let (mut journal, ids) = labeled(&out, &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    drop(journal);
    backup(&out, &dir.join("backup")).unwrap();
    let mut journal = open(&out);
    journal.commit_automatic(ids[1]).unwrap();
    journal.export().unwrap();
    let killed = dir.join("killed");
    std::fs::create_dir(&killed).unwrap();
    for name in [JOURNAL, "journal.sqlite-wal", LABELS] {
        std::fs::copy(out.join(name), killed.join(name)).unwrap();
    }
    killed
}

#[test]
fn a_backup_copied_beside_another_log_is_detected_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let killed = killed_after_backup(dir.path());
    std::fs::copy(dir.path().join("backup"), killed.join(JOURNAL)).unwrap();
    let log = std::fs::read(killed.join("journal.sqlite-wal")).unwrap();
    let labels = read(&killed, LABELS);
    let refused = Journal::lock(&killed, vocabulary()).unwrap_err();
    assert!(refused.cause.contains("different states"), "{refused}");
    assert!(refused.hint.unwrap().contains("journal restore"));
    assert_eq!(
        std::fs::read(killed.join("journal.sqlite-wal")).unwrap(),
        log
    );
    let found = check_journal(&killed);
    assert!(found.problems[0].contains("different states"), "{found:?}");

    let restored = restore(&killed, &killed.join(JOURNAL)).unwrap();
    assert!(restored.without_log);
    let kept = restored.kept.unwrap();
    let kept_log = kept.with_file_name(format!("{}-wal", kept.file_name().unwrap().display()));
    assert_eq!(std::fs::read(kept_log).unwrap(), log);
    assert!(check_journal(&killed).problems.is_empty());
    // The record that the backup lacks is imported from the file.
    let journal = open(&killed);
    assert_eq!(journal.counts().unwrap().records, 2);
    assert_eq!(read(&killed, LABELS), labels);
}

#[test]
fn a_journal_opens_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let killed = killed_after_backup(dir.path());
    assert!(check_journal(&killed).problems.is_empty());
    let journal = open(&killed);
    assert_eq!(journal.counts().unwrap().records, 2);
}

#[test]
fn a_backup_is_complete_and_never_replaces_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (mut journal, ids) = labeled(&out, &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal
        .apply(&ids, &set_label("같은 붉은 것"), "edit")
        .unwrap();
    let seen = journal.summaries().unwrap();
    let target = dir.path().join("백업.sqlite");
    assert!(backup(&out, &target).is_err(), "it is in use");
    drop(journal);
    backup(&out, &target).unwrap();
    assert!(backup(&out, &target).is_err(), "it already exists");

    let mut journal = open(&out);
    journal.undo().unwrap();
    let newer = journal.summaries().unwrap();
    drop(journal);
    let restored = restore(&out, &target).unwrap();
    assert!(!restored.without_log);
    let mut journal = open(&out);
    assert_eq!(journal.summaries().unwrap(), seen);
    assert!(journal.undo().unwrap().is_some());
    drop(journal);
    // The copy that was kept can be restored too.
    restore(&out, &restored.kept.unwrap()).unwrap();
    assert_eq!(open(&out).summaries().unwrap(), newer);
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    restore(&other, &target).unwrap();
    assert_eq!(open(&other).summaries().unwrap(), seen);
}

#[test]
fn an_invalid_journal_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = labeled(dir.path(), &["반지"]);
    let seen = journal.summaries().unwrap();
    drop(journal);
    let bad = dir.path().join("bad");
    for contents in ["no database at all", ""] {
        std::fs::write(&bad, contents).unwrap();
        assert!(restore(dir.path(), &bad).is_err());
    }
    rusqlite::Connection::open(&bad)
        .unwrap()
        .execute_batch("CREATE TABLE runs (id)")
        .unwrap();
    assert!(restore(dir.path(), &bad).is_err());
    let mut bytes = std::fs::read(dir.path().join(JOURNAL)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&bad, bytes).unwrap();
    let refused = restore(dir.path(), &bad).unwrap_err();
    assert!(refused.cause.contains("damaged"), "{refused}");
    assert_eq!(open(dir.path()).summaries().unwrap(), seen);
}

#[test]
fn a_damaged_journal_is_rebuilt_from_readable_rows() {
    let names: Vec<String> = (0..300).map(|n| format!("모자 {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let whole = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(whole.path(), &names);
    for id in &ids {
        journal.commit_automatic(*id).unwrap();
    }
    journal
        .apply(&ids[..40], &set_label("같은 붉은 것"), "edit")
        .unwrap();
    journal.export().unwrap();
    drop(journal);
    let bytes = std::fs::read(whole.path().join(JOURNAL)).unwrap();
    let labels = read(whole.path(), LABELS);
    let pages = bytes.len() / 4096;
    let mut saved = 0;
    for page in (0..pages).step_by(pages / 12) {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = bytes.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0x5a);
        std::fs::write(dir.path().join(JOURNAL), &damaged).unwrap();
        std::fs::write(dir.path().join(LABELS), &labels).unwrap();
        assert!(
            !check_journal(dir.path()).problems.is_empty(),
            "page {page}"
        );
        let rebuilt = rebuild_with_exports(dir.path());
        assert!(std::fs::read(rebuilt.kept.unwrap()).unwrap() == damaged);
        saved += rebuilt.attempts;
        drop(rebuilt.journal);
        assert_eq!(check_journal(dir.path()).problems, [""; 0], "page {page}");
        let mut journal = open(dir.path());
        assert_eq!(journal.counts().unwrap().records, 300, "page {page}");
        let mut is: Vec<String> = read(dir.path(), LABELS)
            .lines()
            .map(str::to_owned)
            .collect();
        let mut was: Vec<&str> = labels.lines().collect();
        is.sort();
        was.sort();
        assert_eq!(is, was, "page {page}");
        // The rebuilt journal can be used.
        let ids = add(&mut journal, &names);
        journal.apply(&ids, &Change::Accept, "accept").unwrap();
        while journal.undo().unwrap().is_some() {}
    }
    assert!(saved > 300 * 6, "{saved} answers");
}

#[test]
fn a_missing_journal_is_rebuilt_from_the_labels() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    drop(journal);
    let labels = read(dir.path(), LABELS);
    std::fs::remove_file(dir.path().join(JOURNAL)).unwrap();
    let rebuilt = rebuild_with_exports(dir.path());
    let records = rebuilt.journal.counts().unwrap().records;
    assert_eq!((records, rebuilt.kept), (1, None));
    drop(rebuilt.journal);
    assert_eq!(read(dir.path(), LABELS), labels);
    assert!(check_journal(dir.path()).problems.is_empty());
}

#[test]
fn a_check_reports_unreadable_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = labeled(dir.path(), &["반지"]);
    journal
        .db()
        .execute("UPDATE drafts SET labels = '{'", [])
        .unwrap();
    drop(journal);
    let found = check_journal(dir.path());
    assert!(found.problems[0].contains("row 1 of drafts"), "{found:?}");
}

/// A journal with a value in every column that a check reads, and its exports.
fn full(outdir: &Path) -> Vec<GroupId> {
    let (mut journal, ids) = labeled(outdir, &["반지", "모자", "검"]);
    let failed = add(&mut journal, &["반지", "모자", "검", "활"])[3];
    journal
        .add_failure(failed, &failure(FailureCode::MissingImage))
        .unwrap();
    journal.commit_automatic(ids[0]).unwrap();
    journal
        .apply(&ids, &set_label("같은 붉은 것"), "edit")
        .unwrap();
    let measured = Measured {
        drawing: Some(Drawing {
            outline: [1; 32],
            edges: Edges::new([120, -40, -40, -40].into()),
            is_plate: false,
        }),
        ..Measured::default()
    };
    journal
        .set_measured(
            &ids.iter()
                .map(|id| (*id, measured.clone()))
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let finding = r#"{"images": 3, "label": {"text": "", "rank": 1, "rank_outside": 1, "margin": 0.5}, "queries": []}"#;
    journal
        .db()
        .execute("INSERT INTO retrieved SELECT id, ?1 FROM groups", [finding])
        .unwrap();
    journal.export().unwrap();
    ids
}

fn damage(outdir: &Path, sql: &str) {
    let db = rusqlite::Connection::open(outdir.join(JOURNAL)).unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn a_check_reports_every_unreadable_value_and_a_rebuild_mends_it() {
    let whole = tempfile::tempdir().unwrap();
    full(whole.path());
    assert_eq!(check_journal(whole.path()).problems, [""; 0]);
    for value in [
        "groups.item",
        "groups.source_type",
        "groups.other_names",
        "attempts.attempt",
        "failures.code",
        "drafts.origin",
        "drafts.labels",
        "drafts.confidence",
        "records.made_by",
        "records.record",
        "steps.change",
        "step_entries.before",
        "step_entries.after",
        "heads.head",
        "heads.state",
        "heads.labels",
        "heads.signals",
        "colors.histogram",
        "drawings.outline",
        "retrieved.finding",
    ] {
        let dir = as_if_killed(whole.path());
        let (table, column) = value.split_once('.').unwrap();
        let set = format!("UPDATE {table} SET {column} = '{{' WHERE rowid = 2");
        let set = match table {
            "step_entries" => set.replace("rowid", "group_id"),
            "failures" | "records" | "steps" => set.replace("2", "1"),
            _ => set,
        };
        damage(dir.path(), &set);
        let found = check_journal(dir.path()).problems.join("\n");
        assert!(
            found.contains(&format!(" of {table}, {column}: ")),
            "{value}: {found}"
        );
        drop(rebuild_with_exports(dir.path()));
        assert_eq!(check_journal(dir.path()).problems, [""; 0], "{value}");
        let journal = open(dir.path());
        assert_eq!(journal.counts().unwrap().records, 1, "{value}");
    }
    for key in ["version:records", "retrieval"] {
        let dir = as_if_killed(whole.path());
        let set = format!("INSERT OR REPLACE INTO meta VALUES ('{key}', '{{')");
        damage(dir.path(), &set);
        assert_ne!(check_journal(dir.path()).problems, [""; 0], "{key}");
        drop(rebuild_with_exports(dir.path()));
        assert_eq!(check_journal(dir.path()).problems, [""; 0], "{key}");
    }
}

#[test]
fn a_rebuilt_journal_has_no_rows_of_a_lost_group_and_keeps_settings() {
    let dir = tempfile::tempdir().unwrap();
    let ids = full(dir.path());
    let mut journal = open(dir.path());
    journal.meta_set("front.theme", "dark").unwrap();
    drop(journal);
    damage(
        dir.path(),
        "PRAGMA foreign_keys = OFF; DELETE FROM groups WHERE id = 1",
    );
    assert!(!check_journal(dir.path()).problems.is_empty());
    let rebuilt = rebuild_with_exports(dir.path());
    let dangling = rebuilt.journal.db().prepare("PRAGMA foreign_key_check");
    assert!(!dangling.unwrap().exists([]).unwrap());
    assert_eq!(
        rebuilt.journal.meta_get("front.theme").unwrap().as_deref(),
        Some("dark")
    );
    // The line of its record is imported as another group.
    let counts = rebuilt.journal.counts().unwrap();
    assert_eq!((counts.groups, counts.records), (4, 1));
    assert!(rebuilt.journal.is_measured(ids[1]).unwrap());
    let copy = dir.path().join("copy");
    drop(rebuilt);
    backup(dir.path(), &copy).unwrap();
    restore(dir.path(), &copy).unwrap();
}

#[test]
fn an_unreadable_item_is_named() {
    let dir = tempfile::tempdir().unwrap();
    full(dir.path());
    damage(
        dir.path(),
        "UPDATE heads SET labels = '{' WHERE group_id = 2",
    );
    let journal = Journal::lock(dir.path(), vocabulary()).unwrap();
    let error = journal.summaries().unwrap_err();
    assert!(error.cause.starts_with("icons/모자.png: "), "{error}");
    assert!(error.hint.unwrap().contains("journal rebuild"));
}
