//! Matching of groups, answers, failures, counts, and settings kept between runs.

use super::*;
use crate::icon::Measured;
use crate::outdir::{ERRORS, KEPT, LABELS, UNREAD};
use crate::record::{ColorHistogram, Origin, to_oklab};
use crate::store::{Basis, Merged};

#[test]
fn an_answer_becomes_the_draft_and_waits_for_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자"]);
    assert_eq!(journal.waiting().unwrap(), ids);

    let added = journal
        .add_attempt(ids[0], &attempt(labels("반지"), &[]))
        .unwrap();
    assert!(added.is_draft);
    assert_eq!(added.changed, [ids[0]]);
    journal
        .add_attempt(ids[1], &attempt(labels("모자"), &[Reason::TooSmall]))
        .unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Draft);
    assert_eq!(state(&journal, ids[1]), GroupState::Uncertain);
    assert!(journal.waiting().unwrap().is_empty());

    journal.commit_automatic(ids[0]).unwrap();
    journal.commit_automatic(ids[1]).unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Committed);
    let uncertain = journal.summary(ids[1]).unwrap().unwrap();
    assert_eq!(uncertain.state, GroupState::Uncertain);
    assert!(uncertain.has_record && uncertain.uncertainty > 0.0);

    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.attempts[0].id, added.id);
    assert_eq!(detail.committed.unwrap().labels, labels("반지"));
}

#[test]
fn a_restart_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    journal.meta_set("ui.filter", "state:uncertain").unwrap();
    let before = (
        journal.summaries().unwrap(),
        journal.detail(ids[0]).unwrap(),
    );
    drop(journal);

    let journal = open(dir.path());
    assert_eq!(
        before,
        (
            journal.summaries().unwrap(),
            journal.detail(ids[0]).unwrap()
        )
    );
    assert_eq!(
        journal.meta_with_prefix("ui.").unwrap(),
        [("filter".into(), "state:uncertain".into())]
    );
    assert_eq!(journal.meta_get("ui.none").unwrap(), None);
}

#[test]
fn a_group_is_found_by_path_and_by_hash() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal.begin_source();

    let mut moved = group(7, "옮긴 반지");
    moved.sha256 = Some(sha("반지"));
    let by_hash = upsert(&mut journal, &moved);
    assert_eq!(
        (by_hash.id, by_hash.new, by_hash.first),
        (ids[0], false, true)
    );
    let mut unread = group(8, "반지");
    unread.sha256 = None;
    let by_path = upsert(&mut journal, &unread);
    assert_eq!((by_path.id, by_path.first), (ids[0], false));

    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.item.item_name, "옮긴 반지");
    assert_eq!(detail.other_names, ["반지"]);
    assert_eq!((detail.rows, detail.summary.order), (2, 7));
    assert_eq!(detail.summary.reasons, [Reason::NameMismatch]);
}

#[test]
fn names_are_merged_and_each_source_pass_recounts_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for _ in 0..2 {
        let ids = add(&mut journal, &["반지"]);
        journal
            .add_names(&[(ids[0], list(&["반지", "은반지", "금반지", "은반지"]))])
            .unwrap();
        journal.add_rows(&[(ids[0], 3)]).unwrap();
        let detail = journal.detail(ids[0]).unwrap().unwrap();
        assert_eq!(detail.other_names, ["은반지", "금반지"]);
        assert_eq!(detail.rows, 4);
    }
}

/// Reads a source with other images at these paths.
fn replace_images(journal: &mut Journal, names: &[&str]) -> Vec<GroupId> {
    journal.begin_source();
    let ids = (0..).zip(names).map(|(order, name)| {
        let mut other = group(order, name);
        other.sha256 = Some(format!("other-{name}"));
        let upserted = upsert(journal, &other);
        assert!(upserted.new && upserted.first && !upserted.moved);
        upserted.id
    });
    ids.collect()
}

#[test]
fn a_group_keeps_its_data_when_another_image_replaces_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["답만", "고친", "받은", "올린", "물린", "기다림"];
    let (mut journal, ids) = labeled(dir.path(), &names[..5]);
    let [_, edited, accepted, committed, rejected] = ids[..] else {
        panic!("{ids:?}");
    };
    let mut ids = ids.clone();
    journal
        .apply(&[edited], &set_label("내가 쓴 붉은 모자"), "edit")
        .unwrap();
    journal
        .apply(&[accepted], &Change::Accept, "accept")
        .unwrap();
    journal
        .apply(&[committed], &Change::Commit, "commit")
        .unwrap();
    let reject = Change::Reject {
        reason: "흐림".into(),
    };
    journal.apply(&[rejected], &reject, "reject").unwrap();
    journal.begin_source();
    ids.push(upsert(&mut journal, &group(5, names[5])).id);
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 1);
    let before: Vec<_> = ids
        .iter()
        .map(|id| journal.detail(*id).unwrap().unwrap())
        .collect();

    let now = replace_images(&mut journal, &names);
    journal.export().unwrap();
    assert!(now.iter().all(|id| !ids.contains(id)));
    assert_eq!(journal.waiting().unwrap(), now);
    for id in &now {
        let fresh = journal.detail(*id).unwrap().unwrap();
        assert_eq!((fresh.versions.len(), fresh.draft), (0, None));
    }
    for (id, before) in ids.iter().zip(&before) {
        let after = journal.detail(*id).unwrap().unwrap();
        assert_eq!(after.current, before.current);
        assert_eq!(
            (&after.draft, &after.image_sha256),
            (&before.draft, &before.image_sha256)
        );
    }
    assert_eq!(read(dir.path(), LABELS), "");
    let issues = journal.exports.issues(&journal.journal).unwrap();
    assert_eq!((issues.withheld, issues.withheld_edits), (1, 2));
    assert_eq!(issues.withheld_paths.len(), 3);
    let kept = read(dir.path(), KEPT);
    let kept: Vec<bool> = [names[1], names[2], names[3]]
        .iter()
        .map(|name| kept.contains(&format!("\"item_name\":\"{name}\"")))
        .collect();
    assert_eq!(kept, [true; 3]);

    // The images reappear at other paths, and no answer is requested again.
    journal.begin_source();
    for (order, name) in (10..).zip(&names[..5]) {
        let mut back = group(order, &format!("옮긴 {name}"));
        back.sha256 = Some(sha(name));
        back.item.item_name = name.to_string();
        let upserted = upsert(&mut journal, &back);
        assert_eq!((upserted.new, upserted.moved), (false, *name == "올린"));
    }
    journal.export().unwrap();
    for (id, before) in ids.iter().zip(&before).take(5) {
        let after = journal.summary(*id).unwrap().unwrap();
        assert_eq!(
            (after.state, after.reasons),
            (before.summary.state, before.summary.reasons.clone())
        );
    }
    assert_eq!(
        lines(dir.path(), LABELS)[0]["image_path"],
        "icons/옮긴 올린.png"
    );
}

#[test]
fn a_group_is_hidden_while_another_image_is_at_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |journal: &Journal| -> Vec<GroupId> {
        let all = journal.summaries().unwrap().into_iter();
        all.map(|summary| summary.id).collect()
    };
    let mut journal = open(dir.path());
    let first = add(&mut journal, &["반지"]);
    assert_eq!(shown(&journal), first);
    let second = replace_images(&mut journal, &["반지"]);
    assert_eq!(shown(&journal), second);

    drop(journal);
    drop(as_of_version(dir.path(), 17));
    let mut journal = open(dir.path());
    assert_eq!(shown(&journal), second);
    assert_eq!(add(&mut journal, &["반지"]), first);
    assert_eq!(shown(&journal), first);

    drop(journal);
    let rebuilt = crate::store::rebuild(dir.path(), vocabulary()).unwrap();
    assert_eq!(shown(&rebuilt.journal), first);
}

#[test]
fn items_without_a_path_are_different_groups() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let pathless = |order, name: &str| {
        let mut group = group(order, name);
        group.item.image_path = String::new();
        group.item.image_url = Some(format!("https://example.invalid/{name}"));
        group.sha256 = None;
        group
    };
    let upserted = journal
        .upsert_groups(&[
            pathless(0, "반지"),
            pathless(1, "모자"),
            pathless(2, "반지"),
        ])
        .unwrap();
    assert_ne!(upserted[0].id, upserted[1].id);
    assert_eq!(upserted[0].id, upserted[2].id);
}

#[test]
fn the_list_of_failures_has_the_present_name_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let id = add(&mut journal, &["반지"])[0];
    let listed = |journal: &mut Outdir| {
        journal.export().unwrap();
        let line = lines(dir.path(), ERRORS).remove(0);
        [&line["item_name"], &line["code"]].map(|value| value.as_str().unwrap().to_owned())
    };
    let fail = |journal: &mut Outdir, code| {
        let changed = journal.add_failure(id, &failure(code)).unwrap();
        !changed.is_empty()
    };
    assert!(fail(&mut journal, FailureCode::ImageLoadFailed));
    assert_eq!(listed(&mut journal), ["반지", "image_load_failed"]);
    // The next run finds that the file is gone, and the one after that finds nothing new.
    assert!(fail(&mut journal, FailureCode::MissingImage));
    assert!(!fail(&mut journal, FailureCode::MissingImage));
    assert_eq!(listed(&mut journal), ["반지", "missing_image"]);
    journal.begin_source();
    let mut renamed = group(0, "반지");
    renamed.item.item_name = "은반지".into();
    upsert(&mut journal, &renamed);
    assert_eq!(listed(&mut journal), ["은반지", "missing_image"]);
}

#[test]
fn an_answer_clears_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자"]);
    journal
        .add_failure(ids[0], &failure(FailureCode::MissingImage))
        .unwrap();
    let failed = Attempt {
        labels: None,
        failure: Some(failure(FailureCode::ModelError)),
        ..attempt(Labels::default(), &[])
    };
    journal.add_attempt(ids[1], &failed).unwrap();
    assert_eq!(state(&journal, ids[0]), GroupState::Failed);
    assert_eq!(
        journal.counts().unwrap().failures,
        [(FailureCode::MissingImage, 1), (FailureCode::ModelError, 1)]
    );
    assert!(journal.waiting().unwrap().is_empty());

    journal
        .add_attempt(ids[1], &attempt(labels("모자"), &[]))
        .unwrap();
    assert_eq!(state(&journal, ids[1]), GroupState::Draft);
    // A later failure does not remove the answer.
    journal.add_attempt(ids[1], &failed).unwrap();
    assert_eq!(state(&journal, ids[1]), GroupState::Draft);
    let counts = journal.counts().unwrap();
    assert_eq!(counts.failures, [(FailureCode::MissingImage, 1)]);
    assert_eq!(state(&journal, ids[0]), GroupState::Failed);
}

#[test]
fn an_answer_does_not_replace_an_edit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal
        .apply(&ids, &set_label("내가 쓴 은빛 반지"), "edit")
        .unwrap();
    let added = journal
        .add_attempt(ids[0], &attempt(labels("다른 반지"), &[]))
        .unwrap();
    assert!(!added.is_draft);
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.summary.labels.label_ko(), "내가 쓴 은빛 반지");
    assert_eq!(detail.attempts.len(), 2);
    assert!(journal.commit_automatic(ids[0]).unwrap().is_empty());
}

#[test]
fn the_merge_of_a_retry_becomes_the_draft() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let mut both = labels("은반지");
    both.set(Field::TagsKo, ["모자", "반지"]);
    let merged = Merged {
        basis: Basis::Retry,
        labels: both.clone(),
        reasons: vec![Reason::QualityRetryFailed],
        confidence: vec![],
    };
    let retry = attempt(labels("은반지"), &[Reason::TooSmall]);
    let added = journal.add_retry(ids[0], &retry, &merged).unwrap();
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    let draft = detail.draft.unwrap();
    assert_eq!(draft.labels, both);
    assert_eq!(draft.reasons, [Reason::QualityRetryFailed]);
    assert_eq!(draft.origin, Origin::Attempt(added.id));
    assert_eq!(detail.attempts.len(), 2);
}

#[test]
fn an_uncommitted_answer_without_a_retry_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let waiting = |journal: &Journal, id| journal.answer_without_retry(id).unwrap().map(|a| a.id);
    let first = waiting(&journal, ids[0]).unwrap();
    assert_eq!(journal.attempts(ids[0]).unwrap()[0].id, first);

    let failed = Attempt {
        labels: None,
        failure: Some(failure(FailureCode::ModelError)),
        retry_of: Some(first),
        ..attempt(Labels::default(), &[])
    };
    let merged = Merged {
        basis: Basis::Earlier(first),
        labels: labels("반지"),
        reasons: vec![Reason::QualityRetryFailed],
        confidence: vec![],
    };
    journal.add_retry(ids[0], &failed, &merged).unwrap();
    assert_eq!(waiting(&journal, ids[0]), None);
    assert_eq!(state(&journal, ids[0]), GroupState::Uncertain);

    assert!(waiting(&journal, ids[1]).is_some());
    journal.commit_automatic(ids[1]).unwrap();
    assert_eq!(waiting(&journal, ids[1]), None);
}

#[test]
fn equal_labels_are_flagged_while_both_exist() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자", "검"]);
    let same = |journal: &mut Journal, id| {
        let added = journal.add_attempt(id, &attempt(labels("반지"), &[]));
        added.unwrap().changed
    };
    assert_eq!(same(&mut journal, ids[0]), [ids[0]]);
    assert_eq!(same(&mut journal, ids[1]), [ids[0], ids[1]]);
    assert_eq!(same(&mut journal, ids[2]), [ids[2]]);
    let duplicates = |journal: &Journal| {
        let all = journal.summaries().unwrap();
        all.iter()
            .filter(|group| group.reasons.contains(&Reason::DuplicateLabel))
            .count()
    };
    assert_eq!(duplicates(&journal), 3);

    let reject = Change::Reject {
        reason: "blurred".into(),
    };
    journal.apply(&[ids[2]], &reject, "reject").unwrap();
    assert_eq!(duplicates(&journal), 2);
    let stepped = journal
        .apply(&[ids[1]], &set_label("푸른 모자"), "edit")
        .unwrap();
    assert_eq!(stepped.changed, [ids[0], ids[1]]);
    assert_eq!(duplicates(&journal), 0);
    assert_eq!(state(&journal, ids[0]), GroupState::Draft);
    journal.undo().unwrap();
    journal.undo().unwrap();
    assert_eq!(duplicates(&journal), 3);
}

#[test]
fn drafts_are_checked_again_when_colors_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let blue = Measured {
        colors: ColorHistogram {
            opaque: 300,
            bins: vec![(to_oklab([20, 40, 220]), 1.0)],
            ..ColorHistogram::default()
        },
        drawing: None,
    };
    assert!(!journal.is_measured(ids[0]).unwrap());
    let changed = journal.set_measured(&[(ids[0], blue)]).unwrap();
    assert_eq!(changed, ids);
    assert!(journal.is_measured(ids[0]).unwrap());
    let summary = journal.summary(ids[0]).unwrap().unwrap();
    assert_eq!(
        summary.reasons,
        [Reason::ColorMismatch, Reason::MainColorMissing]
    );
}

#[test]
fn a_second_instance_reports_the_holder_of_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let refused = Journal::lock(dir.path(), vocabulary()).unwrap_err();
    assert!(refused.cause.contains("is in use by process"), "{refused}");
    assert!(refused.cause.contains(&std::process::id().to_string()));
    drop(journal);
    open(dir.path());
}

#[test]
fn a_journal_from_before_attribute_counts_is_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ids) = labeled(dir.path(), &["반지"]);
    let before = journal.summary(ids[0]).unwrap();
    assert!(
        !before
            .as_ref()
            .unwrap()
            .labels
            .values(Field::Theme)
            .is_empty()
    );
    drop(journal);
    drop(as_of_version(dir.path(), 1));
    assert_eq!(open(dir.path()).summary(ids[0]).unwrap(), before);
}

#[test]
fn a_journal_from_before_offers_is_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    journal.commit_automatic(ids[0]).unwrap();
    drop(journal);
    // As an earlier version wrote them: an accepted record, and a rejection to undo.
    let db = as_of_version(dir.path(), 2);
    let old = |draft: i64, record: &str, edited: bool, decision: &str| {
        format!(
            "{{\"draft\":{draft},\"record\":{record},\"edited\":{edited},\
             \"decision\":{decision},\"note\":null}}"
        )
    };
    let accepted = "UPDATE heads SET head = ?1, state = 'accepted' WHERE group_id = ?2";
    let head = old(1, "1", false, "\"accepted\"");
    db.execute(accepted, rusqlite::params![head, ids[0].0])
        .unwrap();
    db.execute(
        "INSERT INTO steps (at, kind, change, done) VALUES ('', 'do', ?1, 'reject')",
        ["{\"take_attempt\":{\"attempt\":1}}"],
    )
    .unwrap();
    let rejected = old(2, "null", false, "{\"rejected\":\"blurred\"}");
    db.execute(
        "INSERT INTO step_entries (step, group_id, before, after, model_draft)
         VALUES (1, ?1, ?2, ?3, 2)",
        rusqlite::params![ids[1].0, old(2, "null", false, "\"open\""), rejected],
    )
    .unwrap();
    let rejecting = "UPDATE heads SET head = ?1, state = 'rejected' WHERE group_id = ?2";
    db.execute(rejecting, rusqlite::params![rejected, ids[1].0])
        .unwrap();
    drop(db);

    let mut journal = open(dir.path());
    assert_eq!(state(&journal, ids[0]), GroupState::Committed);
    assert_eq!(state(&journal, ids[1]), GroupState::Rejected);
    let detail = journal.detail(ids[1]).unwrap().unwrap();
    assert_eq!(detail.rejection_reason(), Some("blurred"));
    journal.undo().unwrap().unwrap();
    assert_eq!(state(&journal, ids[1]), GroupState::Draft);
    let newer = attempt(labels("새 반지"), &[]);
    assert!(!journal.add_attempt(ids[0], &newer).unwrap().is_draft);
    assert!(journal.summary(ids[0]).unwrap().unwrap().offered);
}

#[test]
fn failures_of_earlier_versions_keep_their_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자"]);
    let typed = Failure {
        code: FailureCode::MissingImage,
        detail: FailureDetail::NoSuchFile {
            file: "a.png".to_owned(),
        },
    };
    for id in &ids {
        journal.add_failure(*id, &typed).unwrap();
    }
    drop(journal);
    let db = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    let old = "UPDATE failures SET detail = 'there is no file b.png' WHERE group_id = ?1";
    db.execute(old, [ids[1].0]).unwrap();
    drop(db);

    let mut journal = open(dir.path());
    let failure = |id| journal.detail(id).unwrap().unwrap().failure.unwrap();
    assert_eq!(failure(ids[0]), typed);
    let sentence = FailureDetail::Text("there is no file b.png".to_owned());
    assert_eq!(failure(ids[1]).detail, sentence);
    journal.export().unwrap();
    let listed = lines(dir.path(), ERRORS);
    let details: Vec<&serde_json::Value> = listed.iter().map(|line| &line["detail"]).collect();
    assert_eq!(
        details,
        ["there is no file a.png", "there is no file b.png"]
    );
}

#[test]
fn a_journal_of_a_newer_version_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = Journal::lock(dir.path(), vocabulary()).unwrap_err();
    assert!(refused.cause.contains("newer labeler-tui"), "{refused}");
}

#[test]
fn a_file_that_is_not_a_journal_is_rejected_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.sqlite"), "not a database, surely").unwrap();
    let refused = Journal::lock(dir.path(), vocabulary()).unwrap_err();
    assert!(refused.hint.is_some(), "{refused}");
}

#[test]
fn an_answer_replaces_what_could_be_read_of_a_line() {
    let cut = r#"{"image_path": "icons/모자.png", "item_name": "모자", "label_ko": "붉은"#;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(LABELS), cut).unwrap();
    let mut journal = open(dir.path());
    let id = journal.summaries().unwrap()[0].id;
    let counts = journal.counts().unwrap();
    assert_eq!((counts.groups, counts.records), (1, 0));
    // Without an image it is listed like any item without a record.
    journal
        .add_failure(id, &failure(FailureCode::MissingImage))
        .unwrap();
    let codes = |journal: &Journal| journal.counts().unwrap().failures;
    assert_eq!(codes(&journal), [(FailureCode::MissingImage, 1)]);
    let answer = attempt(labels("모자"), &[]);
    journal.add_attempt(id, &answer).unwrap();
    let shown = journal.summary(id).unwrap().unwrap();
    assert_eq!((shown.state, shown.offered), (GroupState::Draft, false));
    assert_eq!(Some(shown.labels), answer.labels);
    assert_eq!(codes(&journal), []);
    journal.commit_automatic(id).unwrap();
    journal.export().unwrap();
    assert_eq!(lines(dir.path(), LABELS).len(), 1);
    assert_eq!(read(dir.path(), UNREAD).lines().count(), 1);
}
