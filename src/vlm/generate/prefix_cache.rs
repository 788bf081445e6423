//! The shared starts of prompts: computed once, kept while they are wanted and memory allows.

use crate::error::{Context, ErrorKind, Result};
use crate::vlm::model::{Model, SequenceStep};
use crate::vlm::nn::kv_cache::{Prefix, Sequence};
use std::sync::Arc;

enum State {
    /// Its first tokens are computed.
    Building(Box<Sequence>),
    Ready(Arc<Prefix>),
}

struct Shared {
    tokens: Arc<[u32]>,
    state: State,
    planned: usize,
    bytes: usize,
    /// When it was last asked for.
    used: u64,
}

#[derive(Default)]
pub(crate) struct Prefixes {
    all: Vec<Shared>,
    clock: u64,
}

impl Prefixes {
    pub fn holds(&self, tokens: &[u32]) -> bool {
        tokens.is_empty() || self.all.iter().any(|shared| *shared.tokens == *tokens)
    }

    /// Asks for a prefix, so that it is computed if it is not there.
    pub fn want(&mut self, model: &Model, tokens: &Arc<[u32]>) {
        self.clock += 1;
        if let Some(shared) = self.all.iter_mut().find(|shared| shared.tokens == *tokens) {
            shared.used = self.clock;
        } else if !tokens.is_empty() {
            self.all.push(Shared {
                tokens: Arc::clone(tokens),
                state: State::Building(Box::new(model.sequence(None))),
                planned: 0,
                bytes: model.cache_bytes(tokens.len()),
                used: self.clock,
            });
        }
    }

    pub fn ready(&self, tokens: &[u32]) -> Option<Arc<Prefix>> {
        let shared = self.all.iter().find(|shared| *shared.tokens == *tokens)?;
        match &shared.state {
            State::Ready(prefix) => Some(Arc::clone(prefix)),
            State::Building(_) => None,
        }
    }

    /// Drops prefixes that nobody uses, the longest unused first, until `needed` more bytes fit
    /// into `room`; says whether they do.
    pub fn make_room(
        &mut self,
        room: usize,
        needed: usize,
        keep: &Arc<[u32]>,
        in_use: &[&Arc<[u32]>],
    ) -> bool {
        loop {
            let held: usize = self.all.iter().map(|shared| shared.bytes).sum();
            if held + needed <= room {
                return true;
            }
            let idle =
                self.all.iter().enumerate().filter(|(_, shared)| {
                    shared.tokens != *keep && !in_use.contains(&&shared.tokens)
                });
            let Some((oldest, _)) = idle.min_by_key(|(_, shared)| shared.used) else {
                return false;
            };
            self.all.remove(oldest);
        }
    }

    /// Gives up to `left` tokens of a step to prefixes that are being built; says what is left.
    pub fn plan(&mut self, mut left: usize) -> usize {
        for shared in &mut self.all {
            shared.planned = 0;
            if let State::Building(sequence) = &shared.state {
                shared.planned = (shared.tokens.len() - sequence.len()).min(left);
                left -= shared.planned;
            }
        }
        left
    }

    /// What was planned, as parts of a step.
    pub fn steps(&mut self) -> impl Iterator<Item = SequenceStep<'_>> {
        self.all
            .iter_mut()
            .filter_map(|shared| match &mut shared.state {
                State::Building(sequence) if shared.planned > 0 => {
                    let from = sequence.len();
                    Some(SequenceStep {
                        sequence,
                        tokens: &shared.tokens[from..from + shared.planned],
                        images: &[],
                        logits: 0..0,
                    })
                }
                _ => None,
            })
    }

    /// Freezes what is complete. After a failed step, what is still being built is given up.
    pub fn advance(&mut self, computed: bool) -> Result<()> {
        if !computed {
            self.all
                .retain(|shared| matches!(shared.state, State::Ready(_)));
            return Ok(());
        }
        let mut index = 0;
        while index < self.all.len() {
            let shared = &self.all[index];
            let complete = match &shared.state {
                State::Building(sequence) => sequence.len() == shared.tokens.len(),
                State::Ready(_) => false,
            };
            if complete {
                let mut shared = self.all.remove(index);
                if let State::Building(sequence) = shared.state {
                    let prefix = sequence
                        .into_prefix()
                        .context(ErrorKind::Model, "cannot share the start of a prompt")?;
                    shared.state = State::Ready(Arc::new(prefix));
                }
                self.all.insert(index, shared);
            }
            index += 1;
        }
        Ok(())
    }
}
