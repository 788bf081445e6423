//! Property test of data integrity: random sequences of operator actions, new answers, undo,
//! restarts, hand-written lines and moved pictures must not change anything unrelated.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/engine.rs"]
mod engine;
mod invariants;
#[path = "../common/operator.rs"]
mod operator;
mod outside;
mod steps;

use common::{good, picture, say};
use encoding_rs::EUC_KR;
use engine::{engine_with, options};
use labeler_tui::engine::{Command, EngineOptions, Event, Step};
use labeler_tui::labeler::Factory;
use labeler_tui::labeler::fake::{Fake, FakeActions};
use labeler_tui::outdir::PARQUET;
use labeler_tui::record::{Change, Decision, Field, GroupDetail, GroupId, Labels};
use operator::Operator;
use parquet::file::reader::SerializedFileReader;
use parquet::record::RowAccessor as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that sends no event for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Items of the source. The last two have lines from an earlier program.
const NAMES: [&str; 5] = [
    "가죽 모자",
    "나무 망토",
    "다홍 신발",
    "마법 반지",
    "바람 귀걸이",
];
/// Names to rename pictures to.
const NEW_NAMES: [&str; 3] = ["나중 장갑", "새 안경", "하얀 가방"];

const DECISION: &str = "decision";
const NOTE: &str = "note";
const LINE: &str = "line";
const TEXTS: &[&str] = &[
    "label_ko",
    "label_en",
    "tags_ko",
    "query_variants_ko",
    DECISION,
];
const WORDS: &[&str] = &[
    "colors",
    "theme",
    "material",
    "vibe",
    "item_type_guess",
    DECISION,
];
const ALL_LABELS: &[&str] = &[
    "label_ko",
    "label_en",
    "tags_ko",
    "query_variants_ko",
    "colors",
    "theme",
    "material",
    "vibe",
    "item_type_guess",
    DECISION,
];

/// Actions of an operator as keys, each with the aspects of the affected records that it may
/// change. An action with `~` affects one record.
const ACTIONS: &[(&str, &[&str])] = &[
    ("~ a", &[DECISION]),
    ("~ c", &[LINE, DECISION]),
    ("~ x \"흐림 enter", &[DECISION]),
    ("~ O", &[DECISION]),
    ("~ t \"새_태그 enter", &["tags_ko", DECISION]),
    ("~ e \"_끝 enter", &["label_ko", DECISION]),
    ("~ e ctrl-u enter", &["label_ko", DECISION]),
    ("~ e \"한_번 esc", &[]),
    (
        "~ tab g g j l e ctrl-u \"루비 enter",
        &["tags_ko", DECISION],
    ),
    ("~ tab g g j l d", &["tags_ko", DECISION]),
    ("~ tab g g j l ]", &["tags_ko", DECISION]),
    ("~ tab g g j j + \"gold enter", &["colors", DECISION]),
    (
        "~ tab G e ctrl-u \"다른_물음 enter",
        &["query_variants_ko", DECISION],
    ),
    ("~ N \"다시_볼_것 enter", &[NOTE]),
    ("~ v T", ALL_LABELS),
    ("~ v left T", ALL_LABELS),
    ("~ v left j j enter", ALL_LABELS),
    ("~ r", ALL_LABELS),
    ("ctrl-f \"붉은 enter \"푸른 enter y", TEXTS),
    ("ctrl-f \"천 enter enter y", TEXTS),
    ("V y", WORDS),
    ("~ 1", ALL_LABELS),
    ("g 1 y", ALL_LABELS),
    ("C y", &[LINE, DECISION]),
    ("alt-c y", &[LINE, DECISION]),
    ("\\ F3 g g space right right v a y", &[DECISION]),
    ("\\ F3 g g space right right v c y", &[LINE, DECISION]),
    ("\\ F3 A x \"모두_아님 enter y", &[DECISION]),
    ("\\ F3 A t \"장비 enter", &["tags_ko", DECISION]),
    ("\\ F3 A d \"천 enter", &["tags_ko", DECISION]),
    ("\\ F3 A O", &[DECISION]),
    ("\\ F3 A r y", ALL_LABELS),
];

/// Events while the workstation is closed.
#[derive(Debug, Clone)]
enum Outside {
    Rename(usize, usize),
    Swap(usize, usize),
    /// Replaces a picture with another one of the same name.
    Replace(usize),
    CopyOver(usize, usize),
    Write(LineForm, usize),
    /// Removes a line of `labels.jsonl`.
    Remove(usize),
    /// Restores a copy of an earlier `labels.jsonl`.
    Restore,
    /// Runs `--batch`, which labels, commits and exports.
    Batch,
}

/// Forms of lines that other programs, editors and accidents produce.
#[derive(Debug, Clone, Copy)]
enum LineForm {
    Plain,
    Hashed,
    ByteOrderMark,
    NotANumber,
    Cut,
    Cp949,
    UnknownKeys,
    WrongTypes,
    Doubled,
    NoPath,
    /// Replaces the existing line of the picture.
    InPlace,
}

#[derive(Debug, Clone)]
enum TestEvent {
    Act(usize, usize),
    Undo,
    Redo,
    /// Another program writes to `labels.jsonl` while the workstation is open.
    WriteWhileOpen(LineForm, usize),
    /// Closes and reopens the workstation, with these events in between.
    Reopen(Vec<Outside>),
}

/// A line that another program wrote to `labels.jsonl`.
#[derive(Debug)]
struct ForeignLine {
    bytes: Vec<u8>,
    /// The exported text before and after the value of its path; `None` if it is unreadable.
    exported_as: Option<(String, String)>,
    /// A text that no other line contains.
    mark: String,
    path: String,
    /// Hash of the picture that it describes.
    sha256: String,
    /// Whether the program has read it.
    seen: bool,
}

/// The aspects of each record that may change.
type Allowed = BTreeMap<GroupId, BTreeSet<&'static str>>;

/// An undoable step: what it may change, and the draft versions before and after it.
#[derive(Debug, Clone)]
struct UndoableStep {
    allowed: Allowed,
    before: BTreeMap<GroupId, Option<i64>>,
    after: BTreeMap<GroupId, Option<i64>>,
}

struct Scenario {
    operator: Option<Operator>,
    folder: tempfile::TempDir,
    /// The bytes of every picture by its file name.
    pictures: BTreeMap<String, Vec<u8>>,
    ids: BTreeSet<GroupId>,
    written: Vec<ForeignLine>,
    /// The content that another program left in `labels.jsonl`.
    foreign: Option<Vec<u8>>,
    /// Whether that program removed lines.
    is_thinned: bool,
    /// A copy of `labels.jsonl` whose lines the journal has all seen, from before any picture
    /// moved. Later, a line without a hash would be ambiguous: it does not say which picture was at
    /// its path.
    copy: Vec<u8>,
    has_moved: bool,
    /// Label and tags of every line ever exported.
    exported: BTreeSet<(String, Vec<String>)>,
    /// Groups whose line an operator's step may have changed.
    recommitted: BTreeSet<GroupId>,
    undo: Vec<UndoableStep>,
    redo: Vec<UndoableStep>,
    count: usize,
}

fn plays() -> FakeActions {
    let answers = |name: &str| -> Vec<Value> {
        let answer = |number: usize| {
            let mut answer = good(name);
            answer["label_ko"] = json!(format!("{number}째로 붉은 천으로 지은 {name}"));
            answer["tags_ko"][0] = json!(format!("말 {number}"));
            match (name, number) {
                ("나무 망토", 1) => answer["attributes"]["colors"] = json!(["blue"]),
                ("다홍 신발", 1) => answer = json!("not a record"),
                _ => {}
            }
            say(answer)
        };
        (1..5).map(answer).collect()
    };
    let names = NAMES.iter().chain(&NEW_NAMES);
    let answers: BTreeMap<&str, Vec<Value>> = names.map(|name| (*name, answers(name))).collect();
    serde_json::from_value(json!({"slots": 2, "answers": answers})).unwrap()
}

/// Runs `--batch --resume --parquet` and checks that both files have the same records.
fn run_batch(folder: &Path) {
    let options = EngineOptions {
        commit_automatically: true,
        exports: vec![PARQUET],
        ..options(folder)
    };
    let labeler = Fake::new(plays());
    let factory: Factory = Box::new(|_| Ok(Box::new(labeler)));
    let engine = engine_with(folder, options).start(Some(factory)).unwrap();
    loop {
        match engine.events().recv_timeout(PATIENCE).unwrap() {
            Event::Idle => engine.send(Command::Stop),
            Event::Stopped(_) => break,
            Event::Broken(broken) => panic!("{broken:?}"),
            _ => {}
        }
    }
    drop(engine);
    let lines = lines_of(&std::fs::read(folder.join("out/labels.jsonl")).unwrap_or_default());
    let lines = lines.iter().map(|line| {
        let line: Value = serde_json::from_slice(line).unwrap();
        line["image_path"].as_str().unwrap().to_owned()
    });
    let parquet = std::fs::File::open(folder.join("out/labels.parquet")).unwrap();
    let rows = SerializedFileReader::new(parquet).unwrap().into_iter();
    let rows = rows.map(|row| row.unwrap().get_string(0).unwrap().clone());
    assert_eq!(rows.collect::<Vec<_>>(), lines.collect::<Vec<_>>());
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn png(name: &str) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let format = image::ImageFormat::Png;
    picture(name).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

/// The aspects that a change may affect.
fn allowed_aspects(change: &Change) -> BTreeSet<&'static str> {
    let names: &[&'static str] = match change {
        Change::Set { field, .. }
        | Change::Add { field, .. }
        | Change::Remove { field, .. }
        | Change::Rename { field, .. }
        | Change::Synonym { field, .. }
        | Change::TakeField { field, .. } => &[field.key(), DECISION],
        Change::Replace(_) | Change::UpdateName => TEXTS,
        Change::Canonicalize { .. } => WORDS,
        Change::Fix { .. } => ALL_LABELS,
        Change::TakeVersion { .. } => ALL_LABELS,
        Change::SetNote { .. } => &[NOTE],
        Change::Accept | Change::Reject { .. } | Change::Reopen => &[DECISION],
        Change::Commit => &[LINE, DECISION],
    };
    names.iter().copied().collect()
}

/// All aspects of a record that a step could change.
fn aspects(detail: &GroupDetail) -> BTreeMap<&'static str, Value> {
    let draft = detail.draft.as_ref().map(|draft| &draft.labels);
    let mut all = BTreeMap::new();
    for field in Field::ALL {
        let values = draft.map(|labels| labels.values(*field));
        all.insert(field.key(), json!(values));
    }
    let review = &detail.current.review;
    all.insert(DECISION, json!(review.decision));
    all.insert(NOTE, json!(review.note));
    all.insert(LINE, json!(detail.committed));
    all
}

fn drafts(details: &BTreeMap<GroupId, GroupDetail>) -> BTreeMap<GroupId, Option<i64>> {
    let drafts = details.iter();
    drafts
        .map(|(id, of)| (*id, of.current.review.draft))
        .collect()
}

fn description(detail: &GroupDetail) -> String {
    let all = json!(aspects(detail));
    format!("{} {:?} {all}", detail.summary.image_path, detail.current)
}

fn differing(was: &GroupDetail, is: &GroupDetail) -> BTreeSet<&'static str> {
    let (was, is) = (aspects(was), aspects(is));
    was.into_iter()
        .filter(|(aspect, value)| is[aspect] != *value)
        .map(|(aspect, _)| aspect)
        .collect()
}

/// Whether the draft is committed, edited or decided.
fn is_protected(detail: &GroupDetail) -> bool {
    let review = &detail.current.review;
    detail.draft.is_some()
        && (review.edited || review.decision != Decision::Open || review.is_committed())
}

fn text_of(labels: &Labels) -> (String, Vec<String>) {
    (
        labels.label_ko().to_owned(),
        labels.values(Field::TagsKo).to_vec(),
    )
}

impl Scenario {
    fn new() -> Self {
        let mut scenario = Self {
            folder: tempfile::tempdir().unwrap(),
            operator: None,
            pictures: BTreeMap::new(),
            ids: BTreeSet::new(),
            written: Vec::new(),
            foreign: None,
            is_thinned: false,
            copy: Vec::new(),
            has_moved: false,
            exported: BTreeSet::new(),
            recommitted: BTreeSet::new(),
            undo: Vec::new(),
            redo: Vec::new(),
            count: 0,
        };
        std::fs::create_dir(scenario.out("")).unwrap();
        for name in NAMES {
            scenario.place(format!("{name}.png"), png(name));
        }
        for at in [3, 4] {
            scenario.write(LineForm::Plain, at, false);
        }
        scenario.copy = scenario.read("labels.jsonl");
        scenario.open();
        scenario.check();
        scenario
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.out(name)).unwrap_or_default()
    }

    fn place(&mut self, name: String, bytes: Vec<u8>) {
        std::fs::write(self.folder.path().join(&name), &bytes).unwrap();
        self.pictures.insert(name, bytes);
    }

    fn name(&self, at: usize) -> String {
        let mut names = self.pictures.keys();
        names.nth(at % self.pictures.len()).unwrap().clone()
    }

    /// Hashes of the pictures in the source.
    fn present(&self) -> BTreeSet<String> {
        self.pictures.values().map(|bytes| sha256(bytes)).collect()
    }

    fn open(&mut self) {
        self.mark_lines_seen();
        self.operator = Some(Operator::start(self.folder.path(), plays()));
    }

    /// Marks all lines as read and returns the hashes of the pictures of new lines.
    fn mark_lines_seen(&mut self) -> Vec<String> {
        let new = self.written.iter_mut().filter(|line| !line.seen);
        new.map(|line| {
            line.seen = true;
            line.sha256.clone()
        })
        .collect()
    }

    fn details(&mut self) -> BTreeMap<GroupId, GroupDetail> {
        let operator = self.operator.as_mut().unwrap();
        let groups = operator.app.session().records.groups();
        self.ids.extend(groups.ids_where(|_| true));
        let ids: Vec<GroupId> = self.ids.iter().copied().collect();
        let details = operator.details(&ids).into_iter();
        details.map(|detail| (detail.summary.id, detail)).collect()
    }

    fn check(&mut self) {
        self.check_sources();
        self.check_truth();
        if self.operator.is_some() {
            let details = self.details();
            self.check_lines(&details);
            let texts: BTreeSet<(String, Vec<String>)> = details
                .values()
                .flat_map(|detail| &detail.versions)
                .map(|version| text_of(&version.text.labels))
                .collect();
            for text in &self.exported {
                assert!(texts.contains(text), "no longer reachable: {text:?}");
            }
        }
    }
}

fn form() -> impl Strategy<Value = LineForm> {
    prop::sample::select(vec![
        LineForm::Plain,
        LineForm::Hashed,
        LineForm::ByteOrderMark,
        LineForm::NotANumber,
        LineForm::Cut,
        LineForm::Cp949,
        LineForm::UnknownKeys,
        LineForm::WrongTypes,
        LineForm::Doubled,
        LineForm::NoPath,
        LineForm::InPlace,
    ])
}

fn outside() -> impl Strategy<Value = Outside> {
    let at = || 0usize..8;
    prop_oneof![
        2 => (at(), at()).prop_map(|(at, to)| Outside::Rename(at, to)),
        2 => (at(), at()).prop_map(|(one, other)| Outside::Swap(one, other)),
        1 => at().prop_map(Outside::Replace),
        1 => (at(), at()).prop_map(|(from, to)| Outside::CopyOver(from, to)),
        4 => (form(), at()).prop_map(|(form, at)| Outside::Write(form, at)),
        1 => at().prop_map(Outside::Remove),
        1 => Just(Outside::Restore),
        1 => Just(Outside::Batch),
    ]
}

fn test_event() -> impl Strategy<Value = TestEvent> {
    prop_oneof![
        12 => (0..ACTIONS.len(), 0usize..5).prop_map(|(action, item)| TestEvent::Act(action, item)),
        2 => Just(TestEvent::Undo),
        1 => Just(TestEvent::Redo),
        1 => (form(), 0usize..8).prop_map(|(form, at)| TestEvent::WriteWhileOpen(form, at)),
        3 => prop::collection::vec(outside(), 0..4).prop_map(TestEvent::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::with_cases(cases())
    })]

    #[test]
    fn nothing_unrelated_changes(
        test_events in prop::collection::vec(test_event(), 1..16)
    ) {
        let mut scenario = Scenario::new();
        for test_event in &test_events {
            scenario.apply(test_event);
        }
        scenario.reopen(&[]);
        scenario.check();
    }
}

/// `PROPTEST_CASES`, or a number that takes seconds.
fn cases() -> u32 {
    let requested = std::env::var("PROPTEST_CASES").ok();
    requested.and_then(|text| text.parse().ok()).unwrap_or(16)
}
