//! The journal is append-only: no row of an append-only table is changed or removed in a long
//! session.

use super::*;
use crate::icon::{Drawing, Edges, Measured};
use crate::record::{ColorHistogram, Verdict, to_oklab};
use crate::store::database::schema::{COMPUTED, CURRENT, GROWING};
use crate::store::{Basis, Merged};

/// Makes every change of an append-only row an error.
fn forbid_changes(journal: &Journal) {
    let db = journal.db();
    // `INSERT OR REPLACE` fires the triggers of what it deletes too.
    db.pragma_update(None, "recursive_triggers", true).unwrap();
    for table in GROWING {
        for (change, name) in [("UPDATE", "changes"), ("DELETE", "removes")] {
            db.execute_batch(&format!(
                "CREATE TRIGGER IF NOT EXISTS {name}_{table} BEFORE {change} ON {table}
                 BEGIN SELECT RAISE(ABORT, '{name} a row of {table}'); END"
            ))
            .unwrap();
        }
    }
    // The image of a group never changes.
    db.execute_batch(
        "CREATE TRIGGER IF NOT EXISTS removes_groups BEFORE DELETE ON groups
         BEGIN SELECT RAISE(ABORT, 'removes a group'); END;
         CREATE TRIGGER IF NOT EXISTS changes_hash BEFORE UPDATE OF sha256 ON groups
         WHEN OLD.sha256 IS NOT NULL AND NEW.sha256 IS NOT OLD.sha256
         BEGIN SELECT RAISE(ABORT, 'changes the hash of a group'); END",
    )
    .unwrap();
}

fn count(journal: &Journal, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    journal
        .db()
        .query_row(&count, [], |row| row.get(0))
        .unwrap()
}

fn red_cap() -> Measured {
    Measured {
        colors: ColorHistogram {
            opaque: 300,
            bins: vec![(to_oklab([210, 30, 35]), 1.0)],
            ..ColorHistogram::default()
        },
        drawing: Some(Drawing {
            outline: [7; 32],
            edges: Edges::new([0, -3, 127].into()),
            is_plate: false,
        }),
    }
}

#[test]
fn every_table_is_append_only_current_or_computed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut select = journal
        .db()
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap();
    let found = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut found: Vec<String> = found.map(Result::unwrap).collect();
    let mut known: Vec<&str> = [&GROWING[..], &CURRENT, &COMPUTED].concat();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn the_triggers_detect_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = labeled(dir.path(), &["반지"]);
    forbid_changes(&journal);
    for statement in [
        "UPDATE drafts SET reasons = ''",
        "DELETE FROM attempts",
        "INSERT OR REPLACE INTO drafts SELECT * FROM drafts",
        "UPDATE groups SET sha256 = 'other'",
    ] {
        assert!(journal.db().execute(statement, []).is_err(), "{statement}");
    }
}

#[test]
fn a_long_session_changes_and_removes_no_row() {
    let dir = tempfile::tempdir().unwrap();
    // An earlier program's lines, one of them unreadable and two for the same image.
    let earlier = "{\"image_path\": \"icons/반지.png\", \"item_name\": \"반지\", \
        \"label_ko\": \"푸른 반지\", \"attributes\": {\"colors\": [\"blue\"]}}\n\
        {\"image_path\": \"icons/반지.png\", \"label_ko\": \"은빛 반지\"}\n\
        {\"image_path\": \"icons/검.png\", \"label_ko\": NaN, \"cut";
    drop(Journal::lock(dir.path(), vocabulary()).unwrap());
    forbid_changes(&Journal::lock(dir.path(), vocabulary()).unwrap());
    std::fs::write(dir.path().join("labels.jsonl"), earlier).unwrap();
    let mut journal = open(dir.path());
    forbid_changes(&journal);

    let names = ["반지", "모자", "검", "장갑", "망토"];
    let ids = add(&mut journal, &names);
    let colors: Vec<_> = ids.iter().map(|id| (*id, red_cap())).collect();
    journal.set_measured(&colors).unwrap();
    journal.set_measured(&colors).unwrap();
    let missing = failure(FailureCode::MissingImage);
    journal.add_failure(ids[4], &missing).unwrap();
    for (id, name) in ids.iter().zip(names).skip(1) {
        let mut answer = labels(name);
        answer.set(Field::Colors, list(&["blue"]));
        journal.add_attempt(*id, &attempt(answer, &[])).unwrap();
    }
    journal.set_measured(&colors).unwrap();
    let merged = Merged {
        basis: Basis::Retry,
        labels: labels("모자"),
        reasons: vec![Reason::QualityRetryFailed],
        confidence: vec![],
    };
    let retry = attempt(labels("모자"), &[]);
    journal.add_retry(ids[1], &retry, &merged).unwrap();
    journal.commit_automatic(ids[1]).unwrap();
    for change in [
        set_label("모두 같은 붉은 것"),
        Change::Accept,
        Change::Commit,
        Change::Reject {
            reason: "흐림".into(),
        },
        Change::Reopen,
        Change::SetNote {
            note: Some("다시".into()),
        },
        Change::Canonicalize { drop_unknown: true },
    ] {
        journal.apply(&ids, &change, "step").unwrap();
        journal.export_with_parquet().unwrap();
    }
    let drafts = journal.detail(ids[1]).unwrap().unwrap().versions;
    for verdict in [Some(Verdict::Right), None, Some(Verdict::Unsure)] {
        let version = drafts[0].number;
        journal.judge(0, ids[1], version, verdict).unwrap();
    }
    while journal.undo().unwrap().is_some() {}
    while journal.redo().unwrap().is_some() {}
    journal.export_with_parquet().unwrap();

    // Images move, swap places, and are replaced.
    add(&mut journal, &["모자", "반지", "검"]);
    journal.begin_source();
    for (order, name) in (0..).zip(names) {
        let mut other = group(order, name);
        other.sha256 = Some(sha(names[(order as usize + 1) % 4]));
        if order == 2 {
            other.sha256 = Some("another".into());
        }
        upsert(&mut journal, &other);
    }
    journal
        .add_paths(&[(ids[0], "icons/모자.png".into())])
        .unwrap();
    journal.export_with_parquet().unwrap();

    // The file is edited by hand, and another version of the rules checks everything again.
    let text = read(dir.path(), "labels.jsonl");
    std::fs::write(
        dir.path().join("labels.jsonl"),
        text.replace("붉은", "손으로 고친"),
    )
    .unwrap();
    journal.meta_set("checked by", "earlier rules").unwrap();
    let (drafts, records) = (count(&journal, "drafts"), count(&journal, "records"));
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(count(&journal, "drafts"), drafts);
    assert_eq!(count(&journal, "records"), records);
    for table in GROWING {
        assert!(count(&journal, table) > 0, "{table} was not used");
    }
}

#[test]
fn new_rules_check_everything_again_without_changing_drafts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let stored = |journal: &Journal| -> String {
        let sql = "SELECT group_concat(reasons, '|') FROM drafts";
        journal.db().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // As earlier rules stored it.
    let mut few = labels("모자");
    few.set(Field::TagsKo, list(&["모자"]));
    journal.add_attempt(ids[1], &attempt(few, &[])).unwrap();
    assert_eq!(state(&journal, ids[1]), GroupState::Draft);
    let before = stored(&journal);
    journal.meta_set("checked by", "earlier rules").unwrap();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(stored(&journal), before);
    assert_eq!(state(&journal, ids[0]), GroupState::Draft);
    let found = journal.detail(ids[1]).unwrap().unwrap();
    assert_eq!(found.summary.reasons, [Reason::FewTags]);
    assert_eq!(found.summary.state, GroupState::Uncertain);
    assert_eq!(found.draft.unwrap().reasons, [Reason::FewTags]);
}

#[test]
fn a_changed_vocabulary_checks_everything_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let label = labels("반지").with(Field::LabelKo, ["둘레옷 반지"]);
    journal.add_attempt(ids[0], &attempt(label, &[])).unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Draft);
    drop(journal);
    // Now the label says no more than the item's type.
    let entry = Vocabulary::overlay_entry(Field::ItemTypeGuess, "cloak", "둘레옷");
    let entry = entry.unwrap();
    let changed = Vocabulary::builtin().unwrap().overlaid(&entry).unwrap();
    let journal = Journal::lock(dir.path(), Arc::new(changed)).unwrap();
    let found = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(found.reasons, [Reason::NothingVisible]);
}

#[test]
fn a_statement_is_compiled_once() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ids) = labeled(dir.path(), &["반지", "모자", "검", "방패", "활"]);
    let mut select = journal
        .db()
        .prepare("SELECT g.name FROM groups g JOIN heads h ON h.group_id = g.id WHERE g.id = ?1")
        .unwrap();
    for id in &ids {
        let name: String = select.query_row([id.0], |row| row.get(0)).unwrap();
        assert!(!name.is_empty());
    }
    let again = select.get_status(rusqlite::StatementStatus::RePrepare);
    assert_eq!(again, 0);
}

#[test]
fn unchanged_source_rows_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let written = |journal: &Journal| journal.db().total_changes();
    let before = written(&journal);
    assert_eq!(add(&mut journal, &["반지", "모자"]), ids);
    assert_eq!(written(&journal), before);
    journal.begin_source();
    let mut named = group(1, "모자");
    named.item.item_name = "비니".to_owned();
    let upserted = upsert(&mut journal, &named);
    assert!(upserted.changed && upserted.id == ids[1]);
    assert!(written(&journal) > before);
}
