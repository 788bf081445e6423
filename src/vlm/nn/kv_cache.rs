//! The cache of keys and values: those of a prefix that many sequences share, and each sequence's
//! own.

use super::Backend;
use super::pool::{COLUMNS, Lease, Pool};
use super::rope::Position;
use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Tokens of a block: their keys are stored together, transposed, so that one pass scores all.
pub(crate) const BLOCK: usize = 16;

/// The attention heads of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl HeadShape {
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Query heads that share one key/value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// The layout of a cache, the same in every layer.
#[derive(Debug, Clone)]
pub struct CacheSpec {
    pub layers: usize,
    pub shape: HeadShape,
    pub backend: Backend,
    pub device: Device,
    pub dtype: DType,
}

impl CacheSpec {
    /// Bytes that the keys and values of `tokens` take.
    pub fn bytes(&self, tokens: usize) -> usize {
        let tokens = match self.backend {
            Backend::Slices => tokens.next_multiple_of(BLOCK),
            Backend::Tensors => tokens.next_multiple_of(COLUMNS),
        };
        2 * self.layers * self.shape.kv_dim() * tokens * self.dtype.size_in_bytes()
    }

    /// Bytes that sequences of these numbers of own tokens take together: in a [`Pool`] each takes
    /// as much as the longest.
    pub fn batch_bytes(&self, own: impl Iterator<Item = usize>) -> usize {
        match self.backend {
            Backend::Slices => own.map(|tokens| self.bytes(tokens)).sum(),
            Backend::Tensors => {
                let (count, longest) =
                    own.fold((0usize, 0), |(n, most), tokens| (n + 1, most.max(tokens)));
                match count {
                    0 => 0,
                    _ => count.next_power_of_two() * self.bytes(longest),
                }
            }
        }
    }
}

/// Keys and values of one layer on the CPU, in blocks of [`BLOCK`] tokens. The numbers of one head
/// in a block are contiguous.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlainLayer {
    /// Each block `(kv_heads, head_dim, BLOCK)`.
    pub keys: Vec<f32>,
    /// Each block `(kv_heads, BLOCK, head_dim)`.
    pub values: Vec<f32>,
}

impl PlainLayer {
    /// A copy of the first `tokens`.
    fn fork(&self, kv_dim: usize, tokens: usize) -> Self {
        let numbers = tokens.next_multiple_of(BLOCK) * kv_dim;
        let head = |part: &Vec<f32>| part[..numbers.min(part.len())].to_vec();
        Self {
            keys: head(&self.keys),
            values: head(&self.values),
        }
    }

    fn reserve(&mut self, kv_dim: usize, tokens: usize) {
        let numbers = kv_dim * tokens.next_multiple_of(BLOCK);
        for part in [&mut self.keys, &mut self.values] {
            part.reserve_exact(numbers.saturating_sub(part.len()));
        }
    }

    /// Makes room for token `at`, the next one.
    pub fn slot(&mut self, at: usize, shape: HeadShape) -> TokenSlot<'_> {
        let size = BLOCK * shape.kv_dim();
        let start = at / BLOCK * size;
        for part in [&mut self.keys, &mut self.values] {
            if part.len() < start + size {
                part.resize(start + size, 0.0);
            }
        }
        TokenSlot {
            keys: &mut self.keys[start..],
            values: &mut self.values[start..],
            lane: at % BLOCK,
            head_dim: shape.head_dim,
        }
    }

    pub fn truncate(&mut self, kv_dim: usize, tokens: usize) {
        let numbers = tokens.next_multiple_of(BLOCK) * kv_dim;
        self.keys.truncate(numbers);
        self.values.truncate(numbers);
    }
}

/// Writes one token's keys and values into their block.
pub(crate) struct TokenSlot<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    lane: usize,
    head_dim: usize,
}

impl TokenSlot<'_> {
    pub fn put_key(&mut self, head: usize, i: usize, number: f32) {
        self.keys[(head * self.head_dim + i) * BLOCK + self.lane] = number;
    }

    /// `value` is `(head_dim)`.
    pub fn put_value(&mut self, head: usize, value: &[f32]) {
        self.values[(head * BLOCK + self.lane) * self.head_dim..][..self.head_dim]
            .copy_from_slice(value);
    }
}

/// The keys and values of a prefix.
#[derive(Debug)]
pub(crate) enum PrefixLayers {
    Plain(Vec<PlainLayer>),
    /// Of each layer the keys and the values, `(kv_heads, tokens, head_dim)`.
    Tensors(Vec<(Tensor, Tensor)>),
}

/// The shared start of many sequences: computed once, and attended to in place by each.
#[derive(Debug)]
pub struct Prefix {
    pub(crate) layers: PrefixLayers,
    tokens: usize,
    next: u32,
}

impl Prefix {
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// A sequence's own keys and values.
#[derive(Debug)]
pub(crate) enum Own {
    Plain(Vec<PlainLayer>),
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
    /// An empty sequence. Sequences of one `pool` are computed together; without one it is alone.
    pub fn new(
        spec: &Arc<CacheSpec>,
        prefix: Option<Arc<Prefix>>,
        pool: Option<&Arc<Pool>>,
    ) -> Result<Self> {
        let own = match spec.backend {
            Backend::Slices => Own::Plain(vec![PlainLayer::default(); spec.layers]),
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

    /// The number of tokens so far, the shared prefix included.
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

    /// The pool that holds its keys and values, if there is one.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        match &self.own {
            Own::Plain(_) => None,
            Own::Pooled(lease) => Some(lease.pool()),
        }
    }

    /// The position that the next text token gets in all three parts.
    pub fn next_position(&self) -> u32 {
        let shared = self.prefix.as_ref().map_or(0, |prefix| prefix.next);
        self.next.last().copied().unwrap_or(shared)
    }

    /// Reserves room for `tokens` own tokens, so that growing never copies.
    pub fn reserve(&mut self, tokens: usize) -> Result<()> {
        match &mut self.own {
            Own::Plain(layers) => {
                for layer in layers {
                    layer.reserve(self.spec.shape.kv_dim(), tokens);
                }
                Ok(())
            }
            Own::Pooled(lease) => lease.pool().reserve(tokens),
        }
    }

    /// A sequence of its own that starts with the first `len` tokens of this one: the shared prefix
    /// stays shared, the rest is copied, into `pool` where there is one.
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
            (Own::Plain(from), Own::Plain(to)) => {
                let kv_dim = self.spec.shape.kv_dim();
                *to = from.iter().map(|layer| layer.fork(kv_dim, own)).collect();
            }
            (Own::Pooled(from), Own::Pooled(to)) => to.copy_from(from, own)?,
            _ => candle_core::bail!("a fork is kept as its sequence is"),
        }
        fork.next = self.next[..own].to_vec();
        Ok(fork)
    }

    /// Drops everything after the first `len` tokens. The shared prefix stays.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let Some(own) = len.checked_sub(self.shared_len()) else {
            candle_core::bail!("a sequence cannot be cut inside its shared prefix")
        };
        if own > self.own_len() {
            candle_core::bail!("a sequence of {} tokens cannot be cut to {len}", self.len())
        }
        self.next.truncate(own);
        self.drop_uncommitted();
        Ok(())
    }

    /// Records the tokens of a step, whose keys every layer has by now.
    pub(crate) fn commit(&mut self, positions: &[Position]) {
        let mut next = self.next_position();
        for position in positions {
            let last = position.iter().copied().max().unwrap_or(0);
            next = next.max(last + 1);
            self.next.push(next);
        }
    }

    /// Drops the keys and values that a failed step has left in some layers. In a pool they are
    /// written over.
    pub(crate) fn drop_uncommitted(&mut self) {
        let own = self.own_len();
        if let Own::Plain(layers) = &mut self.own {
            for layer in layers {
                layer.truncate(self.spec.shape.kv_dim(), own);
            }
        }
    }

    /// Turns this sequence into a prefix that others can start with.
    pub fn into_prefix(mut self) -> Result<Prefix> {
        if self.prefix.is_some() {
            candle_core::bail!("a sequence that has a shared prefix cannot become one")
        }
        self.drop_uncommitted();
        let (tokens, next) = (self.own_len(), self.next_position());
        let layers = match self.own {
            Own::Plain(layers) => PrefixLayers::Plain(layers),
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
