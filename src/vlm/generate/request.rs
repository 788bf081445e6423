//! Requests to the generator and the events that answer them.

use super::sampling::{Constraint, Sampling};
use crate::error::{Error, ErrorKind};
use crate::record::{Timings, TokenCounts};
use crate::vlm::architecture::ImagePatches;
use std::sync::Arc;

/// A prompt and how to continue it.
pub struct GenerateRequest {
    /// Chosen by the caller and repeated in every event.
    pub ticket: u64,
    /// The start of the prompt, shared with other requests. May be empty; contains no image.
    pub prefix: Arc<[u32]>,
    /// The rest of the prompt, at least one token.
    pub tokens: Vec<u32>,
    /// One for each run of placeholders in `tokens`.
    pub images: Vec<ImagePatches>,
    pub max_new_tokens: usize,
    pub sampling: Sampling,
    /// Never generate an end token.
    pub ignore_eos: bool,
    pub constraint: Option<Box<dyn Constraint>>,
    /// Keep the prompt's KV cache for a while after the answer, for later requests with the same
    /// prompt.
    pub keep_prompt: bool,
    /// Pauses all other requests while this one is in flight. Needs no free slot.
    pub urgent: bool,
}

impl GenerateRequest {
    /// Upper bound of the tokens that are not shared.
    pub(crate) fn own_tokens(&self) -> usize {
        self.tokens.len() + self.max_new_tokens
    }
}

/// A token of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratedToken {
    pub id: u32,
    /// Natural log-probability among the tokens that the constraint allowed, or among all tokens
    /// without a constraint. `None` for a forced token, for which the model computed no logits.
    pub logprob: Option<f32>,
    pub forced: bool,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// An end token was generated or the constraint is complete.
    Stop,
    /// `max_new_tokens` were generated.
    Length,
}

/// Progress of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum GenerateEvent {
    Token {
        ticket: u64,
        token: GeneratedToken,
    },
    Done {
        ticket: u64,
        reason: FinishReason,
        /// The end token; it is not part of the answer.
        end: Option<GeneratedToken>,
        timings: Timings,
        counts: TokenCounts,
    },
    /// This request failed; others are not affected.
    Failed {
        ticket: u64,
        error: Error,
    },
}

pub(crate) fn model_error(error: &candle_core::Error) -> Error {
    Error::new(ErrorKind::Model, format!("the model failed: {error}"))
}
