//! Whatever an operator does can be taken back: keys through the workstation's own state, with a
//! real engine and a real journal behind it and a script in the place of the model.

#[allow(dead_code)]
mod common;
#[path = "common/plan.rs"]
mod plan;

use common::{good, picture, say};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use labeler_tui::engine::{Command, Event, Handle, start};
use labeler_tui::labeler::scripted::{Script, Scripted};
use labeler_tui::record::{GroupDetail, GroupId, GroupState};
use labeler_tui::tui::app::{App, Message};
use labeler_tui::tui::effect::Effect;
use labeler_tui::tui::keymap::{Key, Keymap};
use labeler_tui::tui::layout::Pane;
use labeler_tui::tui::theme::{Depth, Ground, Theme};
use labeler_tui::tui::{Settings, action::Action};
use plan::{ICON, plan};
use proptest::prelude::*;
use ratatui::layout::Size;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An engine that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody looks for this: when it has been looked for, everything before it has been done.
const LAST: &str = "everything before this has been done";

/// Things that operators do, each from the workbench and back. A `~` is one or other item. To ask
/// the model again is not among them: an answer is no step, and stays.
const DEEDS: &[&str] = &[
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
    "~ v left j j enter",
    "ctrl-f \"붉은 enter \"푸른 enter y",
    "ctrl-f \"천 enter enter y",
    "C y",
    "alt-c y",
    "\\ 2 g g space right right v a y",
    "\\ 2 g g space right right v c y",
    "\\ 2 A x \"모두_아님 enter y",
    "\\ 2 A x \"모두_아님 enter n",
    "\\ 2 A t \"장비 enter",
    "\\ 2 A d \"천 enter",
    "\\ 2 g g space G space s j enter \"night enter",
    "\\ 2 A O",
    "u",
    "u u u",
    "ctrl-r",
];

struct Operator {
    engine: Handle,
    app: App,
    /// Something was asked of the engine that it has not been waited for.
    sent: bool,
    /// Nothing waits for the model.
    idle: bool,
    answers: BTreeMap<GroupId, Box<GroupDetail>>,
    /// How a record looked at once after a step, before the engine said so.
    predicted: Option<(GroupId, Look)>,
}

/// What the review state machine says of a record.
type Look = (GroupState, bool, bool);

impl Operator {
    fn sits_down(folder: &Path) -> Self {
        let plan = plan(folder);
        let settings = Settings {
            icon: ICON,
            model: true,
            outdir: "out".into(),
            vocabulary: Arc::clone(plan.vocabulary()),
            english: false,
        };
        let theme = Theme {
            depth: Depth::True,
            ground: Ground::Dark,
        };
        let keymap = Keymap::load(None, None).unwrap();
        let labeler = Scripted::new(script());
        let mut operator = Self {
            engine: start(plan, Some(Box::new(|_| Ok(Box::new(labeler))))).unwrap(),
            app: App::new(Size::new(120, 40), theme, keymap, settings),
            sent: true,
            idle: false,
            answers: BTreeMap::new(),
            predicted: None,
        };
        operator.rests();
        operator
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(command) => {
                    self.idle &= !matches!(command, Command::Retry { .. });
                    self.sent = true;
                    if let Command::Apply { groups, .. } = &command
                        && let [group] = groups[..]
                        && self.app.details.contains_key(&group)
                    {
                        self.predicted = Some((group, self.look(group)));
                    }
                    self.engine.send(command);
                }
                Effect::Work(job) => {
                    let more = self.app.update(Message::Done(job.run()));
                    self.carry_out(more);
                }
                Effect::Pictures(_) | Effect::Redraw | Effect::Suspend => {}
                Effect::Quit => panic!("the workstation was left"),
            }
        }
    }

    fn look(&self, group: GroupId) -> Look {
        let summary = self.app.groups.get(group).unwrap();
        (summary.state, summary.has_record, summary.offered)
    }

    fn hears(&mut self) -> Event {
        let event = self.engine.events().recv_timeout(PATIENCE).unwrap();
        match &event {
            Event::Idle => self.idle = true,
            Event::Detail(detail) => {
                self.answers.insert(detail.summary.id, detail.clone());
            }
            Event::Broken(error) => panic!("{error}"),
            _ => {}
        }
        if !is_last(&event) {
            let effects = self.app.update(Message::Engine(event.clone()));
            self.carry_out(effects);
        }
        event
    }

    /// Until the engine and the model have done all that was asked of them.
    fn rests(&mut self) {
        loop {
            let effects = self.app.settle();
            self.carry_out(effects);
            if !std::mem::take(&mut self.sent) && self.idle {
                return;
            }
            self.engine.send(Command::Find { text: LAST.into() });
            while !is_last(&self.hears()) {}
            while !self.idle {
                self.hears();
                self.sent = true;
            }
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let key = KeyEvent::new(code, modifiers);
        let effects = self.app.update(Message::Key(key));
        self.carry_out(effects);
        self.rests();
        if let Some((group, predicted)) = self.predicted.take() {
            assert_eq!(
                self.look(group),
                predicted,
                "the workstation shows other than is"
            );
        }
    }

    /// Keys as key files write them; texts behind a quote, `_` for a space.
    fn types(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            if let Some(text) = word.strip_prefix('"') {
                if self.app.dialog.is_none() {
                    // Refused: there is nothing to type into, and the letters would be keys.
                    return;
                }
                for c in text.replace('_', " ").chars() {
                    self.press(KeyCode::Char(c), KeyModifiers::NONE);
                }
            } else {
                let key = Key::parse(word).unwrap();
                self.press(key.code, key.modifiers);
            }
        }
    }

    /// One of [`DEEDS`], where it is about one item about this one of them, and back to the queue.
    fn does(&mut self, deed: &str, item: usize) {
        let keys = match deed.strip_prefix('~') {
            Some(keys) => format!("\\ g g {} {keys}", "j ".repeat(item)),
            None => deed.to_owned(),
        };
        self.types(&keys);
        // What was refused stays open.
        while self.app.dialog.is_some() {
            self.types("esc");
        }
        self.types("2 esc 1");
        self.app.focus = Pane::Queue;
    }

    fn undoes_everything(&mut self) {
        while self.app.undo.is_some() {
            self.types("u");
        }
    }

    fn redoes_everything(&mut self) {
        while self.app.redo.is_some() {
            self.types("U");
        }
    }

    /// All that an operator decides and mends, by item.
    fn state(&mut self) -> BTreeMap<String, String> {
        self.answers.clear();
        let ids: Vec<GroupId> = self.app.groups.ids_where(|_| true).collect();
        for id in &ids {
            self.engine.send(Command::Open(*id));
        }
        while self.answers.len() < ids.len() {
            self.hears();
        }
        let answers = std::mem::take(&mut self.answers).into_values();
        answers
            .map(|detail| {
                let draft = detail.draft.as_ref();
                let state = json!({
                    "state": detail.summary.state.name(),
                    "labels": draft.map(|draft| &draft.labels),
                    "reasons": draft.map(|draft| &draft.reasons),
                    "committed": detail.committed,
                    "rejected": detail.rejected(),
                    "note": detail.note(),
                });
                (detail.summary.name, state.to_string())
            })
            .collect()
    }

    fn leaves(self) {
        self.engine.send(Command::Stop);
        let events = self.engine.events();
        while !matches!(events.recv_timeout(PATIENCE).unwrap(), Event::Stopped(_)) {}
    }
}

fn is_last(event: &Event) -> bool {
    matches!(event, Event::Found { text, .. } if text == LAST)
}

const NAMES: [&str; 6] = [
    "가죽 모자",
    "나무 망토",
    "다홍 신발",
    "라임 장갑",
    "마법 반지",
    "바람 귀걸이",
];

/// What is said of an item, by the model whenever it is asked, and by an earlier program of the
/// last two: doing and undoing then comes to the same with new answers in between.
fn said(name: &str) -> Value {
    let mut answer = good(name);
    match name {
        "나무 망토" => answer["tags_ko"] = json!(["천", "모자"]),
        "라임 장갑" => return json!("not a record"),
        "바람 귀걸이" => answer["attributes"]["colors"] = json!(["blue"]),
        _ => {}
    }
    answer
}

fn script() -> Script {
    let answers: BTreeMap<&str, Value> = NAMES
        .iter()
        .map(|name| (*name, json!([say(said(name))])))
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
            let mut record = said(name);
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

/// Both files; what failed is asked again at every start, so not when that was.
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

fn deeds() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((0..DEEDS.len(), 0usize..6), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_deeds_undone_leave_everything_as_it_was(deeds in deeds(), leaves_between: bool) {
        let folder = folder();
        let mut operator = Operator::sits_down(folder.path());
        let first = operator.state();
        assert_eq!(first.len(), 6);
        operator.leaves();
        let first_exports = exports(folder.path());

        let mut operator = Operator::sits_down(folder.path());
        for (deed, item) in deeds {
            operator.does(DEEDS[deed], item);
        }
        if leaves_between {
            operator.leaves();
            operator = Operator::sits_down(folder.path());
        }
        operator.redoes_everything();
        let last = operator.state();
        operator.undoes_everything();
        assert_same(&operator.state(), &first);
        operator.redoes_everything();
        assert_same(&operator.state(), &last);
        operator.undoes_everything();
        operator.leaves();
        assert_eq!(exports(folder.path()), first_exports);
    }
}

#[test]
fn a_new_answer_is_offered_and_the_line_comes_back() {
    let folder = folder();
    let labels = folder.path().join("out/labels.jsonl");
    let earlier = std::fs::read_to_string(&labels).unwrap();
    let earlier = earlier.replace("\"label_ko\":\"", "\"label_ko\":\"처음의 ");
    std::fs::write(&labels, &earlier).unwrap();
    let mut operator = Operator::sits_down(folder.path());
    let first = operator.state();
    let label = |operator: &mut Operator| {
        let state = operator.state().remove("마법 반지").unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        state["labels"]["label_ko"].as_str().unwrap().to_owned()
    };

    operator.types("\\ / \"마법 enter r");
    let notice = operator.app.notice.clone().unwrap();
    assert_eq!(notice.text, "new answer for 마법 반지: v to compare");
    assert_same(&operator.state(), &first);
    operator.types("v T");
    assert!(!label(&mut operator).starts_with("처음의"));
    operator.types("c");
    assert_ne!(std::fs::read_to_string(&labels).unwrap(), earlier);
    operator.types("v left T");
    assert!(label(&mut operator).starts_with("처음의"));
    for _ in 0..3 {
        operator.types("u");
    }
    assert_same(&operator.state(), &first);
    operator.leaves();
    assert_eq!(std::fs::read_to_string(&labels).unwrap(), earlier);
}

/// The property above says nothing of a deed that does nothing.
#[test]
fn every_deed_is_a_step_somewhere() {
    for deed in DEEDS {
        if deed.starts_with(['u', '~']) || *deed == "ctrl-r" || deed.ends_with(" n") {
            continue;
        }
        let folder = folder();
        let mut operator = Operator::sits_down(folder.path());
        operator.does("~ a", 1);
        operator.does(deed, 0);
        operator.types("u");
        assert!(operator.app.can(Action::Redo), "{deed}");
    }
}
