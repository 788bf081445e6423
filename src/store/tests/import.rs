//! A labels.jsonl that something else has written.

use super::*;
use crate::store::LABELS;

pub(super) fn line(name: &str, label: &str, reasons: &str) -> String {
    format!(
        "{{\"image_path\": \"icons/{name}.png\", \"image_sha256\": \"sha-{name}\", \
         \"source_type\": \"cash\", \"item_name\": \"{name}\", \"item_description\": null, \
         \"label_ko\": \"{label}\", \"label_en\": null, \"tags_ko\": [\"하나\"], \
         \"attributes\": {{\"colors\": [], \"theme\": [], \"material\": [], \"vibe\": [], \
         \"item_type_guess\": null}}, \"query_variants_ko\": [], \"quality_flags\": \
         {{\"is_uncertain\": true, \"reasons\": [{reasons}]}}, \"model\": \"python\", \
         \"prompt_version\": \"v1\", \"generated_at\": \"2026-01-12T05:48:06.961559+00:00\"}}"
    )
}

pub(super) fn with_lines(lines: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(LABELS), lines.join("\n")).unwrap();
    dir
}

#[test]
fn its_records_are_committed_and_their_faults_become_reasons() {
    let dir = with_lines(&[
        &line("반지", "반지", "\"too_small\", \"their_own_code\""),
        &line("모자", "붉은 천의 모자", ""),
    ]);
    let before = read(dir.path(), LABELS);
    let mut journal = open(dir.path());
    assert_eq!(
        journal.take_notices(),
        ["labels.jsonl: took in 2 records of an earlier run"]
    );
    let all = journal.summaries().unwrap();
    assert!(all.iter().all(|group| group.has_record));
    assert_eq!(all[0].state, GroupState::Uncertain);
    for reason in [
        Reason::TooSmall,
        Reason::FewTags,
        Reason::FewQueries,
        Reason::LabelEqualsItemName,
        Reason::AttributesMissing,
    ] {
        assert!(all[0].reasons.contains(&reason), "{reason:?}");
    }
    journal.export(false).unwrap();
    assert_eq!(read(dir.path(), LABELS), before);

    drop(journal);
    let mut again = open(dir.path());
    assert!(again.take_notices().is_empty());
    assert_eq!(again.summaries().unwrap(), all);
}

#[test]
fn only_a_commit_changes_a_line() {
    let first = line("반지", "반지", "");
    let second = line("모자", "붉은 천의 모자", "");
    let dir = with_lines(&[&first, &second, ""]);
    let mut journal = open(dir.path());
    let id = journal.summaries().unwrap()[1].id;
    journal
        .apply(&[id], &set_label("푸른 천의 흰 리본 모자"), "edit")
        .unwrap();
    journal.export(false).unwrap();
    assert_eq!(read(dir.path(), LABELS), format!("{first}\n{second}\n"));

    journal.apply(&[id], &Change::Commit, "commit").unwrap();
    journal.export(false).unwrap();
    let now = read(dir.path(), LABELS);
    assert!(now.starts_with(&format!("{first}\n")));
    assert!(now.contains("푸른 천의") && !now.contains("붉은 천의"));

    journal.undo().unwrap();
    journal.export(false).unwrap();
    assert_eq!(read(dir.path(), LABELS), format!("{first}\n{second}\n"));
}

#[test]
fn a_replacement_touches_only_what_holds_the_text() {
    let dir = with_lines(&[
        &line("모자", "붉은  천의 모자", ""),
        &line("검", "은빛 긴 검", ""),
    ]);
    let mut journal = open(dir.path());
    let all = journal.summaries().unwrap();
    let ids: Vec<GroupId> = all.iter().map(|group| group.id).collect();
    let change = Change::Replace {
        find: "은빛".into(),
        with: "금빛".into(),
    };
    let stepped = journal.apply(&ids, &change, "replace").unwrap().unwrap();
    assert_eq!(stepped.changed, ids[1..]);
    assert_eq!(stepped.untouched, 1);
}

#[test]
fn a_source_meets_the_groups_again() {
    let dir = with_lines(&[
        &line("모자", "붉은 천의 모자", ""),
        &line("검", "은빛 긴 검", ""),
    ]);
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "검", "모자"]);
    assert_eq!(journal.waiting().unwrap(), [ids[0]]);
    assert!(journal.summary(ids[2]).unwrap().unwrap().has_record);
    // Nothing was committed: the file keeps even the order of its lines.
    let before = read(dir.path(), LABELS);
    journal.export(true).unwrap();
    assert_eq!(read(dir.path(), LABELS), before);
    assert!(dir.path().join("labels.parquet").exists());

    journal
        .add_attempt(ids[0], &attempt(labels("반지"), &[]))
        .unwrap();
    journal.commit_automatic(ids[0]).unwrap();
    journal.export(false).unwrap();
    let names: Vec<_> = lines(dir.path(), LABELS)
        .iter()
        .map(|line| line["item_name"].clone())
        .collect();
    assert_eq!(names, ["반지", "검", "모자"]);
}

#[test]
fn bad_lines_are_told_with_their_number_and_kept() {
    let good = line("반지", "반지", "");
    let dir = with_lines(&["{\"image_path\": ", &good, "[]", &good]);
    let mut journal = open(dir.path());
    let notices = journal.take_notices();
    assert_eq!(notices.len(), 4, "{notices:?}");
    assert!(notices[1].contains("an earlier line has"), "{notices:?}");
    assert!(notices[2].starts_with("labels.jsonl line 1 is no record"));
    assert!(notices[3].starts_with("labels.jsonl line 3 is no record"));
    assert_eq!(journal.summaries().unwrap().len(), 1);
    let kept: i64 = journal
        .db
        .query_row("SELECT count(*) FROM import_faults", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 2);
}

#[test]
fn records_added_behind_our_back_are_taken_in_and_ours_stand() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labelled(dir.path(), &["반지"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.export(false).unwrap();
    drop(journal);
    let ours = read(dir.path(), LABELS);
    let changed = ours.replace("붉은", "푸른");
    let added = line("모자", "붉은 천의 모자", "");
    std::fs::write(dir.path().join(LABELS), format!("{changed}{added}\n")).unwrap();

    let mut journal = open(dir.path());
    let notices = journal.take_notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[1].contains("changed by something else"));
    let all = journal.summaries().unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[0].label_ko.contains("붉은"));
}
