//! Turns a prompt and an icon into text: the local model, or a server.

#[cfg(feature = "fake-model")]
pub mod fake;
pub mod grammar;
pub mod local;
pub mod remote;
mod report;

pub use report::{Loading, ModelInfo, OnLoad, RemoteCounts, ServerNotice};

use crate::error::{Error, Result};
use crate::icon::Picture;
use crate::prompt::Chat;
use crate::record::{GroupId, Timings, TokenCounts};
use crate::settings::LabelerOptions;
use std::sync::Arc;

const NICENESS: i32 = 10;

/// One job for a labeler.
#[derive(Debug, Clone)]
pub struct LabelRequest {
    /// Given by the engine, unique in a run; comes back in every [`LabelEvent`].
    pub ticket: u64,
    pub group: GroupId,
    pub chat: Chat,
    /// The icon as the model sees it before its own resize; `None` with `--no-image`.
    pub picture: Option<Arc<Picture>>,
    /// JSON Schema of the answer; key order, lengths and patterns bind.
    pub schema: Arc<serde_json::Value>,
    pub max_new_tokens: usize,
}

/// A token of an answer, in order; the texts joined are the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInfo {
    /// Bytes of the answer that this token stands for (a character may be split over tokens).
    pub bytes: Vec<u8>,
    /// Natural log of the probability among all tokens; `None` if it is unknown.
    pub logprob: Option<f32>,
    /// The grammar left no choice.
    pub forced: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub text: String,
    pub tokens: Vec<TokenInfo>,
    /// `max_new_tokens` was reached; if a grammar was enforced, `text` ends in its shortest
    /// completion.
    pub truncated: bool,
    pub timings: Timings,
    pub counts: TokenCounts,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LabelEvent {
    /// The text so far of a job in flight, for people to watch; sent now and then.
    Partial {
        ticket: u64,
        text: String,
    },
    Done {
        ticket: u64,
        answer: Box<Answer>,
    },
    /// About a server, not about a job: for example that it does not answer.
    Notice(ServerNotice),
    /// [`Labeler::info`] has changed: for example another way to send the schema.
    Changed(ModelInfo),
    Counts(RemoteCounts),
    /// Whether everything in flight waits for a server that does not answer.
    Waiting(bool),
    /// This job alone failed.
    Failed {
        ticket: u64,
        error: Error,
    },
}

/// The answer to a labeler that asks for work.
#[derive(Debug)]
pub enum Pull {
    Request(Box<LabelRequest>),
    /// Nothing now.
    Empty,
    /// Nothing ever again: finish what is in flight and return.
    Closed,
    /// Drop the jobs in flight and return.
    Cancelled,
}

/// The engine's side of a running labeler.
pub trait Jobs {
    /// The next job. With `wait` it blocks until there is one, or none will come.
    fn pull(&mut self, wait: bool) -> Pull;
    /// Whether to stop before the next piece of compute.
    fn cancelled(&self) -> bool;
    fn push(&mut self, event: LabelEvent);
}

/// Turns requests into answers until the jobs are closed. Runs on a thread of its own.
pub trait Labeler: Send {
    fn info(&self) -> ModelInfo;
    /// Pulls whenever it has room. An error ends the labeler; the jobs in flight are then failed
    /// or asked again by the engine.
    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()>;
}

/// Builds the labeler on the thread that will own it.
pub type Factory = Box<dyn FnOnce(&mut OnLoad) -> Result<Box<dyn Labeler>> + Send>;

/// `None` for review only.
pub fn factory(options: LabelerOptions) -> Option<Factory> {
    Some(match options {
        LabelerOptions::None => return None,
        #[cfg(feature = "fake-model")]
        LabelerOptions::Local(model) if fake::is_named(&model.model) => {
            Box::new(move |_| Ok(Box::new(fake::Fake::load(&model.model)?)))
        }
        LabelerOptions::Local(model) => {
            Box::new(|on_load| Ok(Box::new(local::Local::load(model, on_load)?)))
        }
        LabelerOptions::Remote(server) => Box::new(|_| {
            let server = remote::RemoteLabeler::new(server, remote::Patience::default())?;
            Ok(Box::new(server))
        }),
    })
}

/// Lowers the priority of the threads that compute below those that draw, for a program with a
/// screen: the shared pool, and the thread that builds the labeler with all that it starts. Call
/// it before any of them runs.
pub fn give_way(factory: Factory) -> Factory {
    let lower = || {
        // On Linux this is the thread's own niceness; if it cannot be set, all are equal.
        let _ = rustix::process::nice(NICENESS);
    };
    let pool = rayon::ThreadPoolBuilder::new().start_handler(move |_| lower());
    if let Err(error) = pool.build_global() {
        tracing::warn!(%error, "the model's threads keep their priority");
    }
    Box::new(move |on_load| {
        lower();
        factory(on_load)
    })
}
