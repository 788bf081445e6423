//! A labels.jsonl that something else has written.

use super::*;
use crate::store::LABELS;

fn line(name: &str, label: &str, reasons: &str) -> String {
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

fn with_lines(lines: &[&str]) -> tempfile::TempDir {
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
    let stepped = journal.apply(&ids, &change, "replace").unwrap();
    assert_eq!(stepped.changed, ids[1..]);
    assert_eq!(stepped.report.unwrap().untouched, 1);
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

#[test]
fn one_more_tag_changes_the_tags_of_an_imported_line_and_nothing_else() {
    let unlawful = line("모자", "붉은  천의 모자", "")
        .replace(
            "\"colors\": []",
            "\"colors\": [\"황금\", \"수상한 색\", \"황금\"]",
        )
        .replace("\"material\": []", "\"material\": [\"외계 물질\"]")
        .replace(
            "\"item_type_guess\": null",
            "\"item_type_guess\": \"헤어밴드/모자\"",
        )
        .replace(
            "\"query_variants_ko\": []",
            "\"query_variants_ko\": [\" 붉은  모자\"]",
        );
    let dir = with_lines(&[&unlawful]);
    let mut journal = open(dir.path());
    let id = journal.summaries().unwrap()[0].id;
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "여름".into(),
    };
    journal.apply(&[id], &tag, "add").unwrap();
    journal.apply(&[id], &Change::Commit, "commit").unwrap();
    journal.export(false).unwrap();
    let mut is = lines(dir.path(), LABELS).remove(0);
    let mut was: serde_json::Value = serde_json::from_str(&unlawful).unwrap();
    assert_eq!(is["tags_ko"], serde_json::json!(["하나", "여름"]));
    // When it was edited, and what the rules say of it, is not the line's to say.
    for key in ["tags_ko", "quality_flags", "generated_at"] {
        is[key] = serde_json::Value::Null;
        was[key] = serde_json::Value::Null;
    }
    assert_eq!(is, was);
}

#[test]
fn a_name_is_missing_where_the_exported_label_does_not_hold_it_letter_for_letter() {
    let lines_in = [
        line("붉은  모자", "천으로 만든 붉은  모자", ""),
        line("붉은\u{a0}망토", "천으로 만든 붉은 망토", ""),
    ];
    let dir = with_lines(&[&lines_in[0], &lines_in[1]]);
    let mut journal = open(dir.path());
    let missing = |journal: &Journal| -> Vec<bool> {
        let all = journal.summaries().unwrap();
        let reasons = all.iter().map(|group| &group.reasons);
        reasons
            .map(|reasons| reasons.contains(&Reason::ItemNameMissing))
            .collect()
    };
    // The lines are exported as they are.
    assert_eq!(missing(&journal), [false, true]);
    let ids: Vec<GroupId> = journal
        .summaries()
        .unwrap()
        .iter()
        .map(|group| group.id)
        .collect();
    let colors = ids.iter().map(|id| (*id, Default::default()));
    let colors: Vec<_> = colors.collect();
    journal.set_histograms(&colors).unwrap();
    assert_eq!(missing(&journal), [false, true]);

    // A new record has the name in its one form.
    journal.apply(&ids, &Change::Commit, "commit").unwrap();
    journal.export(false).unwrap();
    for record in lines(dir.path(), LABELS) {
        let (name, label) = (record["item_name"].as_str(), record["label_ko"].as_str());
        let holds = label.unwrap().contains(name.unwrap());
        let reasons = record["quality_flags"]["reasons"].to_string();
        assert_eq!(holds, !reasons.contains("item_name_missing"), "{record}");
    }
}
