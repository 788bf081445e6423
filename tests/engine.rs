//! The engine as the workstation uses it: commands in, events out, without a model, with an imported
//! `labels.jsonl`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[path = "common/engine.rs"]
mod engine;
#[path = "common/sources.rs"]
mod sources;

use labeler_tui::engine::{Command, Event, Handle, Step, Warning};
use labeler_tui::record::{
    Change, Field, GroupId, GroupState, GroupSummary, LineEffects, Reason, Verdict, Vocabulary,
};
use labeler_tui::store::{Journal, replay, rescued_files};
use labeler_tui::wording::Words;
use serde_json::{Value, json};
use sources::Sources;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An engine without events for this long is stuck.
const TIMEOUT: Duration = Duration::from_secs(120);

fn imported_line(name: &str, color: &str, tags: usize) -> Value {
    let tags: Vec<String> = (0..tags).map(|n| format!("태그 {n}")).collect();
    json!({
        "image_path": format!("{name}.png"), "source_type": "cash", "item_name": name,
        "label_ko": format!("천으로 지은 단정한 {name}"), "tags_ko": tags,
        "attributes": {
            "colors": [color], "theme": ["fashion"], "material": ["fabric"], "vibe": ["cute"],
            "item_type_guess": "hat",
        },
        "query_variants_ko": ["모자", "천 모자", "단정한 모자"],
    })
}

/// A folder with red icons and a `labels.jsonl` to import.
fn workspace(lines: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (name, line) in lines {
        let icon = image::RgbaImage::from_fn(20, 20, |x, y| {
            let unique = (x, y) == (0, name.len() as u32 % 20);
            image::Rgba([if unique { 190 } else { 210 }, 30, 35, 255])
        });
        icon.save(folder.path().join(format!("{name}.png")))
            .unwrap();
        text.push_str(&format!("{line}\n"));
    }
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("out/labels.jsonl"), text).unwrap();
    folder
}

fn open(folder: &Path) -> Handle {
    engine::engine(folder).start(None).unwrap()
}

/// Receives events up to the first that `until` accepts, and keeps the newest summary of each group.
fn wait_for(
    engine: &Handle,
    groups: &mut BTreeMap<String, GroupSummary>,
    until: impl Fn(&Event) -> bool,
) -> Vec<Event> {
    let events = engine.events();
    let mut received = Vec::new();
    loop {
        let event = events.recv_timeout(TIMEOUT).unwrap();
        if let Event::Groups(new) = &event {
            for group in new {
                groups.insert(group.name.clone(), group.clone());
            }
        }
        let last = until(&event);
        received.push(event);
        if last {
            return received;
        }
    }
}

#[test]
fn images_of_imported_labels_are_checked() {
    let folder = workspace(&[
        ("가", imported_line("가", "파란색", 5)),
        ("나무", imported_line("나무", "빨간색", 5)),
    ]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    assert_eq!(
        groups["가"].reasons,
        [Reason::ColorMismatch, Reason::MainColorMissing]
    );
    assert_eq!(groups["나무"].reasons, []);
}

#[test]
fn a_record_whose_picture_was_replaced_is_not_committed() {
    let folder = workspace(&[
        ("가", imported_line("가", "빨간색", 5)),
        ("나무", imported_line("나무", "빨간색", 5)),
    ]);
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    let ids: Vec<GroupId> = groups.values().map(|group| group.id).collect();
    let apply = |groups: &[GroupId], change| {
        let groups = groups.to_vec();
        engine.send(Command::Apply { groups, change });
    };
    let change = Change::Add {
        field: Field::TagsKo,
        value: "새 태그".into(),
    };
    apply(&ids, change);
    image::RgbaImage::from_pixel(20, 20, image::Rgba([20, 30, 210, 255]))
        .save(folder.path().join("가.png"))
        .unwrap();
    let warned = |event: &Event| matches!(event, Event::Warning(_));
    let replaced = Event::Warning(Warning::PicturesReplaced(vec!["가".to_owned()]));
    apply(&ids, Change::Commit);
    let received = wait_for(&engine, &mut groups, warned);
    assert_eq!(received.last(), Some(&replaced));
    let states = ["가", "나무"].map(|name| groups[name].state);
    assert_eq!(states, [GroupState::Edited, GroupState::Committed]);
    // On its own, too, and if it is to be accepted.
    for change in [Change::Commit, Change::Accept] {
        apply(&[groups["가"].id], change);
        let received = wait_for(&engine, &mut groups, warned);
        assert_eq!(received.last(), Some(&replaced));
        assert_eq!(groups["가"].state, GroupState::Edited);
    }
    engine.send(Command::Stop);
    wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Stopped(_))
    });
    let labels = std::fs::read_to_string(folder.path().join("out/labels.jsonl")).unwrap();
    let lines: Vec<&str> = labels.lines().collect();
    assert!(!lines[0].contains("새 태그") && lines[1].contains("새 태그"));
}

#[test]
fn committed_records_are_sampled_and_judged() {
    let folder = workspace(&[("가", imported_line("가", "빨간색", 5))]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    engine.send(Command::DrawAudit(10));
    let drawn = |event: &Event| matches!(event, Event::AuditDrawn { .. });
    let received = wait_for(&engine, &mut groups, drawn);
    let Some(Event::AuditDrawn { seed, sample }) = received.last() else {
        panic!("{received:?}");
    };
    let [record] = &sample[..] else {
        panic!("{sample:?}");
    };
    assert_eq!(record.item.item_name, "가");
    assert_eq!(record.labels.label_ko(), "천으로 지은 단정한 가");
    engine.send(Command::Judge {
        seed: *seed,
        group: record.group,
        version: record.version,
        verdict: Some(Verdict::Wrong(Field::LabelKo)),
    });
    engine.send(Command::Audit);
    let received = wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Audited(_))
    });
    let Some(Event::Audited(Some(estimate))) = received.last() else {
        panic!("{received:?}");
    };
    assert_eq!((estimate.judged, estimate.wrong), (1, 1));
}

#[test]
fn a_verdict_that_could_not_be_saved_is_restored() {
    let folder = workspace(&[("가", imported_line("가", "빨간색", 5))]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    let out = folder.path().join("out");
    let tamper = |sql: &str| {
        let other = rusqlite::Connection::open(out.join("journal.sqlite")).unwrap();
        other.execute_batch(sql).unwrap();
    };
    tamper(
        "CREATE TRIGGER full BEFORE INSERT ON judgments BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    engine.send(Command::Judge {
        seed: 7,
        group: groups["가"].id,
        version: 1,
        verdict: Some(Verdict::Wrong(Field::LabelKo)),
    });
    wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Blocked(_))
    });
    engine.send(Command::Stop);
    let received = wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Broken(_))
    });
    let Some(Event::Broken(broken)) = received.last() else {
        panic!("{received:?}");
    };
    let cause = Words::ENGLISH.broken(broken).cause;
    assert!(cause.contains("not saved: judge a record"), "{cause}");
    drop(engine);
    tamper("DROP TRIGGER full");

    let vocabulary = Arc::new(Vocabulary::builtin().unwrap());
    let mut journal = Journal::lock(&out, vocabulary).unwrap();
    let [rescued] = &rescued_files(&journal).unwrap()[..] else {
        panic!("no rescued file");
    };
    assert_eq!(replay(&mut journal, rescued).unwrap().unsaved, 1);
    assert_eq!(journal.judgments(7).unwrap().len(), 1);
}

#[test]
fn a_step_without_effect_is_reported() {
    let folder = workspace(&[("가", imported_line("가", "빨간색", 5))]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    engine.send(Command::Apply {
        groups: vec![groups["가"].id],
        change: Change::Reopen,
    });
    let stepped = |event: &Event| matches!(event, Event::Stepped { .. });
    let received = wait_for(&engine, &mut groups, stepped);
    let Some(Event::Stepped {
        step: Some(Step::Done(report)),
        undo: None,
        redo: None,
        ..
    }) = received.last()
    else {
        panic!("{received:?}");
    };
    assert_eq!((report.records, report.untouched), (0, 1));
}

#[test]
fn effects_on_lines_are_reported_and_a_confirmed_line_stays() {
    let folder = workspace(&[
        ("가", imported_line("가", "파란색", 5)),
        ("나무", imported_line("나무", "빨간색", 5)),
    ]);
    let labels = folder.path().join("out/labels.jsonl");
    let earlier = std::fs::read_to_string(&labels).unwrap();
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    assert_eq!(groups["가"].state, GroupState::Uncertain);
    let ids = [groups["가"].id, groups["나무"].id];
    let edit = Change::Add {
        field: Field::TagsKo,
        value: "새 태그".into(),
    };
    let reject = Change::Reject {
        reason: "no".into(),
    };
    let lines = |confirmed, replaced, removed| LineEffects {
        confirmed,
        replaced,
        removed,
    };
    for (targets, change, expected) in [
        (&ids[..1], Change::Accept, lines(1, 0, 0)),
        (&ids[1..], edit, lines(0, 0, 0)),
        (&ids[1..], Change::Accept, lines(0, 1, 0)),
        (&ids[1..], reject, lines(0, 0, 1)),
    ] {
        engine.send(Command::Apply {
            groups: targets.to_vec(),
            change,
        });
        let stepped = |event: &Event| matches!(event, Event::Stepped { .. });
        let received = wait_for(&engine, &mut groups, stepped);
        let Some(Event::Stepped {
            step: Some(Step::Done(report)),
            ..
        }) = received.last()
        else {
            panic!("{received:?}");
        };
        assert_eq!(report.lines, expected);
    }
    assert_eq!(groups["가"].state, GroupState::Committed);
    engine.send(Command::Stop);
    wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Stopped(_))
    });
    assert_eq!(std::fs::read_to_string(&labels).unwrap(), earlier);
}

#[test]
fn records_that_refuse_a_step_are_reported() {
    let folder = workspace(&[
        ("가", imported_line("가", "빨간색", 15)),
        ("나무", imported_line("나무", "빨간색", 5)),
    ]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    engine.send(Command::Apply {
        groups: groups.values().map(|group| group.id).collect(),
        change: Change::Add {
            field: Field::TagsKo,
            value: "새 태그".into(),
        },
    });
    let stepped = |event: &Event| matches!(event, Event::Stepped { .. });
    let received = wait_for(&engine, &mut groups, stepped);
    let Some(Event::Stepped {
        step: Some(Step::Done(report)),
        undo,
        ..
    }) = received.last()
    else {
        panic!("{received:?}");
    };
    assert_eq!(report.fields, [(Field::TagsKo, 1)]);
    let refused = report.refused.as_ref();
    let refused = refused.map(|(records, why)| (*records, why.to_string()));
    assert_eq!(refused, Some((1, "tags can hold at most 15".to_owned())));
    let undo = undo.as_ref().map(|step| step.done.as_str());
    assert_eq!(undo, Some("add \"새 태그\" to tags_ko (1 record)"));
    assert_eq!(groups["가"].labels.values(Field::TagsKo).len(), 15);
    assert_eq!(groups["나무"].labels.values(Field::TagsKo).len(), 6);
}

#[test]
fn a_line_changed_by_hand_is_kept_aside_and_reported_after_the_commit() {
    let folder = workspace(&[
        ("가", imported_line("가", "빨간색", 5)),
        ("나무", imported_line("나무", "빨간색", 5)),
    ]);
    let _unchanged = Sources::watch(folder.path());
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| *event == Event::Idle);
    let labels = folder.path().join("out/labels.jsonl");
    let text = std::fs::read_to_string(&labels).unwrap();
    std::fs::write(&labels, text.replacen("단정한 가", "손으로 고친 가", 1)).unwrap();

    let group = groups["나무"].id;
    let change = Change::Add {
        field: Field::TagsKo,
        value: "새 태그".to_owned(),
    };
    for change in [change, Change::Commit] {
        let groups = vec![group];
        engine.send(Command::Apply { groups, change });
    }
    let kept = |event: &Event| {
        matches!(event, Event::Warning(warning @ Warning::Export(_))
            if Words::ENGLISH.warning(warning).contains("labels_kept.jsonl"))
    };
    let received = wait_for(&engine, &mut groups, kept);
    let commit = received.iter().any(|event| {
        matches!(event, Event::Stepped { step: Some(Step::Done(report)), .. }
            if report.change == Change::Commit)
    });
    assert!(commit, "the warning came before the step: {received:?}");
    let kept = std::fs::read_to_string(folder.path().join("out/labels_kept.jsonl")).unwrap();
    assert!(kept.contains("손으로 고친 가"), "{kept}");
}

/// Measures commits in a large journal:
/// `RECORDS=100000 cargo test --test engine -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn commits_among_many_records() {
    let records = std::env::var("RECORDS").map_or(20_000, |n| n.parse().unwrap());
    let folder = workspace(&[("가", imported_line("가", "red", 5))]);
    let line = |n| format!("{}\n", imported_line(&format!("모자 {n}"), "red", 5));
    let text: String = (0..records).map(line).collect();
    std::fs::write(folder.path().join("out/labels.jsonl"), text).unwrap();
    let engine = open(folder.path());
    let mut groups = BTreeMap::new();
    wait_for(&engine, &mut groups, |event| matches!(event, Event::Idle));
    let mut times = Vec::new();
    for n in 0..50 {
        let group = groups[&format!("모자 {}", n * records / 50)].id;
        let values = vec![format!("다른 말로 지은 단정한 모자 {n}")];
        let field = Field::LabelKo;
        engine.send(Command::Apply {
            groups: vec![group],
            change: Change::Set { field, values },
        });
        wait_for(&engine, &mut groups, |event| {
            matches!(event, Event::Stepped { .. })
        });
        let started = std::time::Instant::now();
        engine.send(Command::Apply {
            groups: vec![group],
            change: Change::Commit,
        });
        wait_for(&engine, &mut groups, |event| {
            matches!(event, Event::Stepped { .. })
        });
        times.push(started.elapsed());
    }
    times.sort();
    println!(
        "{records} records: median {:?}, longest {:?}",
        times[25], times[49]
    );
    let started = std::time::Instant::now();
    engine.send(Command::Stop);
    wait_for(&engine, &mut groups, |event| {
        matches!(event, Event::Stopped(_))
    });
    println!("stopped after {:?}", started.elapsed());
}
