//! The KV cache of one sequence: an optional shared prefix followed by its own tokens.

use super::layout::{CacheSpec, Layers, Prefix, PrefixLayers};
use super::pool::{Lease, Pool};
use crate::vlm::nn::Backend;
use crate::vlm::nn::rope::Position;
use candle_core::Result;
use std::ops::Range;
use std::sync::Arc;

/// A sequence's own keys and values.
#[derive(Debug)]
pub(crate) enum Own {
    Cpu(Layers),
    Pooled(Lease),
}

/// The state of one conversation: its keys and values, and its next position.
#[derive(Debug)]
pub struct Sequence {
    spec: Arc<CacheSpec>,
    prefix: Option<Arc<Prefix>>,
    pub(crate) own: Own,
    /// For each own token, the text position that follows it.
    next: Vec<u32>,
}

impl Sequence {
    /// Creates an empty sequence. Sequences of the same `pool` are computed together; one without a
    /// pool is computed on its own.
    pub fn new(
        spec: &Arc<CacheSpec>,
        prefix: Option<Arc<Prefix>>,
        pool: Option<&Arc<Pool>>,
    ) -> Result<Self> {
        let own = match spec.backend {
            Backend::Slices => Own::Cpu(Layers::new(spec)),
            Backend::Tensors => Own::Pooled(match pool {
                Some(pool) => pool.lease()?,
                None => Pool::new(spec).lease()?,
            }),
        };
        Ok(Self {
            spec: Arc::clone(spec),
            prefix,
            own,
            next: Vec::new(),
        })
    }

    /// Number of tokens, shared prefix included.
    pub fn len(&self) -> usize {
        self.shared_len() + self.own_len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn shared_len(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.tokens)
    }

    pub fn own_len(&self) -> usize {
        self.next.len()
    }

    pub fn prefix(&self) -> Option<&Arc<Prefix>> {
        self.prefix.as_ref()
    }

    /// The pool of its keys and values, if there is one.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        match &self.own {
            Own::Cpu(_) => None,
            Own::Pooled(lease) => Some(lease.pool()),
        }
    }

    /// The position of the next text token, equal in all three parts.
    pub fn next_position(&self) -> u32 {
        let shared = self.prefix.as_ref().map_or(0, |prefix| prefix.next);
        self.next.last().copied().unwrap_or(shared)
    }

    /// Reserves memory for `tokens` own tokens, so that growth does not copy.
    pub fn reserve(&mut self, tokens: usize) -> Result<()> {
        match &mut self.own {
            Own::Cpu(layers) => {
                layers.reserve(self.spec.shape.kv_dim(), tokens);
                Ok(())
            }
            Own::Pooled(lease) => lease.pool().reserve(tokens),
        }
    }

    /// Creates a new sequence from the first `len` tokens of this one. The shared prefix stays
    /// shared; the rest is copied, into `pool` if given.
    pub fn fork(&self, len: usize, pool: Option<&Arc<Pool>>) -> Result<Self> {
        let Some(own) = len
            .checked_sub(self.shared_len())
            .filter(|own| *own <= self.own_len())
        else {
            candle_core::bail!(
                "a sequence of {} tokens cannot be forked at {len}",
                self.len()
            )
        };
        let mut fork = Self::new(&self.spec, self.prefix.clone(), pool)?;
        match (&self.own, &mut fork.own) {
            (Own::Cpu(from), Own::Cpu(to)) => {
                *to = from.fork(self.spec.shape.kv_dim(), own);
            }
            (Own::Pooled(from), Own::Pooled(to)) => to.copy_from(from, own)?,
            _ => candle_core::bail!("a fork must use the backend of its sequence"),
        }
        fork.next = self.next[..own].to_vec();
        Ok(fork)
    }

    /// Records the tokens of a completed step.
    pub(crate) fn commit(&mut self, positions: &[Position]) {
        let mut next = self.next_position();
        for position in positions {
            let last = position.iter().copied().max().unwrap_or(0);
            next = next.max(last + 1);
            self.next.push(next);
        }
    }

    /// Drops keys and values that a failed step left in some layers. In a pool they will be
    /// overwritten.
    pub(crate) fn drop_uncommitted(&mut self) {
        let own = self.own_len();
        if let Own::Cpu(layers) = &mut self.own {
            layers.truncate(self.spec.shape.kv_dim(), own);
        }
    }

    /// Turns this sequence into a prefix for other sequences.
    pub fn into_prefix(mut self) -> Result<Prefix> {
        if self.prefix.is_some() {
            candle_core::bail!("a sequence that has a shared prefix cannot become one")
        }
        self.drop_uncommitted();
        let (tokens, next) = (self.own_len(), self.next_position());
        let layers = match self.own {
            Own::Cpu(layers) => PrefixLayers::Cpu(layers),
            Own::Pooled(lease) => PrefixLayers::Tensors(lease.take(tokens)?),
        };
        Ok(Prefix {
            layers,
            tokens,
            next,
        })
    }
}

/// The rows of a step that belong to one sequence.
pub struct Span<'a> {
    pub sequence: &'a mut Sequence,
    pub rows: Range<usize>,
}
