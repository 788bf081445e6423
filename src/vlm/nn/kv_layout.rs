//! How keys and values lie in memory: the sizes of a cache, one layer of it on the CPU, and a prefix
//! that many sequences share.

use super::Backend;
use candle_core::{DType, Device, Tensor};

/// Tokens of a block: their keys are stored together, transposed, so that one pass scores all.
pub(crate) const BLOCK: usize = 16;

/// Tokens of a slot of a pool come in multiples of this: the shapes of steps then repeat.
pub(crate) const COLUMNS: usize = 64;

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

    /// Bytes that sequences of these numbers of own tokens take together: in a pool each takes
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
    pub fn fork(&self, kv_dim: usize, tokens: usize) -> Self {
        let numbers = tokens.next_multiple_of(BLOCK) * kv_dim;
        let head = |part: &Vec<f32>| part[..numbers.min(part.len())].to_vec();
        Self {
            keys: head(&self.keys),
            values: head(&self.values),
        }
    }

    pub fn reserve(&mut self, kv_dim: usize, tokens: usize) {
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
    pub(super) tokens: usize,
    /// The text position that follows it.
    pub(super) next: u32,
}

impl Prefix {
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}
