//! Texts that were written for another item name than the source's current one.

use super::import::line;
use super::*;
use crate::outdir::LABELS;

/// The image of item `from` under the name `to`.
fn renamed(order: u64, from: &str, to: &str) -> NewGroup {
    let mut renamed = group(order, from);
    renamed.item.item_name = to.to_owned();
    renamed
}

/// Reads the source again with another name for the first image.
fn rename(journal: &mut Journal, from: &str, to: &str) -> GroupId {
    journal.begin_source();
    upsert(journal, &renamed(0, from, to)).id
}

fn reasons(journal: &Journal, id: GroupId) -> Vec<Reason> {
    journal.summary(id).unwrap().unwrap().reasons
}

fn label(journal: &Journal, id: GroupId) -> String {
    let summary = journal.summary(id).unwrap().unwrap();
    summary.labels.label_ko().to_owned()
}

#[test]
fn a_text_for_another_name_is_flagged_and_updated_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = labeled(dir.path(), &["눈꽃 모자"]);
    let id = rename(&mut journal, "눈꽃 모자", "설산");
    assert_eq!(reasons(&journal, id), [Reason::NameMismatch]);
    assert_eq!(state(&journal, id), GroupState::Uncertain);
    let draft = journal.detail(id).unwrap().unwrap().draft.unwrap();
    assert_eq!(draft.about(Reason::NameMismatch), ["눈꽃 모자"]);

    let step = journal.apply(&[id], &Change::UpdateName, "update").unwrap();
    assert_eq!(step.report.unwrap().fields, [(Field::LabelKo, 1)]);
    assert_eq!(label(&journal, id), "붉은 천에 흰 리본이 달린 설산");
    assert_eq!(reasons(&journal, id), []);
    assert_eq!(state(&journal, id), GroupState::Edited);
    let again = journal.apply(&[id], &Change::UpdateName, "update").unwrap();
    assert_eq!(again.report.unwrap().untouched, 1);

    journal.undo().unwrap().unwrap();
    assert_eq!(label(&journal, id), labels("눈꽃 모자").label_ko());
    assert_eq!(reasons(&journal, id), [Reason::NameMismatch]);
    journal.redo().unwrap().unwrap();
    drop(journal);
    assert_eq!(reasons(&open(dir.path()), id), []);
}

#[test]
fn a_committed_line_keeps_its_name_until_the_next_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["눈꽃 모자", "반지"]);
    for id in &ids {
        journal.commit_automatic(*id).unwrap();
    }
    journal.export().unwrap();
    let before = read(dir.path(), LABELS);
    journal.begin_source();
    upsert(&mut journal, &renamed(0, "눈꽃 모자", "설산 모자"));
    upsert(&mut journal, &group(1, "반지"));
    journal.export().unwrap();
    assert_eq!(read(dir.path(), LABELS), before);
    assert_eq!(reasons(&journal, ids[0]), [Reason::NameMismatch]);

    for change in [Change::UpdateName, Change::Commit] {
        journal.apply(&ids, &change, "step").unwrap();
    }
    journal.export().unwrap();
    let lines = lines(dir.path(), LABELS);
    assert_eq!(lines[0]["item_name"], "설산 모자");
    assert_eq!(lines[0]["label_ko"], "붉은 천에 흰 리본이 달린 설산 모자");
    assert_eq!(lines[0]["quality_flags"]["is_uncertain"], false);
    assert_eq!(lines[1]["item_name"], "반지");
    let known = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(known.other_names, ["눈꽃 모자"]);
}

#[test]
fn a_record_committed_without_the_new_name_is_flagged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = labeled(dir.path(), &["눈꽃 모자"]);
    let id = rename(&mut journal, "눈꽃 모자", "설산");
    journal.apply(&[id], &Change::Commit, "commit").unwrap();
    journal.export().unwrap();
    let flags = &lines(dir.path(), LABELS)[0]["quality_flags"]["reasons"];
    let expected = ["item_name_missing", "name_mismatch"];
    assert_eq!(*flags, serde_json::json!(expected));
}

#[test]
fn an_imported_line_may_have_another_item_name() {
    let dir = tempfile::tempdir().unwrap();
    let line = line("왕관", "금빛 보석이 박힌 왕관을 쓴 왕관", "") + "\n";
    std::fs::write(dir.path().join(LABELS), &line).unwrap();
    let mut journal = open(dir.path());
    let id = journal.summaries().unwrap()[0].id;
    assert!(!reasons(&journal, id).contains(&Reason::NameMismatch));
    assert_eq!(rename(&mut journal, "왕관", "붉은 활"), id);
    assert!(reasons(&journal, id).contains(&Reason::NameMismatch));
    journal.export().unwrap();
    assert_eq!(read(dir.path(), LABELS), line);

    journal.apply(&[id], &Change::UpdateName, "update").unwrap();
    assert_eq!(label(&journal, id), "금빛 보석이 박힌 붉은 활을 쓴 붉은 활");
    assert!(!reasons(&journal, id).contains(&Reason::NameMismatch));
}

#[test]
fn a_line_imported_after_the_source_was_read_is_flagged_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let id = rename(&mut journal, "왕관", "붉은 활");
    let text = line("왕관", "금빛 보석이 박힌 왕관", "");
    std::fs::write(dir.path().join(LABELS), text + "\n").unwrap();
    drop(journal);
    let journal = open(dir.path());
    assert!(reasons(&journal, id).contains(&Reason::NameMismatch));
}

#[test]
fn an_operator_may_update_the_name_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = labeled(dir.path(), &["눈꽃 모자"]);
    let id = rename(&mut journal, "눈꽃 모자", "설산 모자");
    let tag = Change::Add {
        field: Field::TagsKo,
        value: "눈꽃 모자".into(),
    };
    journal.apply(&[id], &tag, "tag").unwrap();
    assert_eq!(reasons(&journal, id), [Reason::NameMismatch]);
    let by_hand = set_label("붉은 천에 흰 리본이 달린 설산 모자");
    journal.apply(&[id], &by_hand, "label").unwrap();
    // The tag still has the old name.
    assert_eq!(reasons(&journal, id), [Reason::NameMismatch]);
    journal.apply(&[id], &Change::UpdateName, "update").unwrap();
    assert_eq!(reasons(&journal, id), []);
    let tags = journal.summary(id).unwrap().unwrap().labels;
    assert!(tags.values(Field::TagsKo).contains(&"설산 모자".to_owned()));
}

#[test]
fn an_image_without_a_name_takes_and_keeps_that_of_another_row() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["", "반지"]);
    let id = ids[0];
    let named = |journal: &mut Outdir| {
        let names = list(&["설산", "눈꽃 모자"]);
        journal.add_names(&[(id, names)]).unwrap()
    };
    assert_eq!(named(&mut journal), [id]);
    let known = |journal: &Journal| {
        let detail = journal.detail(id).unwrap().unwrap();
        (detail.item.item_name, detail.other_names)
    };
    let own = ("설산".to_owned(), list(&["눈꽃 모자"]));
    assert_eq!(known(&journal), own);
    // Its text does not contain the name.
    assert_eq!(reasons(&journal, id), [Reason::ItemNameMissing]);

    // The next pass reads the row without a name first again.
    journal.begin_source();
    let upserted = upsert(&mut journal, &group(0, ""));
    assert_eq!(upserted.id, id);
    assert!(named(&mut journal).is_empty());
    assert_eq!(known(&journal), own);
}

#[test]
fn lines_with_a_text_that_is_no_hash_are_about_different_images() {
    let dir = tempfile::tempdir().unwrap();
    let hashes = ["", "unknown", &sha("x")[..63]];
    let mut text = String::new();
    for (hash, name) in hashes
        .iter()
        .flat_map(|hash| [(hash, "반지"), (hash, "모자")])
    {
        let path = format!("icons/{name}{}.png", hash.len());
        let line = serde_json::json!({
            "image_path": path, "image_sha256": hash, "item_name": name, "label_ko": "고운 것",
        });
        text.push_str(&format!("{line}\n"));
    }
    std::fs::write(dir.path().join(LABELS), &text).unwrap();
    let mut journal = open(dir.path());
    assert_eq!(journal.counts().unwrap().groups, 6);
    // The source tells the hash of the image at such a path.
    let mut named = group(0, "반지");
    named.item.image_path = "icons/반지0.png".into();
    assert!(!upsert(&mut journal, &named).new);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 6);
    let mut is: Vec<String> = read(dir.path(), LABELS)
        .lines()
        .map(str::to_owned)
        .collect();
    let mut was: Vec<&str> = text.lines().collect();
    is.sort();
    was.sort();
    assert_eq!(is, was);
}
