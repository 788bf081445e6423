//! The cache of keys and values: those of a prefix that many sequences share, and each sequence's
//! own.

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
    pub device: Device,
    pub dtype: DType,
}

impl CacheSpec {
    /// Bytes that the keys and values of `tokens` take.
    pub fn bytes(&self, tokens: usize) -> usize {
        let tokens = tokens.next_multiple_of(BLOCK);
        2 * self.layers * self.shape.kv_dim() * tokens * self.dtype.size_in_bytes()
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

/// Keys and values of one layer on an accelerator, `(kv_heads, capacity, head_dim)` each.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeviceLayer {
    tensors: Option<(Tensor, Tensor)>,
    capacity: usize,
}

impl DeviceLayer {
    fn reserve(&mut self, spec: &CacheSpec, used: usize, tokens: usize) -> Result<()> {
        if tokens > self.capacity {
            *self = self.copy(spec, used, tokens)?;
        }
        Ok(())
    }

    /// A copy of the first `used` tokens, with room for `tokens`.
    fn copy(&self, spec: &CacheSpec, used: usize, tokens: usize) -> Result<Self> {
        let shape = (spec.shape.kv_heads, tokens, spec.shape.head_dim);
        let grow = |old: Option<&Tensor>| -> Result<Tensor> {
            let new = Tensor::zeros(shape, spec.dtype, &spec.device)?;
            if let Some(old) = old
                && used > 0
            {
                new.slice_set(&old.narrow(1, 0, used)?.contiguous()?, 1, 0)?;
            }
            Ok(new)
        };
        let keys = grow(self.tensors.as_ref().map(|(keys, _)| keys))?;
        let values = grow(self.tensors.as_ref().map(|(_, values)| values))?;
        Ok(Self {
            tensors: Some((keys, values)),
            capacity: tokens,
        })
    }

    /// Appends keys and values, `(kv_heads, tokens, head_dim)`, after the first `used`.
    pub fn append(
        &mut self,
        spec: &CacheSpec,
        used: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<()> {
        let needed = used + keys.dim(1)?;
        if needed > self.capacity {
            let roomy = (self.capacity * 2).max(needed).next_multiple_of(BLOCK);
            self.reserve(spec, used, roomy)?;
        }
        if let Some((all_keys, all_values)) = &self.tensors {
            all_keys.slice_set(&keys.contiguous()?, 1, used)?;
            all_values.slice_set(&values.contiguous()?, 1, used)?;
        }
        Ok(())
    }

    /// The first `tokens` keys and values, `(kv_heads, tokens, head_dim)` each.
    pub fn view(&self, tokens: usize) -> Result<Option<(Tensor, Tensor)>> {
        match &self.tensors {
            Some((keys, values)) if tokens > 0 => Ok(Some((
                keys.narrow(1, 0, tokens)?,
                values.narrow(1, 0, tokens)?,
            ))),
            _ => Ok(None),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum LayerCache {
    Plain(PlainLayer),
    Device(DeviceLayer),
}

/// The shared start of many sequences: computed once, and attended to in place by each.
#[derive(Debug)]
pub struct Prefix {
    pub(crate) layers: Vec<LayerCache>,
    tokens: usize,
    next: u32,
}

impl Prefix {
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// The state of one conversation: its keys and values, and its next position.
#[derive(Debug)]
pub struct Sequence {
    spec: Arc<CacheSpec>,
    prefix: Option<Arc<Prefix>>,
    pub(crate) layers: Vec<LayerCache>,
    /// For each own token, the text position that follows it.
    next: Vec<u32>,
}

impl Sequence {
    pub fn new(spec: &Arc<CacheSpec>, prefix: Option<Arc<Prefix>>) -> Self {
        let layer = if spec.device.is_cpu() && spec.dtype == DType::F32 {
            LayerCache::Plain(PlainLayer::default())
        } else {
            LayerCache::Device(DeviceLayer::default())
        };
        Self {
            layers: vec![layer; spec.layers],
            spec: Arc::clone(spec),
            prefix,
            next: Vec::new(),
        }
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

    /// The position that the next text token gets in all three parts.
    pub fn next_position(&self) -> u32 {
        let shared = self.prefix.as_ref().map_or(0, |prefix| prefix.next);
        self.next.last().copied().unwrap_or(shared)
    }

    /// Reserves room for `tokens` own tokens, so that growing never copies.
    pub fn reserve(&mut self, tokens: usize) -> Result<()> {
        let used = self.own_len();
        for layer in &mut self.layers {
            match layer {
                LayerCache::Plain(layer) => layer.reserve(self.spec.shape.kv_dim(), tokens),
                LayerCache::Device(layer) => layer.reserve(&self.spec, used, tokens)?,
            }
        }
        Ok(())
    }

    /// A sequence of its own that starts with the first `len` tokens of this one: the shared prefix
    /// stays shared, the rest is copied.
    pub fn fork(&self, len: usize) -> Result<Self> {
        let Some(own) = len
            .checked_sub(self.shared_len())
            .filter(|own| *own <= self.own_len())
        else {
            candle_core::bail!(
                "a sequence of {} tokens cannot be forked at {len}",
                self.len()
            )
        };
        let layers = self.layers.iter().map(|layer| {
            Ok(match layer {
                LayerCache::Plain(layer) => {
                    LayerCache::Plain(layer.fork(self.spec.shape.kv_dim(), own))
                }
                LayerCache::Device(layer) => {
                    let room = own.next_multiple_of(BLOCK);
                    LayerCache::Device(layer.copy(&self.spec, own, room)?)
                }
            })
        });
        Ok(Self {
            spec: Arc::clone(&self.spec),
            prefix: self.prefix.clone(),
            layers: layers.collect::<Result<_>>()?,
            next: self.next[..own].to_vec(),
        })
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

    /// Drops the keys and values that a failed step has left in some layers.
    pub(crate) fn drop_uncommitted(&mut self) {
        let own = self.own_len();
        for layer in &mut self.layers {
            if let LayerCache::Plain(layer) = layer {
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
        Ok(Prefix {
            tokens: self.own_len(),
            next: self.next_position(),
            layers: self.layers,
        })
    }
}

/// The rows of a step that belong to one sequence.
pub struct Span<'a> {
    pub sequence: &'a mut Sequence,
    pub rows: Range<usize>,
}
