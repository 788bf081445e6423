//! How keys and values lie in memory: the sizes of a cache, one layer of it on the CPU, and a prefix
//! that many sequences share.

use crate::vlm::nn::Backend;
use crate::vlm::nn::stored::Stored;
use candle_core::{DType, Device, Tensor};
use half::bf16;

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
/// in a block are contiguous; pairs are [`Stored::PAIR`] numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlainLayer<T> {
    /// Each block `(kv_heads, head_dim / PAIR, BLOCK, PAIR)`.
    pub keys: Vec<T>,
    /// Each block `(kv_heads, BLOCK / PAIR, head_dim, PAIR)`.
    pub values: Vec<T>,
}

impl<T: Stored> PlainLayer<T> {
    /// A copy of the first `tokens`.
    pub fn fork(&self, kv_dim: usize, tokens: usize) -> Self {
        let numbers = tokens.next_multiple_of(BLOCK) * kv_dim;
        let head = |part: &Vec<T>| part[..numbers.min(part.len())].to_vec();
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
    pub fn slot(&mut self, at: usize, shape: HeadShape) -> TokenSlot<'_, T> {
        let size = BLOCK * shape.kv_dim();
        let start = at / BLOCK * size;
        for part in [&mut self.keys, &mut self.values] {
            if part.len() < start + size {
                part.resize(start + size, T::default());
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
pub(crate) struct TokenSlot<'a, T> {
    keys: &'a mut [T],
    values: &'a mut [T],
    lane: usize,
    head_dim: usize,
}

impl<T: Stored> TokenSlot<'_, T> {
    /// `key` is `(head_dim)`.
    pub fn put_key(&mut self, head: usize, key: &[T]) {
        let first = head * self.head_dim * BLOCK + self.lane * T::PAIR;
        for (i, pair) in key.chunks_exact(T::PAIR).enumerate() {
            self.keys[first + i * BLOCK * T::PAIR..][..T::PAIR].copy_from_slice(pair);
        }
    }

    /// `value` is `(head_dim)`.
    pub fn put_value(&mut self, head: usize, value: &[T]) {
        if T::PAIR == 1 {
            let first = (head * BLOCK + self.lane) * self.head_dim;
            self.values[first..][..self.head_dim].copy_from_slice(value);
            return;
        }
        let (pair, place) = (self.lane / T::PAIR, self.lane % T::PAIR);
        let first = (head * BLOCK + pair * T::PAIR) * self.head_dim;
        let pairs = self.values[first..].chunks_exact_mut(T::PAIR);
        for (pair, number) in pairs.zip(value) {
            pair[place] = *number;
            // What a failed step left there would be multiplied too, by zero: it may be NaN.
            pair[place + 1..].fill(T::default());
        }
    }
}

/// The layers of a sequence or a prefix on the CPU.
#[derive(Debug)]
pub(crate) enum Layers {
    F32(Vec<PlainLayer<f32>>),
    Bf16(Vec<PlainLayer<bf16>>),
}

impl Layers {
    pub fn new(spec: &CacheSpec) -> Self {
        match spec.dtype {
            DType::BF16 => Self::Bf16(vec![PlainLayer::default(); spec.layers]),
            _ => Self::F32(vec![PlainLayer::default(); spec.layers]),
        }
    }

    /// A copy of the first `tokens`.
    pub fn fork(&self, kv_dim: usize, tokens: usize) -> Self {
        match self {
            Self::F32(all) => Self::F32(all.iter().map(|it| it.fork(kv_dim, tokens)).collect()),
            Self::Bf16(all) => Self::Bf16(all.iter().map(|it| it.fork(kv_dim, tokens)).collect()),
        }
    }

    pub fn reserve(&mut self, kv_dim: usize, tokens: usize) {
        match self {
            Self::F32(all) => all.iter_mut().for_each(|it| it.reserve(kv_dim, tokens)),
            Self::Bf16(all) => all.iter_mut().for_each(|it| it.reserve(kv_dim, tokens)),
        }
    }

    pub fn truncate(&mut self, kv_dim: usize, tokens: usize) {
        match self {
            Self::F32(all) => all.iter_mut().for_each(|it| it.truncate(kv_dim, tokens)),
            Self::Bf16(all) => all.iter_mut().for_each(|it| it.truncate(kv_dim, tokens)),
        }
    }
}

/// A type that [`Layers`] may hold.
pub(crate) trait Cached: Stored {
    /// The layers, if they hold this type.
    fn layers(all: &Layers) -> Option<&[PlainLayer<Self>]>;
    fn layers_mut(all: &mut Layers) -> Option<&mut [PlainLayer<Self>]>;
}

macro_rules! cached {
    ($number:ty, $layers:ident) => {
        impl Cached for $number {
            fn layers(all: &Layers) -> Option<&[PlainLayer<Self>]> {
                match all {
                    Layers::$layers(layers) => Some(layers),
                    _ => None,
                }
            }

            fn layers_mut(all: &mut Layers) -> Option<&mut [PlainLayer<Self>]> {
                match all {
                    Layers::$layers(layers) => Some(layers),
                    _ => None,
                }
            }
        }
    };
}
cached!(f32, F32);
cached!(bf16, Bf16);

/// The keys and values of a prefix.
#[derive(Debug)]
pub(crate) enum PrefixLayers {
    Plain(Layers),
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
