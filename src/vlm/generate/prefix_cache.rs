//! Cache of shared prompt prefixes: each is computed once and kept while it is in use and memory
//! allows.

use crate::error::{Context, ErrorKind, Result};
use crate::vlm::model::{Model, SequenceStep};
use crate::vlm::nn::kv::layout::Prefix;
use crate::vlm::nn::kv::sequence::Sequence;
use std::sync::Arc;

enum PrefixState {
    /// Some of its tokens are computed.
    Building(Box<Sequence>),
    Ready(Arc<Prefix>),
}

struct CachedPrefix {
    tokens: Arc<[u32]>,
    state: PrefixState,
    planned: usize,
    bytes: usize,
    /// Value of the clock at the last request.
    last_used: u64,
}

#[derive(Default)]
pub(crate) struct PrefixCache {
    entries: Vec<CachedPrefix>,
    clock: u64,
}

impl PrefixCache {
    /// Whether the prefix is in the cache, or empty.
    pub fn holds(&self, tokens: &[u32]) -> bool {
        tokens.is_empty() || self.entries.iter().any(|entry| *entry.tokens == *tokens)
    }

    /// Requests a prefix; starts building it if it is not cached.
    pub fn request(&mut self, model: &Model, tokens: &Arc<[u32]>) -> candle_core::Result<()> {
        self.clock += 1;
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.tokens == *tokens)
        {
            entry.last_used = self.clock;
        } else if !tokens.is_empty() {
            self.entries.push(CachedPrefix {
                tokens: Arc::clone(tokens),
                state: PrefixState::Building(Box::new(model.sequence(None, None)?)),
                planned: 0,
                bytes: model.cache_bytes(tokens.len()),
                last_used: self.clock,
            });
        }
        Ok(())
    }

    /// The prefix, if it is completely computed.
    pub fn ready(&self, tokens: &[u32]) -> Option<Arc<Prefix>> {
        let entry = self.entries.iter().find(|entry| *entry.tokens == *tokens)?;
        match &entry.state {
            PrefixState::Ready(prefix) => Some(Arc::clone(prefix)),
            PrefixState::Building(_) => None,
        }
    }

    /// Drops unused prefixes, least recently used first, until `needed` more bytes fit into `room`.
    /// Returns false if they cannot fit.
    pub fn evict(
        &mut self,
        room: usize,
        needed: usize,
        keep: &Arc<[u32]>,
        in_use: &[&Arc<[u32]>],
    ) -> bool {
        loop {
            let used: usize = self.entries.iter().map(|entry| entry.bytes).sum();
            if used + needed <= room {
                return true;
            }
            let idle = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.tokens != *keep && !in_use.contains(&&entry.tokens));
            let Some((oldest, _)) = idle.min_by_key(|(_, entry)| entry.last_used) else {
                return false;
            };
            self.entries.remove(oldest);
        }
    }

    /// Plans up to `left` tokens of a step for prefixes under construction. Returns how many remain.
    pub fn plan(&mut self, mut left: usize) -> usize {
        for entry in &mut self.entries {
            entry.planned = 0;
            if let PrefixState::Building(sequence) = &entry.state {
                entry.planned = (entry.tokens.len() - sequence.len()).min(left);
                left -= entry.planned;
            }
        }
        left
    }

    /// The planned tokens as parts of a step.
    pub fn steps(&mut self) -> impl Iterator<Item = SequenceStep<'_>> {
        self.entries
            .iter_mut()
            .filter_map(|entry| match &mut entry.state {
                PrefixState::Building(sequence) if entry.planned > 0 => {
                    let from = sequence.len();
                    Some(SequenceStep {
                        sequence,
                        tokens: &entry.tokens[from..from + entry.planned],
                        images: &[],
                        logits: 0..0,
                    })
                }
                _ => None,
            })
    }

    /// Marks complete prefixes as ready. After a failed step, drops incomplete ones.
    pub fn advance(&mut self, computed: bool) -> Result<()> {
        if !computed {
            self.entries
                .retain(|entry| matches!(entry.state, PrefixState::Ready(_)));
            return Ok(());
        }
        let mut index = 0;
        while index < self.entries.len() {
            let entry = &self.entries[index];
            let complete = match &entry.state {
                PrefixState::Building(sequence) => sequence.len() == entry.tokens.len(),
                PrefixState::Ready(_) => false,
            };
            if complete {
                let mut entry = self.entries.remove(index);
                if let PrefixState::Building(sequence) = entry.state {
                    let prefix = sequence
                        .into_prefix()
                        .context(ErrorKind::Model, "cannot share the prefix of a prompt")?;
                    entry.state = PrefixState::Ready(Arc::new(prefix));
                }
                self.entries.insert(index, entry);
            }
            index += 1;
        }
        Ok(())
    }
}
