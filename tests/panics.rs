//! An unexpected panic in any of the engine's threads ends everything that depends on the thread
//! within seconds, and its cause is reported.

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

use labeler_tui::engine::{Command, Event};
use labeler_tui::labeler::Factory;
use labeler_tui::labeler::fake::{Fake, FakeActions};
use labeler_tui::record::{Change, Field};
use serde_json::json;
use sources::Sources;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// An engine that lost a thread must report it within this time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Name of the thread that panics as soon as it logs something.
static THREAD: Mutex<&str> = Mutex::new("");

/// A log subscriber that panics on one thread.
struct BrokenLog;

impl Subscriber for BrokenLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("labeler_tui")
    }

    fn event(&self, _: &tracing::Event<'_>) {
        let thread = *THREAD.lock().unwrap_or_else(PoisonError::into_inner);
        if std::thread::current().name() == Some(thread) {
            panic!("the log is broken");
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Labels a good icon and a broken one, which has an imported record, while `thread` panics. Returns
/// the event that reports the panic.
fn report_of_panic(thread: &'static str) -> Event {
    *THREAD.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    let folder = tempfile::tempdir().unwrap();
    let icon = image::RgbaImage::from_pixel(20, 20, image::Rgba([210, 30, 35, 255]));
    icon.save(folder.path().join("좋은 모자.png")).unwrap();
    fs::write(folder.path().join("깨진 모자.png"), "no picture").unwrap();
    let earlier = json!({
        "image_path": "깨진 모자.png", "source_type": "cash", "item_name": "깨진 모자",
        "label_ko": "천으로 지은 단정한 깨진 모자", "tags_ko": ["모자", "천", "장비"],
        "attributes": {"colors": ["red"], "item_type_guess": "hat"},
        "query_variants_ko": ["모자", "천 모자", "단정한 모자"],
    });
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(
        folder.path().join("out/labels.jsonl"),
        format!("{earlier}\n"),
    )
    .unwrap();
    let _unchanged = Sources::watch(folder.path());
    let plays: FakeActions = serde_json::from_value(json!({
        "otherwise": [{"break": "out of memory"}],
    }))
    .unwrap();
    let labeler: Factory = Box::new(|_| Ok(Box::new(Fake::new(plays))));
    let engine = engine::engine(folder.path()).start(Some(labeler)).unwrap();
    let events = engine.events();
    loop {
        let event = events.recv_timeout(TIMEOUT).unwrap();
        match event {
            Event::ModelFailed(_) | Event::Broken(_) => return event,
            Event::Idle => panic!("the {thread} thread did not panic"),
            _ => {}
        }
    }
}

#[test]
fn a_panic_of_any_thread_is_reported_with_its_cause() {
    tracing::subscriber::set_global_default(BrokenLog).unwrap();
    for (thread, name) in [
        ("source", "source"),
        ("reading", "reading the source"),
        ("hashing", "hashing an image"),
        ("examining", "examining the records"),
        ("preprocess", "preprocess"),
        ("engine", "engine"),
    ] {
        let Event::Broken(broken) = report_of_panic(thread) else {
            panic!("the run continued");
        };
        let cause = format!("{name} panicked: the log is broken");
        assert_eq!(broken.error.cause, cause);
    }
    // Review continues without a model.
    let Event::ModelFailed(error) = report_of_panic("model") else {
        panic!("the run ended");
    };
    assert_eq!(error.cause, "model panicked: the log is broken");
    exports_survive_a_panic();
}

/// A large export is prepared on a thread. If that panics, the engine prepares it itself.
fn exports_survive_a_panic() {
    *THREAD.lock().unwrap_or_else(PoisonError::into_inner) = "export";
    let folder = tempfile::tempdir().unwrap();
    let icon = image::RgbaImage::from_pixel(20, 20, image::Rgba([210, 30, 35, 255]));
    icon.save(folder.path().join("모자.png")).unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let earlier = json!({
        "image_path": "모자.png", "source_type": "cash", "item_name": "모자",
        "item_description": "붉".repeat(300_000),
        "label_ko": "천으로 지은 붉은 모자", "tags_ko": ["모자"],
        "attributes": {"colors": ["red"], "item_type_guess": "hat"},
        "query_variants_ko": ["모자", "천 모자", "단정한 모자"],
    });
    let labels = folder.path().join("out/labels.jsonl");
    fs::write(&labels, format!("{earlier}\n")).unwrap();
    let engine = engine::engine(folder.path()).start(None).unwrap();
    let events = engine.events();
    let mut group = None;
    loop {
        match events.recv_timeout(TIMEOUT).unwrap() {
            Event::Groups(groups) => group = groups.first().map(|group| group.id),
            Event::Idle => break,
            _ => {}
        }
    }
    let groups = vec![group.unwrap()];
    let values = vec!["단정한 모자".to_owned()];
    let set = Change::Set {
        field: Field::LabelKo,
        values,
    };
    for change in [set, Change::Commit] {
        let groups = groups.clone();
        engine.send(Command::Apply { groups, change });
    }
    // Large exports are written a few seconds apart.
    let deadline = std::time::Instant::now() + 4 * TIMEOUT;
    while !fs::read_to_string(&labels)
        .unwrap()
        .contains("\"label_ko\":\"단정한 모자\"")
    {
        assert!(
            std::time::Instant::now() < deadline,
            "the export was never written"
        );
        // There is no event for exports.
        let _ = events.recv_timeout(Duration::from_millis(20));
    }
}
