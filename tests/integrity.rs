//! Nothing changes that nobody asked to change: any sequence of an operator's actions, new answers,
//! undo, restarts, lines written by hand and pictures that move leaves everything else as it was.

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
use encoding_rs::EUC_KR;
use engine::{engine_with, options};
use labeler_tui::engine::{Command, Event, Step};
use labeler_tui::labeler::Factory;
use labeler_tui::labeler::fake::{Fake, Plays};
use labeler_tui::record::{Change, Decision, Field, GroupDetail, GroupId, Labels};
use labeler_tui::settings::EngineOptions;
use operator::Operator;
use parquet::file::reader::SerializedFileReader;
use parquet::record::RowAccessor as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Icons of the source; an earlier program has written lines of the last two.
const NAMES: [&str; 5] = [
    "가죽 모자",
    "나무 망토",
    "다홍 신발",
    "마법 반지",
    "바람 귀걸이",
];
/// Names that pictures are renamed to.
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

/// What operators do, and what each may change of the records that it is about. A `~` is about one
/// record.
const DEEDS: &[(&str, &[&str])] = &[
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

/// What happens while the workstation is closed.
#[derive(Debug, Clone)]
enum Outside {
    Rename(usize, usize),
    Swap(usize, usize),
    /// Another picture is put in the place of one, under its name.
    Replace(usize),
    CopyOver(usize, usize),
    Write(Odd, usize),
    /// A line of `labels.jsonl` is removed.
    Remove(usize),
    /// A copy of an earlier `labels.jsonl` is put back.
    PutBack,
    /// A `--batch` run labels, commits and exports what is there.
    Batch,
}

/// A line as other programs, editors and accidents leave it.
#[derive(Debug, Clone, Copy)]
enum Odd {
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
    /// The line that stands there is replaced.
    InPlace,
}

#[derive(Debug, Clone)]
enum Happening {
    Does(usize, usize),
    Undoes,
    Redoes,
    /// Somebody writes into `labels.jsonl` while the workstation is open.
    Meanwhile(Odd, usize),
    /// The workstation is left and opened again, with this in between.
    Returns(Vec<Outside>),
}

/// A line that somebody else has put into `labels.jsonl`.
#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    /// How it is exported, before and behind the value of its path; unless it cannot be read.
    form: Option<(String, String)>,
    /// No other line holds this text.
    mark: String,
    path: String,
    /// Of the picture that it speaks of.
    sha256: String,
    /// The program has read it.
    seen: bool,
}

/// What may change of each record.
type Named = BTreeMap<GroupId, BTreeSet<&'static str>>;

/// A step that can be undone: what it named, and the versions that were the drafts around it.
#[derive(Debug, Clone)]
struct Done {
    named: Named,
    before: BTreeMap<GroupId, Option<i64>>,
    after: BTreeMap<GroupId, Option<i64>>,
}

struct World {
    operator: Option<Operator>,
    folder: tempfile::TempDir,
    /// The bytes of every picture by its file name.
    pictures: BTreeMap<String, Vec<u8>>,
    ids: BTreeSet<GroupId>,
    written: Vec<Written>,
    /// What somebody else left in `labels.jsonl`.
    foreign: Option<Vec<u8>>,
    /// And has removed lines from it.
    is_thinned: bool,
    /// A `labels.jsonl` of which the journal has seen every line, from before any picture moved:
    /// of a line without a hash nobody could tell which picture was at its path when it was copied.
    copy: Vec<u8>,
    has_moved: bool,
    /// Label and tags of every line that was ever exported.
    exported: BTreeSet<(String, Vec<String>)>,
    /// Groups whose line an operator's step may have changed.
    recommitted: BTreeSet<GroupId>,
    undo: Vec<Done>,
    redo: Vec<Done>,
    count: usize,
}

fn plays() -> Plays {
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

/// `--batch --resume --parquet` over the folder; its files of records then say the same.
fn run_batch(folder: &Path) {
    let options = EngineOptions {
        commit_automatically: true,
        parquet: true,
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

/// What the rules of the house say that a change is about.
fn named(change: &Change) -> BTreeSet<&'static str> {
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

/// All that a step could change of a record.
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

fn told(detail: &GroupDetail) -> String {
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

/// Whether the draft is more than an answer that nobody has looked at.
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

impl World {
    fn begins() -> Self {
        let mut world = Self {
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
        std::fs::create_dir(world.out("")).unwrap();
        for name in NAMES {
            world.place(format!("{name}.png"), png(name));
        }
        for at in [3, 4] {
            world.write(Odd::Plain, at, false);
        }
        world.copy = world.read("labels.jsonl");
        world.sits_down();
        world.check();
        world
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

    /// Hashes of the pictures that the source has now.
    fn present(&self) -> BTreeSet<String> {
        self.pictures.values().map(|bytes| sha256(bytes)).collect()
    }

    fn sits_down(&mut self) {
        self.meets_lines();
        self.operator = Some(Operator::sits_down(self.folder.path(), plays()));
    }

    /// The program is about to read `labels.jsonl`: the pictures of the lines that are new to it.
    fn meets_lines(&mut self) -> Vec<String> {
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

    fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Does(deed, item) => {
                let (keys, may) = DEEDS[deed % DEEDS.len()];
                self.does(keys, may, *item);
            }
            Happening::Undoes => self.goes_back("u"),
            Happening::Redoes => self.goes_back("U"),
            Happening::Meanwhile(odd, item) => self.write(*odd, *item, false),
            Happening::Returns(outside) => self.returns(outside),
        }
        self.check();
    }

    /// Does a deed and sees that it changes what it names, of the records that it names.
    fn does(&mut self, keys: &str, may: &[&'static str], item: usize) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.commands.clear();
        operator.steps.clear();
        operator.does(keys, item % NAMES.len());
        let commands = std::mem::take(&mut operator.commands);
        let steps = std::mem::take(&mut operator.steps);
        let may: BTreeSet<&str> = may.iter().copied().collect();
        let mut all = Named::new();
        let mut changes = Vec::new();
        for command in commands {
            let (groups, names) = match command {
                Command::Apply { groups, change } => {
                    let names = named(&change);
                    assert!(names.is_subset(&may), "{keys}: {change:?}");
                    changes.push((change, groups.clone()));
                    (groups, names)
                }
                Command::Retry { groups, .. } => {
                    let mut groups = groups;
                    groups.retain(|group| !is_protected(&before[group]));
                    let names = ALL_LABELS.iter().copied();
                    (groups, names.filter(|name| *name != DECISION).collect())
                }
                _ => continue,
            };
            assert!(
                !keys.starts_with('~') || groups.len() <= 1,
                "{keys}: {groups:?}"
            );
            for group in groups {
                all.entry(group).or_default().extend(names.iter().copied());
            }
        }
        let after = self.details();
        self.compare(keys, &before, &after, &all);
        for step in steps {
            let Step::Done(report) = step else {
                panic!("{step:?}");
            };
            let at = changes
                .iter()
                .position(|(change, _)| *change == report.change);
            let (change, groups) = changes.remove(at.unwrap());
            if report.records > 0 {
                let names = named(&change);
                let named = groups.into_iter().map(|group| (group, names.clone()));
                let named: Named = named.collect();
                self.note_lines(&named);
                self.undo.push(Done {
                    named,
                    before: drafts(&before),
                    after: drafts(&after),
                });
                self.redo.clear();
            }
        }
    }

    fn note_lines(&mut self, step: &Named) {
        let of_lines = step.iter().filter(|(_, names)| names.contains(LINE));
        self.recommitted.extend(of_lines.map(|(group, _)| *group));
    }

    fn goes_back(&mut self, key: &str) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.steps.clear();
        operator.types(key);
        let steps = std::mem::take(&mut operator.steps);
        let after = self.details();
        let step = match (steps.first(), key) {
            (None, _) => return self.compare(key, &before, &after, &Named::new()),
            (Some(_), "u") => self.undo.pop().unwrap(),
            (Some(_), _) => self.redo.pop().unwrap(),
        };
        self.note_lines(&step.named);
        let mut named = step.named.clone();
        for (group, names) in &mut named {
            // A decision is about a text, which comes back with it; without the step the newest
            // answer would have become the draft.
            let current = &after[group].current;
            let drafts = if key == "u" {
                &step.before
            } else {
                &step.after
            };
            let is_of_step = current.review.draft == drafts[group];
            let is_newest = current.review.draft == current.answer;
            if names.contains(DECISION) && (is_of_step || is_newest) {
                names.extend(ALL_LABELS);
            }
        }
        self.compare(key, &before, &after, &named);
        match key {
            "u" => self.redo.push(step),
            _ => self.undo.push(step),
        }
    }

    fn compare(
        &self,
        what: &str,
        before: &BTreeMap<GroupId, GroupDetail>,
        after: &BTreeMap<GroupId, GroupDetail>,
        may: &Named,
    ) {
        let nothing = BTreeSet::new();
        for (id, was) in before {
            let differing = differing(was, &after[id]);
            let may = may.get(id).unwrap_or(&nothing);
            assert!(
                differing.is_subset(may),
                "{what}: {differing:?} of {} changed, not only {may:?}\n{}\n{}",
                was.summary.name,
                told(was),
                told(&after[id])
            );
            assert!(
                after[id].versions.len() >= was.versions.len(),
                "{what}: a version is gone"
            );
            for (old, new) in was.versions.iter().zip(&after[id].versions) {
                assert_eq!(old.number, new.number, "{what}");
                assert_eq!(old.text.labels, new.text.labels, "{what}");
            }
        }
    }

    /// Leaves, lets happen what happens, and comes back.
    fn returns(&mut self, outside: &[Outside]) {
        let before = self.details();
        self.operator.take().unwrap().leaves();
        self.check();
        let labels = self.read("labels.jsonl");
        if !self.has_moved && self.foreign.as_ref() != Some(&labels) {
            self.copy = labels;
        }
        // A line without a hash speaks of the picture that was at its path; whoever moves that at
        // the same time makes it ambiguous.
        let mut moved = BTreeSet::new();
        let mut spoken_of: BTreeSet<String> = self.unread_yet();
        let (mut is_put_back, mut has_run) = (false, false);
        let mut by_hand = BTreeSet::new();
        for event in outside {
            match *event {
                Outside::Rename(at, to) => {
                    let (from, to) = (self.name(at), format!("{}.png", NEW_NAMES[to % 3]));
                    if self.pictures.contains_key(&to) || spoken_of.contains(&from) {
                        continue;
                    }
                    let bytes = self.pictures.remove(&from).unwrap();
                    std::fs::remove_file(self.folder.path().join(&from)).unwrap();
                    self.place(to.clone(), bytes);
                    moved.extend([from, to]);
                }
                Outside::Swap(one, other) => {
                    let (one, other) = (self.name(one), self.name(other));
                    if spoken_of.contains(&one) || spoken_of.contains(&other) {
                        continue;
                    }
                    let bytes = (self.pictures[&one].clone(), self.pictures[&other].clone());
                    self.place(one.clone(), bytes.1);
                    self.place(other.clone(), bytes.0);
                    moved.extend([one, other]);
                }
                Outside::Replace(at) => {
                    let name = self.name(at);
                    if spoken_of.contains(&name) {
                        continue;
                    }
                    self.count += 1;
                    let bytes = png(&format!("다른 것 {}", self.count));
                    self.place(name.clone(), bytes);
                    moved.insert(name);
                }
                Outside::CopyOver(from, to) => {
                    let (from, to) = (self.name(from), self.name(to));
                    if spoken_of.contains(&to) {
                        continue;
                    }
                    self.place(to.clone(), self.pictures[&from].clone());
                    moved.insert(to);
                }
                Outside::Write(odd, at) => {
                    let name = self.name(at);
                    let is_moved = moved.contains(&name);
                    self.write(odd, at, is_moved);
                    spoken_of.insert(name);
                }
                Outside::Remove(at) => {
                    let mut lines = lines_of(&self.read("labels.jsonl"));
                    if !lines.is_empty() {
                        let gone = lines.remove(at % lines.len());
                        self.leave(lines, &[gone]);
                    }
                }
                Outside::PutBack => {
                    let lines = lines_of(&self.copy);
                    let gone = lines_of(&self.read("labels.jsonl"));
                    self.leave(lines, &gone);
                    is_put_back = true;
                }
                Outside::Batch => {
                    by_hand.extend(self.meets_lines());
                    run_batch(self.folder.path());
                    has_run = true;
                }
            }
        }
        self.has_moved |= !moved.is_empty();
        by_hand.extend(self.meets_lines());
        self.sits_down();
        let after = self.details();
        let mut may = Named::new();
        for (id, was) in &before {
            let names = may.entry(*id).or_default();
            let hash = was.image_sha256.clone().unwrap_or_default();
            let is_by_hand = is_put_back || by_hand.contains(&hash);
            if was.draft.is_none() || is_by_hand && !is_protected(was) {
                names.extend(ALL_LABELS);
            }
            names.remove(DECISION);
            if is_by_hand && was.committed.is_none() {
                names.insert(LINE);
            }
            let is_open = was.draft.is_none() || was.current.uncommitted().is_some();
            if has_run && is_open {
                names.insert(LINE);
            }
        }
        self.compare(&format!("{outside:?}"), &before, &after, &may);
    }

    /// Pictures of lines that were written while the workstation was open.
    fn unread_yet(&self) -> BTreeSet<String> {
        let unread = self.written.iter().filter(|line| !line.seen);
        unread.map(|line| line.path.clone()).collect()
    }

    /// Somebody leaves these lines in `labels.jsonl`, without the ones that are `gone`.
    fn leave(&mut self, lines: Vec<Vec<u8>>, gone: &[Vec<u8>]) {
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        std::fs::write(self.out("labels.jsonl"), &bytes).unwrap();
        self.foreign = Some(bytes);
        self.is_thinned |= !gone.is_empty();
        // Nobody but their author has seen them.
        self.written
            .retain(|line| line.seen || !gone.contains(&line.bytes) || lines.contains(&line.bytes));
    }

    fn write(&mut self, odd: Odd, at: usize, is_moved: bool) {
        let path = self.name(at);
        let hash = sha256(&self.pictures[&path]);
        let mut lines = lines_of(&self.read("labels.jsonl"));
        let mut gone = Vec::new();
        if matches!(odd, Odd::InPlace) {
            let token = format!("\"{path}\"");
            let (other, own): (Vec<_>, Vec<_>) = lines
                .into_iter()
                .partition(|line| !String::from_utf8_lossy(line).contains(&token));
            (lines, gone) = (other, own);
        }
        let times = if matches!(odd, Odd::Doubled) { 2 } else { 1 };
        let mut written = Vec::new();
        for _ in 0..times {
            self.count += 1;
            let mark = format!("줄{}번", self.count);
            let name = path.trim_end_matches(".png");
            let tags = match odd {
                Odd::WrongTypes => "\"하나, 둘\"",
                _ => "[\"모자\",  \"빨간색\", \"천\", \"단정한\", \"장비\"]",
            };
            let more = match odd {
                Odd::NotANumber => "\"item_description\": NaN, ",
                Odd::UnknownKeys => "\"score\": 0.50, \"x\": {\"image_path\": 1}, ",
                Odd::WrongTypes => "\"attributes\": 7, \"label_en\": [1], ",
                _ => "\"attributes\": {\"colors\": [\"황금\"], \"material\": [\"외계\"]}, ",
            };
            let hashed = match is_moved || matches!(odd, Odd::Hashed) {
                true => format!("\"image_sha256\": \"{hash}\", "),
                false => String::new(),
            };
            let before = match odd {
                Odd::NoPath => "{\"path\": ".to_owned(),
                _ => "{ \"image_path\": ".to_owned(),
            };
            let behind = format!(
                ", {hashed}{more}\"source_type\": \"cash\", \"item_name\": \"{name}\", \
                 \"label_ko\": \"{mark} 단정한 {name}\", \"tags_ko\": {tags}}}"
            );
            let mut text = format!("{before}\"{path}\"{behind}");
            if matches!(odd, Odd::Cut) {
                text.truncate(text.len() - 3);
            }
            let bytes = match odd {
                Odd::ByteOrderMark => format!("\u{feff}{text}").into_bytes(),
                Odd::Cp949 => EUC_KR.encode(&text).0.into_owned(),
                _ => text.into_bytes(),
            };
            let is_readable = !matches!(odd, Odd::Cut | Odd::NoPath);
            let form = is_readable.then(|| (before, behind.replace("NaN", "null")));
            lines.push(bytes.clone());
            written.push(Written {
                bytes,
                form,
                mark,
                path: path.clone(),
                sha256: hash.clone(),
                seen: false,
            });
        }
        self.leave(lines, &gone);
        self.written.extend(written);
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
                assert!(texts.contains(text), "not reachable any more: {text:?}");
            }
        }
    }

    /// The source's folder holds what the test has put there, and nothing else.
    fn check_sources(&self) {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let files: BTreeMap<String, Vec<u8>> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("out"))
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(path).unwrap())
            })
            .collect();
        assert!(files == self.pictures, "a source was changed");
    }

    /// Every exported line is true of the file at its path, and no path stands twice.
    fn check_truth(&mut self) {
        let bytes = self.read("labels.jsonl");
        if self.foreign.as_ref() == Some(&bytes) {
            return;
        }
        self.is_thinned = false;
        let present = self.present();
        let mut paths = BTreeSet::new();
        for line in lines_of(&bytes) {
            let line: Value = serde_json::from_slice(&line).unwrap();
            let path = line["image_path"].as_str().unwrap();
            assert!(paths.insert(path.to_owned()), "{path} stands twice");
            let label = line["label_ko"].as_str().unwrap_or_default();
            let mut of: Vec<&str> = line["image_sha256"].as_str().into_iter().collect();
            let marked = self.written.iter();
            let marked = marked.filter(|written| label.contains(&written.mark));
            of.extend(marked.map(|written| written.sha256.as_str()));
            match self.pictures.get(path).map(|bytes| sha256(bytes)) {
                Some(hash) => assert!(of.iter().all(|of| *of == hash), "{line} is of {hash}"),
                // A picture that is merely missing keeps its line.
                None => assert!(
                    !of.iter().any(|of| present.contains(*of)),
                    "{line} has moved"
                ),
            }
            let tags = line["tags_ko"].as_array().cloned().unwrap_or_default();
            let tags = tags.iter().filter_map(Value::as_str).map(str::to_owned);
            self.exported.insert((label.to_owned(), tags.collect()));
        }
    }

    /// No line that somebody else has written is lost.
    fn check_lines(&self, details: &BTreeMap<GroupId, GroupDetail>) {
        let labels = self.read("labels.jsonl");
        if self.is_thinned && self.foreign.as_ref() == Some(&labels) {
            // The next export brings them back.
            return;
        }
        let exported = lines_of(&labels);
        let mut kept = lines_of(&self.read("labels_kept.jsonl"));
        kept.extend(lines_of(&self.read("labels_unread.jsonl")));
        for written in &self.written {
            let is_form = |line: &Vec<u8>| {
                let (Some((before, behind)), Ok(line)) = (&written.form, std::str::from_utf8(line))
                else {
                    return false;
                };
                let path = line.strip_prefix(before.as_str());
                let path = path.and_then(|rest| rest.strip_suffix(behind.as_str()));
                path.is_some_and(|path| serde_json::from_str::<String>(path).is_ok())
            };
            let stands = exported.contains(&written.bytes)
                || exported.iter().any(is_form)
                || kept.contains(&written.bytes)
                || kept.iter().any(is_form);
            let is_version = |(id, detail): (&GroupId, &GroupDetail)| {
                let mut versions = detail.versions.iter();
                self.recommitted.contains(id)
                    && versions
                        .any(|version| version.text.labels.label_ko().contains(&written.mark))
            };
            assert!(
                stands || details.iter().any(is_version),
                "lost: {}",
                String::from_utf8_lossy(&written.bytes)
            );
        }
    }
}

fn odd() -> impl Strategy<Value = Odd> {
    prop::sample::select(vec![
        Odd::Plain,
        Odd::Hashed,
        Odd::ByteOrderMark,
        Odd::NotANumber,
        Odd::Cut,
        Odd::Cp949,
        Odd::UnknownKeys,
        Odd::WrongTypes,
        Odd::Doubled,
        Odd::NoPath,
        Odd::InPlace,
    ])
}

fn outside() -> impl Strategy<Value = Outside> {
    let at = || 0usize..8;
    prop_oneof![
        2 => (at(), at()).prop_map(|(at, to)| Outside::Rename(at, to)),
        2 => (at(), at()).prop_map(|(one, other)| Outside::Swap(one, other)),
        1 => at().prop_map(Outside::Replace),
        1 => (at(), at()).prop_map(|(from, to)| Outside::CopyOver(from, to)),
        4 => (odd(), at()).prop_map(|(odd, at)| Outside::Write(odd, at)),
        1 => at().prop_map(Outside::Remove),
        1 => Just(Outside::PutBack),
        1 => Just(Outside::Batch),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => (0..DEEDS.len(), 0usize..5).prop_map(|(deed, item)| Happening::Does(deed, item)),
        2 => Just(Happening::Undoes),
        1 => Just(Happening::Redoes),
        1 => (odd(), 0usize..8).prop_map(|(odd, at)| Happening::Meanwhile(odd, at)),
        3 => prop::collection::vec(outside(), 0..4).prop_map(Happening::Returns),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::with_cases(cases())
    })]

    #[test]
    fn nothing_changes_that_nobody_asked_to_change(
        happenings in prop::collection::vec(happening(), 1..16)
    ) {
        let mut world = World::begins();
        for happening in &happenings {
            world.happens(happening);
        }
        world.returns(&[]);
        world.check();
    }
}

/// `PROPTEST_CASES`, or as many as take seconds.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(16)
}
