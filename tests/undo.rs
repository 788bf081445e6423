//! Every action of the operator can be undone. Tests type keys into the workstation's state, with a
//! real engine and journal and a fake model.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[allow(dead_code)]
mod common;
#[path = "common/engine.rs"]
mod engine;
#[path = "common/operator.rs"]
mod operator;

use common::{good, picture, say};
use labeler_tui::labeler::fake::FakeActions;
use labeler_tui::record::{Field, GroupId};
use labeler_tui::tui::keymap::Action;
use operator::Operator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Key sequences of operator actions; each starts and ends in the workbench. A `~` selects an item.
/// Requesting a new answer is not included: it is not an undoable step.
const ACTIONS: &[&str] = &[
    "~ a",
    "~ c",
    "~ x \"흐림 enter",
    "~ O",
    "~ t \"새_태그 enter \"밤 enter",
    "~ t \"모 tab enter",
    "~ e \"_끝 enter",
    "~ e ctrl-u enter",
    "~ e \"한_번 esc",
    "~ tab j l e ctrl-u \"루비 enter",
    "~ tab j l d",
    "~ tab j l ]",
    "~ tab j j + \"gold enter",
    "~ tab G e ctrl-u \"다른_물음 enter",
    "~ N \"다시_볼_것 enter",
    "~ v T",
    "~ v k right j j enter",
    "ctrl-f \"붉은 enter \"푸른 enter enter",
    "ctrl-f \"천 enter enter w w enter",
    "ctrl-f \"천 enter \"비단 enter space enter",
    "C y",
    "alt-c y",
    "\\ F3 g g space right right v a y",
    "\\ F3 g g space right right v c y",
    "\\ F3 A x \"모두_아님 enter y",
    "\\ F3 A x \"모두_아님 enter n",
    "\\ F3 A t \"장비 enter",
    "\\ F3 A d \"천 enter",
    "\\ F3 g g space G space s h a \"night enter",
    "\\ s c r enter \"gold enter",
    "F5 r \"다른_말 enter",
    "F5 down m enter",
    "F5 right d enter",
    "F5 left left left left left left left = \"같은_말 enter",
    "\\ F3 A O",
    "~ 1",
    "g 1 y",
    "u",
    "u u u",
    "ctrl-r",
];

fn start(folder: &Path) -> Operator {
    Operator::start(folder, fake_actions())
}

fn undo_everything(operator: &mut Operator) {
    while operator.app.can(Action::Undo) {
        operator.press_keys("u");
    }
}

fn redo_everything(operator: &mut Operator) {
    while operator.app.can(Action::Redo) {
        operator.press_keys("U");
    }
}

/// Everything that an operator can decide or edit, by item.
fn state(operator: &mut Operator) -> BTreeMap<String, String> {
    let ids: Vec<GroupId> = {
        let groups = operator.app.session().records.groups();
        groups.ids_where(|_| true).collect()
    };
    let details = operator.details(&ids).into_iter();
    details
        .map(|detail| {
            let draft = detail.draft.as_ref();
            let state = json!({
                "state": detail.summary.state.name(),
                "labels": draft.map(|draft| &draft.labels),
                "reasons": draft.map(|draft| &draft.reasons),
                "committed": detail.committed,
                "rejected": detail.rejection_reason(),
                "note": detail.note(),
            });
            (detail.summary.name, state.to_string())
        })
        .collect()
}

const NAMES: [&str; 6] = [
    "가죽 모자",
    "나무 망토",
    "다홍 신발",
    "라임 장갑",
    "마법 반지",
    "바람 귀걸이",
];

/// The model's answer for an item, and the imported record of the last two. The answer is always the
/// same, so that new answers in between do not change what undo restores.
fn answer(name: &str) -> Value {
    let mut answer = good(name);
    match name {
        "나무 망토" => answer["tags_ko"] = json!(["천", "모자"]),
        "라임 장갑" => return json!("not a record"),
        "바람 귀걸이" => answer["attributes"]["colors"] = json!(["blue"]),
        _ => {}
    }
    answer
}

fn fake_actions() -> FakeActions {
    let answers: BTreeMap<&str, Value> = NAMES
        .iter()
        .map(|name| (*name, json!([say(answer(name))])))
        .collect();
    serde_json::from_value(json!({"slots": 2, "answers": answers})).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier = String::new();
    for (number, name) in NAMES.iter().enumerate() {
        let path = folder.path().join(format!("{name}.png"));
        picture(name).save(path).unwrap();
        if number >= 4 {
            let mut record = answer(name);
            record["image_path"] = json!(format!("{name}.png"));
            record["item_name"] = json!(name);
            record["source_type"] = json!("cash");
            earlier.push_str(&format!("{record}\n"));
        }
    }
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("out/labels.jsonl"), earlier).unwrap();
    folder
}

#[track_caller]
fn assert_same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) {
    for (name, state) in one {
        assert_eq!(Some(state), other.get(name), "{name}");
    }
}

/// The contents of both export files, without the time of failures, since failed items are retried at
/// every start.
fn exports(folder: &Path) -> (String, Vec<Value>) {
    let out = folder.join("out");
    let mut errors = common::lines(&out.join("labels_errors.jsonl"));
    for error in &mut errors {
        error.as_object_mut().unwrap().remove("at");
    }
    (
        std::fs::read_to_string(out.join("labels.jsonl")).unwrap(),
        errors,
    )
}

fn actions() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((0..ACTIONS.len(), 0usize..6), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn undoing_any_actions_restores_everything(actions in actions(), restarts: bool) {
        let folder = folder();
        let mut operator = start(folder.path());
        let first = state(&mut operator);
        assert_eq!(first.len(), 6);
        operator.quit();
        let first_exports = exports(folder.path());

        let mut operator = start(folder.path());
        for (action, item) in actions {
            operator.run_step(ACTIONS[action], item);
        }
        if restarts {
            operator.quit();
            operator = start(folder.path());
        }
        redo_everything(&mut operator);
        let last = state(&mut operator);
        undo_everything(&mut operator);
        assert_same(&state(&mut operator), &first);
        redo_everything(&mut operator);
        assert_same(&state(&mut operator), &last);
        undo_everything(&mut operator);
        operator.quit();
        assert_eq!(exports(folder.path()), first_exports);
    }
}

#[test]
fn a_new_answer_is_offered_and_undo_restores_the_line() {
    let folder = folder();
    let labels = folder.path().join("out/labels.jsonl");
    let earlier = std::fs::read_to_string(&labels).unwrap();
    let earlier = earlier.replace("\"label_ko\":\"", "\"label_ko\":\"처음의 first ");
    std::fs::write(&labels, &earlier).unwrap();
    let mut operator = start(folder.path());
    let first = state(&mut operator);
    let label = |operator: &mut Operator| {
        let state = state(operator).remove("마법 반지").unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        state["labels"]["label_ko"].as_str().unwrap().to_owned()
    };

    operator.press_keys("\\ / \"마법 enter r");
    let notice = operator.app.session().notices.current().unwrap();
    assert_eq!(
        notice.text,
        "마법 반지: new answer, 1 reason -> 0; the draft stays, v compares"
    );
    assert_same(&state(&mut operator), &first);
    operator.press_keys("v T");
    assert!(!label(&mut operator).starts_with("처음의"));
    operator.press_keys("c");
    assert_ne!(std::fs::read_to_string(&labels).unwrap(), earlier);
    operator.press_keys("v left T");
    assert!(label(&mut operator).starts_with("처음의"));
    for _ in 0..3 {
        operator.press_keys("u");
    }
    assert_same(&state(&mut operator), &first);
    operator.quit();
    assert_eq!(std::fs::read_to_string(&labels).unwrap(), earlier);
}

/// The property above would hold even if an action did nothing.
#[test]
fn every_action_is_an_undoable_step() {
    for keys in ACTIONS {
        if keys.starts_with(['u', '~']) || *keys == "ctrl-r" || keys.ends_with(" n") {
            continue;
        }
        let folder = folder();
        let mut operator = start(folder.path());
        operator.run_step("~ a", 1);
        operator.run_step(keys, 0);
        operator.press_keys("u");
        assert!(operator.app.can(Action::Redo), "{keys}");
    }
}

#[test]
fn a_synonym_is_in_the_outdirs_vocabulary_until_it_is_undone() {
    let folder = folder();
    let words = folder.path().join("out/vocabulary.toml");
    let mut operator = start(folder.path());
    let tags = |operator: &mut Operator| {
        let id = operator.app.session().current().unwrap();
        let detail = operator.details(&[id]).remove(0);
        let labels = detail.draft.unwrap().labels;
        labels.values(Field::TagsKo).to_vec()
    };
    operator.press_keys("\\ g g F5");
    let counts = operator.app.session().records.counts();
    let old = counts.of(Field::TagsKo)[0].value.clone();
    operator.press_keys("= \"대표 enter F2");
    let text = std::fs::read_to_string(&words).unwrap();
    assert!(
        text.contains(&format!("word = \"대표\"\nko = [\"{old}\"]")),
        "{text}"
    );
    assert!(tags(&mut operator).contains(&"대표".to_owned()));
    // Typing the old word now gives the new one.
    operator.press_keys(&format!("t \"{old}_둘,{old} enter esc"));
    let after = tags(&mut operator);
    assert!(
        after.contains(&format!("{old} 둘")) && !after.contains(&old),
        "{after:?}"
    );
    operator.press_keys("u u");
    let text = std::fs::read_to_string(&words).unwrap();
    assert!(!text.contains("대표"), "{text}");
    assert!(tags(&mut operator).contains(&old));
    operator.press_keys("U");
    let text = std::fs::read_to_string(&words).unwrap();
    assert!(text.contains("대표"), "{text}");
    operator.quit();
    // The synonym also applies after a restart.
    let mut operator = start(folder.path());
    operator.press_keys(&format!("t \"{old} enter esc"));
    assert!(!tags(&mut operator).contains(&old));
    operator.quit();
}
