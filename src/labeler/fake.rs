//! A fake model for tests: it answers or fails as a JSON file specifies. Requires the feature
//! `fake-model`, which no release enables.

use super::{Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, TokenInfo};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::record::{FailureDetail, Timings, TokenCounts};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// A response to one request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FakeAction {
    /// Answer with this text; any other value is serialized as JSON.
    Say(serde_json::Value),
    /// Like `Say`, but truncated by `--max-new-tokens`.
    Truncate(serde_json::Value),
    /// Refuse this request.
    Fail(String),
    /// Panic.
    Panic(String),
    /// Return an error from the labeler.
    Break(String),
    /// Do not answer until the run is canceled.
    Hold,
    /// Never answer and ignore cancellation.
    Hang,
    /// Abort the process.
    Die,
}

/// The responses to each item, in the order of its requests; the last one repeats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeActions {
    /// Requests in flight.
    #[serde(default = "one")]
    pub slots: usize,
    /// By a substring of the user text, such as the item's name.
    #[serde(default)]
    pub answers: BTreeMap<String, Vec<FakeAction>>,
    /// For requests that contain no key.
    #[serde(default)]
    pub otherwise: Vec<FakeAction>,
}

fn one() -> usize {
    1
}

/// Prefix in `--model fake:FILE`.
const PREFIX: &str = "fake:";

/// Whether `--model` names a fake model.
pub fn is_named(model: &str) -> bool {
    model.starts_with(PREFIX)
}

#[derive(Debug)]
pub struct Fake {
    actions: FakeActions,
    /// Number of requests for each key.
    requests: HashMap<String, usize>,
}

impl Fake {
    pub fn new(actions: FakeActions) -> Self {
        Self {
            actions,
            requests: HashMap::new(),
        }
    }

    /// Loads the actions from the file in `fake:FILE`.
    pub fn load(model: &str) -> Result<Self> {
        let path = model.strip_prefix(PREFIX).unwrap_or(model);
        let action = format!("reading the fake model {path}");
        let text = std::fs::read_to_string(path).context(ErrorKind::Usage, &action)?;
        let actions = serde_json::from_str(&text).context(ErrorKind::Usage, action)?;
        Ok(Self::new(actions))
    }

    fn action(&mut self, request: &LabelRequest) -> FakeAction {
        let keys = self.actions.answers.iter();
        let found = keys
            .filter(|(key, _)| request.chat.user.contains(key.as_str()))
            .max_by_key(|(key, _)| key.len());
        let (key, actions) = match found {
            Some((key, actions)) => (key.clone(), actions),
            None => (String::new(), &self.actions.otherwise),
        };
        let requests = self.requests.entry(key).or_default();
        let action = actions.get(*requests).or(actions.last()).cloned();
        *requests += 1;
        action.unwrap_or_else(|| FakeAction::Fail("the fake model has no answer".to_owned()))
    }
}

impl Labeler for Fake {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: "fake".to_owned(),
            device: "none".to_owned(),
            detail: String::new(),
            slots: self.actions.slots,
            memory: None,
        }
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        loop {
            let mut in_flight = Vec::new();
            while in_flight.len() < self.actions.slots.max(1) {
                match jobs.pull(in_flight.is_empty()) {
                    Pull::Request(request) => in_flight.push(*request),
                    Pull::Empty => break,
                    Pull::Closed if in_flight.is_empty() => return Ok(()),
                    Pull::Closed => break,
                    Pull::Cancelled => return Ok(()),
                }
            }
            for request in in_flight {
                let ticket = request.ticket;
                match self.action(&request) {
                    FakeAction::Say(value) => jobs.push(done(ticket, &value, false)),
                    FakeAction::Truncate(value) => jobs.push(done(ticket, &value, true)),
                    FakeAction::Fail(why) => jobs.push(LabelEvent::Failed {
                        ticket,
                        detail: FailureDetail::ModelFailed { why },
                    }),
                    #[allow(clippy::panic, reason = "a test requests it")]
                    FakeAction::Panic(why) => std::panic::panic_any(why),
                    FakeAction::Break(why) => return Err(Error::new(ErrorKind::Model, why)),
                    FakeAction::Hold => {
                        while !jobs.cancelled() {
                            std::thread::park_timeout(Duration::from_millis(2));
                        }
                        return Ok(());
                    }
                    FakeAction::Hang => loop {
                        std::thread::park();
                    },
                    FakeAction::Die => std::process::abort(),
                }
            }
        }
    }
}

fn done(ticket: u64, value: &serde_json::Value, truncated: bool) -> LabelEvent {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let tokens: Vec<TokenInfo> = text
        .bytes()
        .map(|byte| TokenInfo {
            bytes: vec![byte],
            logprob: None,
            forced: false,
        })
        .collect();
    let counts = TokenCounts {
        generated: tokens.len(),
        ..TokenCounts::default()
    };
    let answer = Answer {
        text,
        tokens,
        truncated,
        timings: Timings::default(),
        counts,
    };
    LabelEvent::Done {
        ticket,
        answer: Box::new(answer),
    }
}
