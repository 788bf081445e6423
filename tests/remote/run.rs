//! Runs the labeler alone and collects its answers and notices.

use crate::KEY;
use crate::server::Server;
use labeler_tui::error::Error;
use labeler_tui::icon::Picture;
use labeler_tui::labeler::remote::{RemoteLabeler, RetryPolicy};
use labeler_tui::labeler::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, RemoteCounts, RemoteOptions,
    Secret,
};
use labeler_tui::prompt::Lang;
use labeler_tui::record::{Chat, GroupId, Vocabulary};
use labeler_tui::vlm::Sampling;
use labeler_tui::wording::Words;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Result of a run.
pub struct Run {
    /// Text of each answered item.
    pub texts: HashMap<u64, String>,
    /// Error of each failed item.
    pub failures: HashMap<u64, String>,
    pub notices: Vec<String>,
    pub events: Vec<LabelEvent>,
    pub counts: RemoteCounts,
    pub info: ModelInfo,
    pub max_in_flight: usize,
    /// The error that ended the run early.
    pub ended: Result<(), Error>,
}

impl Run {
    pub fn answer(&self, item: u64) -> &Answer {
        let mut answers = self.events.iter().filter_map(|event| match event {
            LabelEvent::Done { ticket, answer } if *ticket == item => Some(&**answer),
            _ => None,
        });
        answers.next().expect("an answer")
    }
}

/// Labels items 1 to `items` through one server.
pub fn label(server: &Server, items: u64) -> Run {
    label_with(options(&[&server.url]), quick(), items)
}

pub fn label_with(options: RemoteOptions, retry: RetryPolicy, items: u64) -> Run {
    watched(options, retry, items, |_| false)
}

/// Calls `watcher` for every event; returning `true` cancels the run.
pub fn watched(
    options: RemoteOptions,
    retry: RetryPolicy,
    items: u64,
    watcher: impl FnMut(&LabelEvent) -> bool,
) -> Run {
    let mut labeler = RemoteLabeler::new(options, retry).unwrap();
    let mut jobs = Items {
        waiting: (1..=items).map(request).collect(),
        events: Vec::new(),
        in_flight: 0,
        max_in_flight: 0,
        cancelled: false,
        watcher,
    };
    let ended = labeler.run(&mut jobs);
    let (mut texts, mut failures, mut notices) = (HashMap::new(), HashMap::new(), vec![]);
    let mut counts = RemoteCounts::default();
    for event in &jobs.events {
        match event {
            LabelEvent::Done { ticket, answer } => {
                assert!(texts.insert(*ticket, answer.text.clone()).is_none());
            }
            LabelEvent::Failed { ticket, detail } => {
                assert!(failures.insert(*ticket, detail.to_string()).is_none());
            }
            LabelEvent::Notice(notice) => notices.push(Words::ENGLISH.server_notice(notice)),
            LabelEvent::Counts(now) => counts = *now,
            LabelEvent::ModelNotice(notice) => unreachable!("{notice:?}"),
            LabelEvent::Partial { .. } | LabelEvent::Changed(_) | LabelEvent::Waiting(_) => {}
        }
    }
    assert!(
        !format!("{:?}", jobs.events).contains(KEY),
        "the key was leaked"
    );
    Run {
        texts,
        failures,
        notices,
        events: jobs.events,
        counts,
        info: labeler.info(),
        max_in_flight: jobs.max_in_flight,
        ended,
    }
}

struct Items<W> {
    waiting: VecDeque<LabelRequest>,
    events: Vec<LabelEvent>,
    in_flight: usize,
    max_in_flight: usize,
    cancelled: bool,
    watcher: W,
}

impl<W: FnMut(&LabelEvent) -> bool> Jobs for Items<W> {
    fn pull(&mut self, _wait: bool) -> Pull {
        match self.waiting.pop_front() {
            Some(request) => {
                self.in_flight += 1;
                self.max_in_flight = self.max_in_flight.max(self.in_flight);
                Pull::Request(Box::new(request))
            }
            None => Pull::Closed,
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled
    }

    fn push(&mut self, event: LabelEvent) {
        if matches!(event, LabelEvent::Done { .. } | LabelEvent::Failed { .. }) {
            self.in_flight -= 1;
        }
        self.cancelled |= (self.watcher)(&event);
        self.events.push(event);
    }
}

fn request(ticket: u64) -> LabelRequest {
    LabelRequest {
        ticket,
        group: GroupId(ticket as i64),
        chat: Chat {
            system: Some("Label the icon.".into()),
            user: format!("모자 {ticket}"),
            images: 1,
        },
        picture: Some(Arc::new(Picture {
            width: 2,
            height: 1,
            rgb: vec![255, 0, 0, 0, 0, 255],
        })),
        schema: schema(),
        max_new_tokens: 300,
        sampling: Sampling::GREEDY,
        keep_prompt: false,
        urgent: false,
    }
}

/// The schema of a record, the same for every item.
fn schema() -> Arc<Value> {
    static SCHEMA: OnceLock<Arc<Value>> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let vocabulary = Vocabulary::builtin().unwrap();
        Arc::new(labeler_tui::prompt::schema(
            labeler_tui::record::AnswerForm::Record,
            &vocabulary,
            Lang::Ko,
            None,
            None,
            false,
        ))
    });
    Arc::clone(schema)
}

/// A retry policy with a short read timeout.
pub fn hasty() -> RetryPolicy {
    RetryPolicy {
        read_timeout: Duration::from_millis(150),
        tries: 50,
        ..quick()
    }
}

pub fn options(urls: &[&str]) -> RemoteOptions {
    RemoteOptions {
        endpoints: urls.iter().map(|url| url.to_string()).collect(),
        model: "qwen".into(),
        concurrency: 8,
        api_key: Some(Secret::new(KEY.into())),
        offline: false,
        wait: false,
    }
}

/// Gives up a server without a usable answer soon.
pub fn without_patience() -> RetryPolicy {
    RetryPolicy {
        patience: Duration::from_millis(100),
        ..quick()
    }
}

/// A retry policy with short delays, but timeouts that a busy machine does not reach.
pub fn quick() -> RetryPolicy {
    RetryPolicy {
        connect: Duration::from_secs(2),
        read_timeout: Duration::from_secs(60),
        request_timeout: Duration::from_secs(60),
        backoff: Duration::from_millis(2),
        max_backoff: Duration::from_millis(10),
        tries: 4,
        max_rate_limited: 6,
        patience: Duration::from_secs(60),
        body_time: Duration::from_secs(60),
        per_token: Duration::ZERO,
    }
}
