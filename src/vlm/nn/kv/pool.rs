//! The own keys and values of many sequences on an accelerator, in one tensor per layer. Every
//! sequence has a slot, and all slots are as long as the longest, so that one product scores the
//! queries of all sequences.

use super::layout::{COLUMNS, CacheSpec, Prefix, PrefixLayers};
use candle_core::{DType, Result, Tensor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keys and values of sequences that are computed together. Grows on demand.
#[derive(Debug)]
pub struct Pool {
    spec: Arc<CacheSpec>,
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    /// Keys and values of each layer, `(2, kv_heads, slots, tokens, head_dim)`; empty until tokens
    /// are reserved.
    layers: Vec<Tensor>,
    slots: usize,
    tokens: usize,
    /// Unused slots.
    free: Vec<usize>,
    /// The prefixes of the last step.
    shared: Option<Arc<SharedKeys>>,
}

/// The concatenated keys and values of several prefixes.
#[derive(Debug)]
pub(crate) struct SharedKeys {
    pub prefixes: Vec<Arc<Prefix>>,
    /// Keys, in the type of scores, and values of each layer, `(kv_heads, tokens, head_dim)`.
    pub layers: Vec<(Tensor, Tensor)>,
}

impl SharedKeys {
    pub fn tokens(&self) -> usize {
        self.prefixes.iter().map(|prefix| prefix.tokens()).sum()
    }
}

impl Pool {
    pub fn new(spec: &Arc<CacheSpec>) -> Arc<Self> {
        Arc::new(Self {
            spec: Arc::clone(spec),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        // A panic cannot lose a slot, since every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Assigns a slot to a new sequence.
    pub(crate) fn lease(self: &Arc<Self>) -> Result<Lease> {
        let mut state = self.state();
        let slot = match state.free.last().copied() {
            Some(slot) => {
                // A NaN left in the slot would spread to the next sequence, even if masked.
                for layer in &state.layers {
                    let (parts, heads, _, tokens, dim) = layer.dims5()?;
                    let zeros = Tensor::zeros(
                        (parts, heads, 1, tokens, dim),
                        layer.dtype(),
                        layer.device(),
                    )?;
                    layer.slice_set(&zeros, 2, slot)?;
                }
                // Only now, since the slot would be lost if clearing it failed.
                state.free.pop();
                slot
            }
            None => {
                let slot = state.slots;
                let (slots, tokens) = ((slot + 1).next_power_of_two(), state.tokens);
                state.resize(&self.spec, slots, tokens)?;
                state.free = (slot + 1..slots).rev().collect();
                slot
            }
        };
        Ok(Lease {
            pool: Arc::clone(self),
            slot,
        })
    }

    /// Grows every slot to hold at least `tokens`.
    pub(crate) fn reserve(&self, tokens: usize) -> Result<()> {
        let mut state = self.state();
        if tokens > state.tokens || state.layers.is_empty() {
            let (slots, tokens) = (state.slots, tokens.max(1).next_multiple_of(COLUMNS));
            state.resize(&self.spec, slots, tokens)?;
        }
        Ok(())
    }

    pub(crate) fn slots(&self) -> usize {
        self.state().slots
    }

    /// Keys and values of a layer, `(2 * kv_heads * slots, tokens, head_dim)`.
    pub(crate) fn layer(&self, layer: usize) -> Result<Tensor> {
        let state = self.state();
        let Some(tensor) = state.layers.get(layer) else {
            candle_core::bail!("no tokens are reserved in layer {layer}")
        };
        tensor.flatten(0, 2)
    }

    /// Concatenates the keys and values of these prefixes, or reuses those of the last step if the
    /// prefixes are the same.
    pub(crate) fn shared(&self, prefixes: &[Arc<Prefix>]) -> Result<Arc<SharedKeys>> {
        let mut state = self.state();
        if let Some(shared) = &state.shared
            && shared.prefixes.len() == prefixes.len()
            && shared
                .prefixes
                .iter()
                .zip(prefixes)
                .all(|(a, b)| Arc::ptr_eq(a, b))
        {
            return Ok(Arc::clone(shared));
        }
        let mut parts: Vec<&[(Tensor, Tensor)]> = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            match &prefix.layers {
                PrefixLayers::Tensors(layers) => parts.push(layers),
                PrefixLayers::Cpu(_) => {
                    candle_core::bail!("the prefix was made for another device")
                }
            }
        }
        let layers = (0..self.spec.layers).map(|layer| {
            let keys: Vec<&Tensor> = parts.iter().map(|part| &part[layer].0).collect();
            let values: Vec<&Tensor> = parts.iter().map(|part| &part[layer].1).collect();
            let keys = Tensor::cat(&keys, 1)?.to_dtype(score_dtype(self.spec.dtype))?;
            Ok((keys, Tensor::cat(&values, 1)?))
        });
        let shared = Arc::new(SharedKeys {
            layers: layers.collect::<Result<_>>()?,
            prefixes: prefixes.to_vec(),
        });
        state.shared = Some(Arc::clone(&shared));
        Ok(shared)
    }
}

/// The type in which queries are multiplied with keys. Scores of real checkpoints overflow fp16.
pub(crate) fn score_dtype(dtype: DType) -> DType {
    match dtype {
        DType::F16 => DType::F32,
        other => other,
    }
}

impl PoolState {
    /// Changes the number and length of slots; neither ever shrinks.
    fn resize(&mut self, spec: &CacheSpec, slots: usize, tokens: usize) -> Result<()> {
        let shape = |slots, tokens| (2, spec.shape.kv_heads, slots, tokens, spec.shape.head_dim);
        let zeros = |slots, tokens| Tensor::zeros(shape(slots, tokens), spec.dtype, &spec.device);
        if tokens > 0 && self.layers.is_empty() {
            let layers = (0..spec.layers).map(|_| zeros(slots, tokens));
            self.layers = layers.collect::<Result<_>>()?;
        } else {
            // One after another, which takes the least memory. If it runs out, the layers so far have
            // grown already, and steps fail until a later call grows the others.
            for layer in &mut self.layers {
                let tokens = tokens.max(layer.dim(3)?);
                if tokens > layer.dim(3)? {
                    let longer = zeros(layer.dim(2)?, tokens)?;
                    longer.slice_set(layer, 3, 0)?;
                    *layer = longer;
                }
                if slots > layer.dim(2)? {
                    let more = zeros(slots, tokens)?;
                    more.slice_set(layer, 2, 0)?;
                    *layer = more;
                }
            }
        }
        (self.slots, self.tokens) = (slots, tokens);
        Ok(())
    }
}

/// The slot of a sequence. Dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    slot: usize,
}

impl Lease {
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Copies the first `tokens` of another slot, which may be in another pool.
    pub fn copy_from(&mut self, other: &Self, tokens: usize) -> Result<()> {
        if tokens == 0 {
            return Ok(());
        }
        self.pool.reserve(tokens)?;
        let spec = &self.pool.spec;
        for layer in 0..spec.layers {
            let from = other.first_tokens(layer, tokens)?;
            let state = self.pool.state();
            let to = state.layers[layer].clone();
            drop(state);
            let slot_len = to.dim(3)?;
            // `slice_set` writes entire slots.
            let rest = Tensor::zeros(
                (
                    2,
                    spec.shape.kv_heads,
                    1,
                    slot_len - tokens,
                    spec.shape.head_dim,
                ),
                spec.dtype,
                &spec.device,
            );
            let padded = match slot_len - tokens {
                0 => from,
                _ => Tensor::cat(&[from, rest?], 3)?,
            };
            to.slice_set(&padded.contiguous()?, 2, self.slot)?;
        }
        Ok(())
    }

    /// Copies the first `tokens` of each layer out of the pool, as keys and values,
    /// `(kv_heads, tokens, head_dim)`.
    pub fn take(self, tokens: usize) -> Result<Vec<(Tensor, Tensor)>> {
        let spec = &self.pool.spec;
        self.pool.reserve(tokens)?;
        let layers = (0..spec.layers).map(|layer| {
            let both = self.first_tokens(layer, tokens)?.squeeze(2)?;
            Ok((both.get(0)?.copy()?, both.get(1)?.copy()?))
        });
        layers.collect()
    }

    /// Keys and values of the first `tokens`, `(2, kv_heads, 1, tokens, head_dim)`.
    fn first_tokens(&self, layer: usize, tokens: usize) -> Result<Tensor> {
        let state = self.pool.state();
        let Some(all) = state.layers.get(layer) else {
            candle_core::bail!("layer {layer} has no keys")
        };
        all.narrow(2, self.slot, 1)?
            .narrow(3, 0, tokens)?
            .contiguous()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.state().free.push(self.slot);
    }
}
