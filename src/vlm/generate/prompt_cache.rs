//! Prompts that were answered a moment ago: another answer to the same prompt starts from a copy of
//! its keys and values, and computes nothing of the prompt but its last token.

use super::request::{GenerateRequest, model_error};
use crate::error::Result;
use crate::vlm::architecture::ImagePatches;
use crate::vlm::model::Model;
use crate::vlm::nn::kv::pool::Pool;
use crate::vlm::nn::kv::sequence::Sequence;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a prompt is, its shared part included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PromptKey {
    prefix: Arc<[u32]>,
    tokens: Vec<u32>,
    images: Vec<ImagePatches>,
}

impl PromptKey {
    /// `None` for a request whose prompt is not wanted again.
    pub fn of(request: &GenerateRequest) -> Option<Self> {
        request.keep_prompt.then(|| Self {
            prefix: Arc::clone(&request.prefix),
            tokens: request.tokens.clone(),
            images: request.images.clone(),
        })
    }

    fn is_of(&self, request: &GenerateRequest) -> bool {
        self.tokens == request.tokens
            && self.prefix == request.prefix
            && self.images == request.images
    }
}

struct Kept {
    key: PromptKey,
    /// All of the prompt but its last token, whose logits are wanted again.
    sequence: Sequence,
    bytes: usize,
}

#[derive(Default)]
pub(crate) struct PromptCache {
    /// Oldest first.
    kept: VecDeque<Kept>,
}

impl PromptCache {
    /// Keeps the prompt that `sequence` starts with; of the oldest ones only so many that there are
    /// `most`.
    pub fn keep(
        &mut self,
        model: &Model,
        key: PromptKey,
        sequence: &Sequence,
        most: usize,
    ) -> candle_core::Result<()> {
        let own = key.tokens.len().saturating_sub(1);
        if own == 0 || self.kept.iter().any(|kept| kept.key == key) {
            return Ok(());
        }
        self.kept.push_back(Kept {
            sequence: sequence.fork(sequence.shared_len() + own, None)?,
            bytes: model.cache_bytes(own),
            key,
        });
        while self.kept.len() > most {
            self.kept.pop_front();
        }
        Ok(())
    }

    /// A sequence in `pool` that holds all of the request's prompt but the last token.
    pub fn fork(&self, request: &GenerateRequest, pool: &Arc<Pool>) -> Option<Result<Sequence>> {
        let kept = self.kept.iter().find(|kept| kept.key.is_of(request))?;
        let fork = kept.sequence.fork(kept.sequence.len(), Some(pool));
        Some(fork.map_err(|error| model_error(&error)))
    }

    pub fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| kept.bytes).sum()
    }

    /// Whether there was one to drop.
    pub fn drop_oldest(&mut self) -> bool {
        self.kept.pop_front().is_some()
    }
}
