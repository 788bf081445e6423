//! Restoring the steps of a run whose journal was lost.

use super::*;
use crate::record::FieldConfidence;
use crate::store::{Basis, Merged, Replayed, RunStep, RunStepKind, replay};

fn step(kind: RunStepKind, names: &[&str]) -> RunStep {
    RunStep {
        at: "2026-01-10T00:00:00Z".into(),
        kind,
        step: "step".into(),
        images: names
            .iter()
            .map(|name| format!("icons/{name}.png"))
            .collect(),
        hashes: names.iter().map(|name| Some(sha(name))).collect(),
        saved: true,
        change: None,
        text: None,
        attempt: None,
        merged: None,
        judgment: None,
    }
}

fn label_step(name: &str, label: &str) -> RunStep {
    RunStep {
        change: Some(set_label(label)),
        ..step(RunStepKind::Change, &[name])
    }
}

fn answer_step(name: &str, attempt: Attempt, merged: Option<Merged>) -> RunStep {
    RunStep {
        attempt: Some(Box::new(attempt)),
        merged,
        ..step(RunStepKind::Answer, &[name])
    }
}

/// Restores these steps from a file; returns how many were done, known and refused.
fn restore(journal: &mut Journal, steps: &[RunStep]) -> (usize, usize, usize) {
    let lines = steps
        .iter()
        .map(|step| serde_json::to_string(step).unwrap());
    let path = journal.outdir().join("journal.rescued-1.jsonl");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let Replayed {
        done,
        known,
        refused,
        ..
    } = replay(journal, &path).unwrap();
    (done, known, refused.len())
}

fn label(journal: &Journal, id: GroupId) -> String {
    let summary = journal.summary(id).unwrap().unwrap();
    summary.labels.label_ko().to_owned()
}

#[test]
fn a_decision_finds_its_image_at_another_path() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지", "모자"]);
    let names = ["반지", "모자"];
    let before = label(&journal, ids[1]);
    journal.begin_source();
    // The files were swapped.
    for (order, (name, other)) in (0..).zip(names.iter().zip(names.iter().rev())) {
        let mut swapped = group(order, name);
        swapped.item = item(other);
        upsert(&mut journal, &swapped);
    }
    let done = restore(&mut journal, &[label_step("반지", "은으로 만든 반지")]);
    assert_eq!(done, (1, 0, 0));
    assert_eq!(label(&journal, ids[0]), "은으로 만든 반지");
    assert_eq!(label(&journal, ids[1]), before);
    // An image that is gone is not the one at its path now.
    let mut gone = label_step("반지", "없는 것");
    gone.hashes = vec![Some(sha("없음"))];
    assert_eq!(restore(&mut journal, &[gone]), (0, 0, 1));
}

#[test]
fn restoring_again_only_tries_what_was_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    journal
        .apply(&ids, &set_label("처음 고친 반지"), "edit")
        .unwrap();
    let undo = RunStep {
        saved: false,
        ..step(RunStepKind::Undo, &[])
    };
    let steps = [
        undo.clone(),
        label_step("반지", "다시 고친 반지"),
        label_step("모자", "고친 모자"),
        undo,
    ];
    // The last one may undo the step that is refused.
    assert_eq!(restore(&mut journal, &steps), (2, 0, 2));
    for _ in 0..2 {
        assert_eq!(restore(&mut journal, &steps), (0, 2, 2));
        assert_eq!(label(&journal, ids[0]), "다시 고친 반지");
    }
    let hat = add(&mut journal, &["반지", "모자"])[1];
    let answer = attempt(labels("모자"), &[]);
    journal.add_attempt(hat, &answer).unwrap();
    let before = label(&journal, hat);
    assert_eq!(restore(&mut journal, &steps), (2, 2, 0));
    assert_eq!(label(&journal, hat), before);
    assert_eq!(restore(&mut journal, &steps), (0, 4, 0));
    assert_eq!(label(&journal, ids[0]), "다시 고친 반지");
}

#[test]
fn an_undo_is_restored_together_with_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    for text in ["처음 고친 반지", "다시 고친 반지"] {
        journal.apply(&ids, &set_label(text), "edit").unwrap();
    }
    let undo = RunStep {
        saved: false,
        ..step(RunStepKind::Undo, &[])
    };
    let path = dir.path().join("journal.rescued-1.jsonl");
    std::fs::write(&path, serde_json::to_string(&undo).unwrap()).unwrap();
    // The restore ends where it notes that the step is done.
    let failing = "CREATE TEMP TRIGGER fails BEFORE INSERT ON main.meta
         WHEN NEW.key LIKE 'restored:%' BEGIN SELECT RAISE(ABORT, 'killed'); END";
    journal.db().execute_batch(failing).unwrap();
    replay(&mut journal, &path).unwrap_err();
    drop(journal);
    let mut journal = open(dir.path());
    replay(&mut journal, &path).unwrap();
    assert_eq!(label(&journal, ids[0]), "처음 고친 반지");
}

#[test]
fn equal_answers_of_one_second_are_all_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["반지"]);
    let first = journal.attempts(ids[0]).unwrap().remove(0);
    let opinion = Attempt {
        opinion_of: Some(41),
        ..attempt(labels("다른 반지"), &[])
    };
    let steps = [
        answer_step("반지", Attempt { id: 41, ..first }, None),
        answer_step("반지", opinion.clone(), None),
        answer_step("반지", opinion, None),
    ];
    assert_eq!(restore(&mut journal, &steps), (2, 1, 0));
    assert_eq!(journal.attempts(ids[0]).unwrap().len(), 3);
}

#[test]
fn a_restored_quality_retry_is_not_requested_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let id = add(&mut journal, &["반지"])[0];
    let first = attempt(labels("반지"), &[Reason::FewTags]);
    let retry = Attempt {
        retry_of: Some(41),
        model: "another model".into(),
        ..attempt(labels("흐린 반지"), &[Reason::FewTags])
    };
    let merged = Merged {
        basis: Basis::Earlier(41),
        labels: labels("반지"),
        reasons: vec![Reason::FewTags, Reason::QualityRetryFailed],
        confidence: Vec::<FieldConfidence>::new(),
    };
    let steps = [
        answer_step("반지", first.clone(), None),
        answer_step("반지", retry, Some(merged)),
    ];
    assert_eq!(restore(&mut journal, &steps), (2, 0, 0));
    assert_eq!(journal.answer_without_retry(id).unwrap(), None);
    // The merged text is that of the first answer.
    let draft = journal.detail(id).unwrap().unwrap().draft.unwrap();
    assert_eq!(draft.model, first.model);
}
