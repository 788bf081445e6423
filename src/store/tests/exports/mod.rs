//! Exported files: types, source order, and atomic replacement.

mod moves;

use super::*;
use crate::outdir::{ERRORS, KEPT, LABELS, PARQUET};
use arrow_array::{Array, ListArray, StringArray, StructArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

#[test]
fn records_are_exported_in_source_order_with_fixed_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    for id in [ids[2], ids[0]] {
        journal.commit_automatic(id).unwrap();
    }
    journal.export().unwrap();
    let written = lines(dir.path(), LABELS);
    let names: Vec<_> = written.iter().map(|line| &line["item_name"]).collect();
    assert_eq!(names, ["반지", "검"]);
    let keys: Vec<&String> = written[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "image_path",
            "image_sha256",
            "source_type",
            "item_name",
            "item_description",
            "label_ko",
            "label_en",
            "tags_ko",
            "attributes",
            "query_variants_ko",
            "quality_flags",
            "model",
            "prompt_version",
            "generated_at"
        ]
    );
    assert!(!dir.path().join(ERRORS).exists());
    assert!(!dir.path().join(PARQUET).exists());
}

#[test]
fn nothing_is_written_before_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.apply(&ids, &Change::Accept, "accept").unwrap();
    journal.export_with_parquet().unwrap();
    assert!(!dir.path().join(LABELS).exists());
    assert!(!dir.path().join(PARQUET).exists());
}

#[test]
fn duplicate_labels_are_flagged_in_both_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자"]);
    for id in &ids {
        let answer = attempt(labels("반지"), &[]);
        journal.add_attempt(*id, &answer).unwrap();
        journal.commit_automatic(*id).unwrap();
    }
    journal.export().unwrap();
    for line in lines(dir.path(), LABELS) {
        assert_eq!(
            line["quality_flags"],
            serde_json::json!({"is_uncertain": true, "reasons": ["duplicate_label"]})
        );
    }
}

#[test]
fn failed_items_are_listed_until_they_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자"]);
    for id in &ids {
        let missing = failure(FailureCode::MissingImage);
        journal.add_failure(*id, &missing).unwrap();
        let detail = journal.detail(*id).unwrap().unwrap();
        assert_eq!(detail.failure.as_ref(), Some(&missing));
    }
    journal.export().unwrap();
    let listed = lines(dir.path(), ERRORS);
    assert_eq!(listed.len(), 2);
    let keys: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
    let expected = "image_path item_name source_type code detail at";
    assert_eq!(keys, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(listed[0]["code"], "missing_image");

    let answer = attempt(labels("반지"), &[]);
    journal.add_attempt(ids[0], &answer).unwrap();
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), ERRORS).len(), 1);
    let by_hand = set_label("손으로 쓴 모자");
    journal.apply(&ids[1..], &by_hand, "edit").unwrap();
    journal.export().unwrap();
    assert_eq!(read(dir.path(), ERRORS), "");
    journal.undo().unwrap();
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), ERRORS).len(), 1);
}

#[test]
fn missing_or_stale_exports_are_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export_with_parquet().unwrap();
    journal.commit_automatic(ids[1]).unwrap();
    drop(journal);
    // Killed before the second record was exported, with a partial temporary file.
    std::fs::write(dir.path().join(".labels.jsonl.tmp"), "{\"image_pa").unwrap();
    drop(open(dir.path()));
    let whole = read(dir.path(), LABELS);
    assert_eq!(whole.lines().count(), 2);
    assert!(!dir.path().join(".labels.jsonl.tmp").exists());
    assert_eq!(parquet_names(dir.path()).len(), 2);

    std::fs::remove_file(dir.path().join(LABELS)).unwrap();
    drop(open(dir.path()));
    assert_eq!(read(dir.path(), LABELS), whole);
}

#[test]
fn an_up_to_date_export_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.commit_automatic(ids[0]).unwrap();
    assert!(journal.export_if_due().unwrap());
    assert!(!journal.export_if_due().unwrap());
    let modified = |name| {
        let file = std::fs::metadata(dir.path().join(name)).unwrap();
        file.modified().unwrap()
    };
    let before = modified(LABELS);
    journal.export().unwrap();
    drop(journal);
    drop(open(dir.path()));
    assert_eq!(modified(LABELS), before);
}

#[test]
fn parquet_has_fixed_types_even_if_columns_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지"]);
    let bare = Labels::default().with(Field::LabelKo, ["빈 반지"]);
    journal.add_attempt(ids[0], &attempt(bare, &[])).unwrap();
    journal.commit_automatic(ids[0]).unwrap();
    journal.export_with_parquet().unwrap();

    let file = std::fs::File::open(dir.path().join(PARQUET)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let is_text_list = |array: &dyn Array| match array.data_type() {
        DataType::List(of) => of.data_type() == &DataType::Utf8,
        _ => false,
    };
    assert!(is_text_list(column("tags_ko")) && is_text_list(column("query_variants_ko")));
    let tags = column("tags_ko").as_any().downcast_ref::<ListArray>();
    assert_eq!(tags.unwrap().value(0).len(), 0);
    for name in ["image_sha256", "label_en", "item_description", "label_ko"] {
        assert_eq!(column(name).data_type(), &DataType::Utf8, "{name}");
    }
    let attributes = column("attributes").as_any().downcast_ref::<StructArray>();
    let attributes = attributes.unwrap();
    for name in ["colors", "theme", "material", "vibe"] {
        assert!(is_text_list(attributes.column_by_name(name).unwrap()));
    }
    let guess = attributes.column_by_name("item_type_guess").unwrap();
    assert!(guess.as_any().is::<StringArray>() && guess.is_null(0));
    let flags = column("quality_flags")
        .as_any()
        .downcast_ref::<StructArray>();
    let flags = flags.unwrap();
    assert!(is_text_list(flags.column_by_name("reasons").unwrap()));
    let uncertain = flags.column_by_name("is_uncertain").unwrap();
    assert_eq!(uncertain.data_type(), &DataType::Boolean);
}

#[test]
fn a_group_that_moves_in_the_source_moves_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    for id in ids {
        journal.commit_automatic(id).unwrap();
    }
    journal.export().unwrap();
    add(&mut journal, &["모자", "반지"]);
    journal.export().unwrap();
    let first = &lines(dir.path(), LABELS)[0];
    assert_eq!(first["item_name"], "모자");
}

fn parquet_names(outdir: &Path) -> Vec<String> {
    let file = std::fs::File::open(outdir.join(PARQUET)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    let names = batches.flat_map(|batch| {
        let names = batch.column_by_name("item_name").unwrap();
        let names = names.as_any().downcast_ref::<StringArray>().unwrap();
        names
            .iter()
            .map(|name| name.unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn lines_that_others_write_into_an_export_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.commit_automatic(ids[1]).unwrap();
    journal.export_with_parquet().unwrap();
    journal.take_notices();
    let written = read(dir.path(), LABELS);
    let edited = written.replacen("붉은", "내가 고친", 1);
    std::fs::write(dir.path().join(LABELS), format!("{edited}half a line")).unwrap();
    std::fs::write(dir.path().join(PARQUET), "another table").unwrap();

    journal.commit_automatic(ids[2]).unwrap();
    journal.export_with_parquet().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 3);
    assert!(read(dir.path(), LABELS).starts_with(&written));
    let first = edited.lines().next().unwrap();
    assert_eq!(read(dir.path(), KEPT), format!("{first}\nhalf a line\n"));
    assert_eq!(read(dir.path(), "labels_kept.parquet"), "another table");
    let notices = journal.take_notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(
        notices
            .iter()
            .any(|text| text.starts_with("2 lines of labels.jsonl"))
    );
    assert!(
        notices
            .iter()
            .any(|text| text.starts_with("labels.parquet is not the file"))
    );

    // Not kept twice.
    journal
        .apply(&ids[2..], &set_label("흰 리본이 달린 푸른 검"), "edit")
        .unwrap();
    journal.apply(&ids[2..], &Change::Commit, "commit").unwrap();
    journal.export_with_parquet().unwrap();
    assert_eq!(journal.take_notices(), [""; 0]);
    assert_eq!(read(dir.path(), KEPT).lines().count(), 2);
}

#[test]
fn our_own_lines_are_not_kept_after_an_interrupted_run() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    let old = read(dir.path(), LABELS);
    journal
        .apply(&ids, &set_label("흰 리본이 달린 푸른 것"), "edit")
        .unwrap();
    journal.apply(&ids, &Change::Commit, "commit").unwrap();
    journal.export().unwrap();
    drop(journal);
    // As if killed before the rename, or restored from a backup.
    std::fs::write(dir.path().join(LABELS), old).unwrap();
    let mut journal = open(dir.path());
    assert_eq!(journal.take_notices(), [""; 0]);
    assert!(!dir.path().join(KEPT).exists());
    assert!(read(dir.path(), LABELS).contains("흰 리본이"));
}

#[test]
fn all_files_are_in_source_order_after_an_import() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자", "검"]);
    for id in ids {
        journal.commit_automatic(id).unwrap();
    }
    journal.export().unwrap();
    drop(journal);
    let reversed: Vec<String> = read(dir.path(), LABELS)
        .lines()
        .rev()
        .map(str::to_owned)
        .collect();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join(LABELS), reversed.join("\n")).unwrap();
    let mut journal = open(other.path());
    add(&mut journal, &["반지", "모자", "검"]);
    journal.export_with_parquet().unwrap();
    let names: Vec<_> = lines(other.path(), LABELS)
        .iter()
        .map(|line| line["item_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["반지", "모자", "검"]);
    assert_eq!(parquet_names(other.path()), names);
}

#[test]
fn reordered_lines_return_to_source_order() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    for id in ids {
        journal.commit_automatic(id).unwrap();
    }
    journal.export().unwrap();
    drop(journal);
    let exported = read(dir.path(), LABELS);
    let reversed: Vec<&str> = exported.lines().rev().collect();
    std::fs::write(dir.path().join(LABELS), reversed.join("\n")).unwrap();
    open(dir.path()).export().unwrap();
    assert_eq!(read(dir.path(), LABELS), exported);
}

#[test]
fn an_earlier_journal_gets_its_checksums_and_versions() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export().unwrap();
    drop(journal);
    let path = dir.path().join("journal.sqlite");
    let db = as_of_version(dir.path(), 2);
    db.execute(
        "UPDATE meta SET key = 'changes' WHERE key = 'version:records'",
        [],
    )
    .unwrap();
    drop(db);
    let before = std::fs::metadata(dir.path().join(LABELS)).unwrap();
    drop(open(dir.path()));
    let after = std::fs::metadata(dir.path().join(LABELS)).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    let missing: i64 = db
        .query_row(
            "SELECT count(*) FROM records WHERE checksum IS NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(missing, 0);
    db.execute(
        "UPDATE records SET record = replace(record, '붉은', '푸른')",
        [],
    )
    .unwrap();
    drop(db);
    let mut journal = open(dir.path());
    let issues = journal.exports.issues(&journal.journal).unwrap();
    assert_eq!(issues.damaged.len(), 1);
}

/// Enough records to make the files large.
const MANY: usize = 450;

/// A journal with large files. All records but the last are exported.
fn large(outdir: &Path) -> (Outdir, Vec<GroupId>) {
    let names: Vec<String> = (0..MANY).map(|n| format!("모자 {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut journal = open(outdir);
    let ids = add(&mut journal, &names);
    for (id, name) in ids.iter().zip(&names) {
        let long = format!("{} 붉은 {name}", "가".repeat(900));
        let answer = attempt(labels(name).with(Field::LabelKo, [long]), &[]);
        journal.add_attempt(*id, &answer).unwrap();
    }
    for id in &ids[..MANY - 1] {
        journal.commit_automatic(*id).unwrap();
    }
    journal.export().unwrap();
    let length = std::fs::metadata(outdir.join(LABELS)).unwrap().len();
    assert!(length > 1_050_000, "{length} bytes are not large");
    (journal, ids)
}

impl Outdir {
    fn request_update(&mut self) {
        self.exports
            .request_update(&mut self.journal, MissingImages::AreGone)
            .unwrap();
    }

    /// Polls as the engine does between two messages, until the file has `count` lines.
    fn poll_until(&mut self, outdir: &Path, count: usize) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while lines(outdir, LABELS).len() != count {
            assert!(std::time::Instant::now() < end, "the export never came");
            self.exports
                .poll(&mut self.journal, MissingImages::AreGone)
                .unwrap();
            std::thread::yield_now();
        }
    }
}

#[test]
fn large_files_are_exported_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = large(dir.path());
    journal
        .apply(&ids[MANY - 1..], &Change::Commit, "commit")
        .unwrap();
    // Too soon after the last export.
    journal.request_update();
    assert_eq!(lines(dir.path(), LABELS).len(), MANY - 1);
    drop(journal);
    // The next run exports what is left, and then may start another export at once.
    let mut journal = open(dir.path());
    assert_eq!(lines(dir.path(), LABELS).len(), MANY);
    journal.exports = Exports::new(dir.path(), &[]);
    journal.undo().unwrap().unwrap();
    journal.request_update();
    assert_eq!(
        lines(dir.path(), LABELS).len(),
        MANY,
        "it was not written in the background"
    );
    journal.poll_until(dir.path(), MANY - 1);
    // Everything at the end of a run.
    journal.redo().unwrap().unwrap();
    journal.request_update();
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), MANY);
    assert!(journal.take_notices().is_empty());
}

#[test]
fn records_committed_during_a_background_export_are_exported_next() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = large(dir.path());
    journal.exports = Exports::new(dir.path(), &[]);
    let label = set_label(&format!("{} 푸른 것", "나".repeat(900)));
    journal.apply(&ids[..1], &label, "edit").unwrap();
    journal.apply(&ids[..1], &Change::Commit, "commit").unwrap();
    journal.request_update();
    journal
        .apply(&ids[MANY - 1..], &Change::Commit, "commit")
        .unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !read(dir.path(), LABELS).contains("푸른 것") {
        assert!(std::time::Instant::now() < end, "the export never came");
        journal
            .exports
            .poll(&mut journal.journal, MissingImages::AreGone)
            .unwrap();
        std::thread::yield_now();
    }
    assert_eq!(
        lines(dir.path(), LABELS).len(),
        MANY - 1,
        "a snapshot has no later commit"
    );
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), MANY);
}

#[test]
fn a_failed_background_export_is_reported_and_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = large(dir.path());
    journal.exports = Exports::new(dir.path(), &[]);
    journal
        .apply(&ids[MANY - 1..], &Change::Commit, "commit")
        .unwrap();
    // A file cannot replace a folder.
    let (labels, aside) = (dir.path().join(LABELS), dir.path().join("aside"));
    std::fs::rename(&labels, &aside).unwrap();
    std::fs::create_dir(&labels).unwrap();
    std::fs::write(dir.path().join("labels_errors.jsonl"), "x".repeat(600_000)).unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let error = loop {
        assert!(std::time::Instant::now() < end, "no error came");
        if let Err(error) = journal
            .exports
            .request_update(&mut journal.journal, MissingImages::AreGone)
        {
            break error;
        }
        std::thread::yield_now();
    };
    assert!(error.cause.contains("not a regular file"), "{error}");
    std::fs::remove_dir(&labels).unwrap();
    std::fs::rename(&aside, &labels).unwrap();
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), MANY);
}
