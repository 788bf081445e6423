//! What the engine and a labeler give each other: requests one way, answers and news the other.

use super::report::{ModelInfo, ModelNotice, OnLoad, RemoteCounts, ServerNotice};
use crate::error::{Error, Result};
use crate::icon::Picture;
use crate::prompt::Chat;
use crate::record::{GroupId, Timings, TokenCounts};
use crate::vlm::Sampling;
use std::sync::Arc;

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
    pub sampling: Sampling,
    /// More answers to the same prompt may be asked for once this one is there.
    pub keep_prompt: bool,
    /// A person waits for the answer.
    pub urgent: bool,
}

/// A token of an answer, in order; the texts joined are the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInfo {
    /// Bytes of the answer that this token stands for (a character may be split over tokens).
    pub bytes: Vec<u8>,
    /// Natural log of the probability, here among the tokens that the grammar allowed, from a server
    /// among those that it counts; `None` if it is unknown.
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
        tokens: usize,
    },
    Done {
        ticket: u64,
        answer: Box<Answer>,
    },
    /// About a server, not about a job: for example that it does not answer.
    Notice(ServerNotice),
    /// About the model in this process, not about a job.
    ModelNotice(ModelNotice),
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
    /// The next job that a person waits for, if there are few of them: for a labeler that has no
    /// room for others.
    fn pull_urgent(&mut self) -> Option<Box<LabelRequest>> {
        None
    }
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
