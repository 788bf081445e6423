//! A fake model for tests: it answers each item as a file says, and fails in the ways it names.
//! Only with the feature `fake-model`, which no release has.

use super::{Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, TokenInfo};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::record::{Timings, TokenCounts};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// One way to treat a request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Play {
    /// Answer with this text; anything but a string is written as JSON.
    Say(serde_json::Value),
    /// The same, as if `--max-new-tokens` had been reached.
    Truncate(serde_json::Value),
    /// Refuse this request.
    Fail(String),
    /// Panic with everything in flight.
    Panic(String),
    /// End the labeler with an error.
    Break(String),
    /// Give no answer until the run is cancelled.
    Hold,
    /// Give no answer and ignore cancelling, as in one endless step.
    Hang,
    /// End the process at once, as a crash does.
    Die,
}

/// The plays of each item, in the order of its requests; the last one repeats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plays {
    /// Requests in flight.
    #[serde(default = "one")]
    pub slots: usize,
    /// By a part of the request's user text, for example the item's name.
    #[serde(default)]
    pub answers: BTreeMap<String, Vec<Play>>,
    /// For requests that contain no key.
    #[serde(default)]
    pub otherwise: Vec<Play>,
}

fn one() -> usize {
    1
}

/// Begins the value of `--model fake:FILE`.
const PREFIX: &str = "fake:";

/// Whether `--model` names a fake model.
pub fn is_named(model: &str) -> bool {
    model.starts_with(PREFIX)
}

#[derive(Debug)]
pub struct Fake {
    plays: Plays,
    /// How often each key was asked for.
    asked: HashMap<String, usize>,
}

impl Fake {
    pub fn new(plays: Plays) -> Self {
        Self {
            plays,
            asked: HashMap::new(),
        }
    }

    /// Reads the plays from the file that `fake:FILE` names.
    pub fn load(model: &str) -> Result<Self> {
        let path = model.strip_prefix(PREFIX).unwrap_or(model);
        let doing = format!("reading the fake model {path}");
        let text = std::fs::read_to_string(path).context(ErrorKind::Usage, &doing)?;
        let plays = serde_json::from_str(&text).context(ErrorKind::Usage, doing)?;
        Ok(Self::new(plays))
    }

    fn play(&mut self, request: &LabelRequest) -> Play {
        let keys = self.plays.answers.iter();
        let found = keys
            .filter(|(key, _)| request.chat.user.contains(key.as_str()))
            .max_by_key(|(key, _)| key.len());
        let (key, plays) = match found {
            Some((key, plays)) => (key.clone(), plays),
            None => (String::new(), &self.plays.otherwise),
        };
        let asked = self.asked.entry(key).or_default();
        let play = plays.get(*asked).or(plays.last()).cloned();
        *asked += 1;
        play.unwrap_or_else(|| Play::Fail("the fake model has no answer".to_owned()))
    }
}

impl Labeler for Fake {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: "fake".to_owned(),
            device: "none".to_owned(),
            detail: String::new(),
            slots: self.plays.slots,
            memory: None,
        }
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        loop {
            let mut in_flight = Vec::new();
            while in_flight.len() < self.plays.slots.max(1) {
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
                match self.play(&request) {
                    Play::Say(value) => jobs.push(done(ticket, &value, false)),
                    Play::Truncate(value) => jobs.push(done(ticket, &value, true)),
                    Play::Fail(why) => jobs.push(LabelEvent::Failed {
                        ticket,
                        error: Error::new(ErrorKind::Model, why),
                    }),
                    #[allow(clippy::panic, reason = "the play says so")]
                    Play::Panic(why) => std::panic::panic_any(why),
                    Play::Break(why) => return Err(Error::new(ErrorKind::Model, why)),
                    Play::Hold => {
                        while !jobs.cancelled() {
                            std::thread::park_timeout(Duration::from_millis(2));
                        }
                        return Ok(());
                    }
                    Play::Hang => loop {
                        std::thread::park();
                    },
                    Play::Die => std::process::abort(),
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
