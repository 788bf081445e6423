//! A run of the labeler alone: jobs in, answers and notices out.

use crate::KEY;
use crate::server::Server;
use labeler_tui::error::Error;
use labeler_tui::icon::Picture;
use labeler_tui::labeler::remote::{Patience, RemoteLabeler};
use labeler_tui::labeler::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, RemoteCounts,
};
use labeler_tui::prompt::Chat;
use labeler_tui::record::{GroupId, Vocabulary};
use labeler_tui::settings::{Lang, RemoteOptions, Secret};
use labeler_tui::vlm::Sampling;
use labeler_tui::wording::Words;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What a run came to.
pub struct Run {
    /// By item, the text that came back.
    pub texts: HashMap<u64, String>,
    /// By item, why there is none.
    pub failures: HashMap<u64, String>,
    pub notices: Vec<String>,
    pub events: Vec<LabelEvent>,
    pub counts: RemoteCounts,
    pub info: ModelInfo,
    pub most_in_hand: usize,
    /// Why the run has ended before all items had.
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

/// Items 1 to `items` through one server.
pub fn label(server: &Server, items: u64) -> Run {
    label_with(options(&[&server.url]), quick(), items)
}

pub fn label_with(options: RemoteOptions, patience: Patience, items: u64) -> Run {
    watched(options, patience, items, |_| false)
}

/// The same with somebody who sees every event and cancels the run by saying true.
pub fn watched(
    options: RemoteOptions,
    patience: Patience,
    items: u64,
    watcher: impl FnMut(&LabelEvent) -> bool,
) -> Run {
    let mut labeler = RemoteLabeler::new(options, patience).unwrap();
    let mut jobs = Items {
        waiting: (1..=items).map(request).collect(),
        events: Vec::new(),
        in_hand: 0,
        most_in_hand: 0,
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
            LabelEvent::Failed { ticket, error } => {
                assert!(failures.insert(*ticket, error.cause.clone()).is_none());
            }
            LabelEvent::Notice(notice) => notices.push(Words::ENGLISH.server_notice(notice)),
            LabelEvent::Counts(now) => counts = *now,
            LabelEvent::ModelNotice(notice) => unreachable!("{notice:?}"),
            LabelEvent::Partial { .. } | LabelEvent::Changed(_) | LabelEvent::Waiting(_) => {}
        }
    }
    assert!(
        !format!("{:?}", jobs.events).contains(KEY),
        "the key got out"
    );
    Run {
        texts,
        failures,
        notices,
        events: jobs.events,
        counts,
        info: labeler.info(),
        most_in_hand: jobs.most_in_hand,
        ended,
    }
}

struct Items<W> {
    waiting: VecDeque<LabelRequest>,
    events: Vec<LabelEvent>,
    in_hand: usize,
    most_in_hand: usize,
    cancelled: bool,
    watcher: W,
}

impl<W: FnMut(&LabelEvent) -> bool> Jobs for Items<W> {
    fn pull(&mut self, _wait: bool) -> Pull {
        match self.waiting.pop_front() {
            Some(request) => {
                self.in_hand += 1;
                self.most_in_hand = self.most_in_hand.max(self.in_hand);
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
            self.in_hand -= 1;
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

/// Takes a server for dead that is silent for a moment.
pub fn hasty() -> Patience {
    Patience {
        silence: Duration::from_millis(150),
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

/// Repeats at once, but never takes a busy machine for a silent server.
pub fn quick() -> Patience {
    Patience {
        connect: Duration::from_secs(2),
        silence: Duration::from_secs(60),
        answer: Duration::from_secs(60),
        backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(10),
        tries: 4,
        queuing: 6,
    }
}
