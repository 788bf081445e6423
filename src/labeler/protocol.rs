//! The interface between the engine and a labeler: requests, answers and events.

use super::report::{ModelInfo, ModelNotice, OnLoad, RemoteCounts, ServerNotice};
use crate::error::Result;
use crate::icon::Picture;
use crate::record::{Chat, FailureDetail, GroupId, Timings, TokenCounts};
use crate::vlm::Sampling;
use std::sync::Arc;

/// A request to a labeler.
#[derive(Debug, Clone)]
pub struct LabelRequest {
    /// Assigned by the engine, unique in a run, and repeated in every [`LabelEvent`].
    pub ticket: u64,
    pub group: GroupId,
    pub chat: Chat,
    /// The icon as the model sees it before its own resize; `None` with `--no-image`.
    pub picture: Option<Arc<Picture>>,
    /// JSON Schema of the answer. Key order, lengths and patterns are binding.
    pub schema: Arc<serde_json::Value>,
    pub max_new_tokens: usize,
    pub sampling: Sampling,
    /// More requests with the same prompt may follow this one.
    pub keep_prompt: bool,
    /// A person is waiting for the answer.
    pub urgent: bool,
}

/// A token of an answer. The concatenated bytes of all tokens are the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInfo {
    /// Bytes of the token; a character may be split across tokens.
    pub bytes: Vec<u8>,
    /// Natural log of the probability; `None` if unknown. The local model normalizes over the tokens
    /// that the grammar allows, a server over those that it chooses.
    pub logprob: Option<f32>,
    /// The grammar allowed no other token.
    pub forced: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub text: String,
    pub tokens: Vec<TokenInfo>,
    /// `max_new_tokens` was reached. If a grammar was enforced, `text` ends with its shortest
    /// completion.
    pub truncated: bool,
    pub timings: Timings,
    pub counts: TokenCounts,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LabelEvent {
    /// Text generated so far; sent at intervals for display.
    Partial {
        ticket: u64,
        text: String,
        tokens: usize,
    },
    Done {
        ticket: u64,
        answer: Box<Answer>,
    },
    /// About a server, not about a request: for example, that it does not respond.
    Notice(ServerNotice),
    /// About the model in this process, not about a request.
    ModelNotice(ModelNotice),
    /// [`Labeler::info`] has changed: for example, how the schema is sent.
    Changed(ModelInfo),
    Counts(RemoteCounts),
    /// Whether all requests are waiting for servers that do not respond.
    Waiting(bool),
    /// This request failed; others are unaffected.
    Failed {
        ticket: u64,
        detail: FailureDetail,
    },
}

/// Maximum number of urgent requests that run in addition to those in flight.
pub const MAX_URGENT: usize = 4;

/// Result of pulling a request.
#[derive(Debug)]
pub enum Pull {
    Request(Box<LabelRequest>),
    /// No request is available now.
    Empty,
    /// No more requests will come: finish those in flight and return.
    Closed,
    /// Drop the requests in flight and return.
    Cancelled,
}

/// The engine's side of a running labeler.
pub trait Jobs {
    /// Takes the next request. With `wait` it blocks until there is one, or no more will come.
    fn pull(&mut self, wait: bool) -> Pull;
    /// Takes the next request that a person is waiting for, if there are few of them. Meant for a
    /// labeler without a free slot.
    fn pull_urgent(&mut self) -> Option<Box<LabelRequest>> {
        None
    }
    /// Whether the run was canceled. Check it before each step of computation.
    fn cancelled(&self) -> bool;
    fn push(&mut self, event: LabelEvent);
}

/// Answers requests until the jobs are closed. Runs on its own thread.
pub trait Labeler: Send {
    fn info(&self) -> ModelInfo;
    /// Pulls a request whenever a slot is free. An error ends the labeler; the engine then retries or
    /// fails the requests in flight.
    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()>;
}

/// Builds the labeler on the thread that will own it.
pub type Factory = Box<dyn FnOnce(&mut OnLoad) -> Result<Box<dyn Labeler>> + Send>;
