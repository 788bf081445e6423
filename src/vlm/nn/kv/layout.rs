//! Memory layout of keys and values: the dimensions of a cache, one layer on the CPU, and prefixes
//! that many sequences share.

use super::element::KvElement;
use crate::vlm::nn::Backend;
use candle_core::{DType, Device, Tensor};
use half::bf16;

/// Tokens per block. Their keys are stored transposed, so that one pass scores all of them.
pub(crate) const BLOCK: usize = 16;

/// The length of a pool's slots is a multiple of this, so that the shapes of steps repeat.
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

    /// Number of query heads that share one key/value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// The dimensions of a cache, the same in every layer.
#[derive(Debug, Clone)]
pub struct CacheSpec {
    pub layers: usize,
    pub shape: HeadShape,
    pub backend: Backend,
    pub device: Device,
    pub dtype: DType,
}

impl CacheSpec {
    /// Cache bytes of `tokens`.
    pub fn bytes(&self, tokens: usize) -> usize {
        let tokens = match self.backend {
            Backend::Slices => tokens.next_multiple_of(BLOCK),
            Backend::Tensors => tokens.next_multiple_of(COLUMNS),
        };
        2 * self.layers * self.shape.kv_dim() * tokens * self.dtype.size_in_bytes()
    }

    /// Cache bytes of several sequences with these numbers of own tokens. In a pool, each takes as
    /// much as the longest.
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

/// Keys and values of one layer on the CPU, in blocks of [`BLOCK`] tokens. The elements of one head
/// in a block are contiguous; a pair is [`KvElement::PAIR`] elements.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuLayer<T> {
    /// Blocks of `(kv_heads, head_dim / PAIR, BLOCK, PAIR)`.
    pub keys: Vec<T>,
    /// Blocks of `(kv_heads, BLOCK / PAIR, head_dim, PAIR)`.
    pub values: Vec<T>,
}

impl<T: KvElement> CpuLayer<T> {
    /// Copies the first `tokens`.
    pub fn fork(&self, kv_dim: usize, tokens: usize) -> Self {
        let len = tokens.next_multiple_of(BLOCK) * kv_dim;
        let head = |part: &Vec<T>| part[..len.min(part.len())].to_vec();
        Self {
            keys: head(&self.keys),
            values: head(&self.values),
        }
    }

    pub fn reserve(&mut self, kv_dim: usize, tokens: usize) {
        let len = kv_dim * tokens.next_multiple_of(BLOCK);
        for part in [&mut self.keys, &mut self.values] {
            part.reserve_exact(len.saturating_sub(part.len()));
        }
    }

    /// Grows the layer for token `at`, which must be the next one.
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
        let len = tokens.next_multiple_of(BLOCK) * kv_dim;
        self.keys.truncate(len);
        self.values.truncate(len);
    }
}

/// Writes one token's keys and values into their block.
pub(crate) struct TokenSlot<'a, T> {
    keys: &'a mut [T],
    values: &'a mut [T],
    lane: usize,
    head_dim: usize,
}

impl<T: KvElement> TokenSlot<'_, T> {
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
            // The rest of the pair is multiplied by zero, but a failed step may have left NaN there.
            pair[place + 1..].fill(T::default());
        }
    }
}

/// The layers of a sequence or a prefix on the CPU.
#[derive(Debug)]
pub(crate) enum Layers {
    F32(Vec<CpuLayer<f32>>),
    Bf16(Vec<CpuLayer<bf16>>),
}

impl Layers {
    pub fn new(spec: &CacheSpec) -> Self {
        match spec.dtype {
            DType::BF16 => Self::Bf16(vec![CpuLayer::default(); spec.layers]),
            _ => Self::F32(vec![CpuLayer::default(); spec.layers]),
        }
    }

    /// Copies the first `tokens`.
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

/// An element type of [`Layers`].
pub(crate) trait LayerElement: KvElement {
    /// Returns the layers if they have this element type.
    fn layers(all: &Layers) -> Option<&[CpuLayer<Self>]>;
    fn layers_mut(all: &mut Layers) -> Option<&mut [CpuLayer<Self>]>;
}

macro_rules! layer_element {
    ($number:ty, $layers:ident) => {
        impl LayerElement for $number {
            fn layers(all: &Layers) -> Option<&[CpuLayer<Self>]> {
                match all {
                    Layers::$layers(layers) => Some(layers),
                    _ => None,
                }
            }

            fn layers_mut(all: &mut Layers) -> Option<&mut [CpuLayer<Self>]> {
                match all {
                    Layers::$layers(layers) => Some(layers),
                    _ => None,
                }
            }
        }
    };
}
layer_element!(f32, F32);
layer_element!(bf16, Bf16);

/// The keys and values of a prefix.
#[derive(Debug)]
pub(crate) enum PrefixLayers {
    Cpu(Layers),
    /// Keys and values of each layer, `(kv_heads, tokens, head_dim)`.
    Tensors(Vec<(Tensor, Tensor)>),
}

/// The shared start of many sequences, computed once and never copied.
#[derive(Debug)]
pub struct Prefix {
    pub(crate) layers: PrefixLayers,
    pub(super) tokens: usize,
    /// The next text position.
    pub(super) next: u32,
}

impl Prefix {
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}
