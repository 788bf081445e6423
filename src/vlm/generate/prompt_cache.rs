//! Cache of recently answered prompts: another answer to the same prompt starts from a copy of its
//! keys and values and computes only the prompt's last token.

use super::request::{GenerateRequest, model_error};
use crate::error::Result;
use crate::vlm::architecture::ImagePatches;
use crate::vlm::model::Model;
use crate::vlm::nn::kv::pool::Pool;
use crate::vlm::nn::kv::sequence::Sequence;
use std::collections::VecDeque;
use std::sync::Arc;

/// Identifies a prompt, its shared prefix included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PromptKey {
    prefix: Arc<[u32]>,
    tokens: Vec<u32>,
    images: Vec<ImagePatches>,
}

impl PromptKey {
    /// `None` if the request does not ask to keep its prompt.
    pub fn of(request: &GenerateRequest) -> Option<Self> {
        request.keep_prompt.then(|| Self {
            prefix: Arc::clone(&request.prefix),
            tokens: request.tokens.clone(),
            images: request.images.clone(),
        })
    }

    fn matches(&self, request: &GenerateRequest) -> bool {
        self.tokens == request.tokens
            && self.prefix == request.prefix
            && self.images == request.images
    }
}

struct CachedPrompt {
    key: PromptKey,
    /// All of the prompt except its last token, whose logits must be computed again.
    sequence: Sequence,
    bytes: usize,
}

#[derive(Default)]
pub(crate) struct PromptCache {
    /// Oldest first.
    prompts: VecDeque<CachedPrompt>,
}

impl PromptCache {
    /// Adds the prompt that `sequence` starts with, and drops the oldest beyond `capacity`.
    pub fn insert(
        &mut self,
        model: &Model,
        key: PromptKey,
        sequence: &Sequence,
        capacity: usize,
    ) -> candle_core::Result<()> {
        let own = key.tokens.len().saturating_sub(1);
        if own == 0 || self.prompts.iter().any(|prompt| prompt.key == key) {
            return Ok(());
        }
        self.prompts.push_back(CachedPrompt {
            sequence: sequence.fork(sequence.shared_len() + own, None)?,
            bytes: model.cache_bytes(own),
            key,
        });
        while self.prompts.len() > capacity {
            self.prompts.pop_front();
        }
        Ok(())
    }

    /// Creates a sequence in `pool` that contains the request's prompt except its last token.
    /// `None` if the prompt is not cached.
    pub fn fork(&self, request: &GenerateRequest, pool: &Arc<Pool>) -> Option<Result<Sequence>> {
        let prompt = self.prompts.iter().find(|it| it.key.matches(request))?;
        let fork = prompt.sequence.fork(prompt.sequence.len(), Some(pool));
        Some(fork.map_err(|error| model_error(&error)))
    }

    pub fn bytes(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.bytes).sum()
    }

    /// Returns false if the cache was empty.
    pub fn drop_oldest(&mut self) -> bool {
        self.prompts.pop_front().is_some()
    }
}
