//! The own keys and values of many sequences on an accelerator, in one tensor a layer: every
//! sequence has a slot, and all slots are as long as the longest. So one product scores the
//! queries of all of them.

use super::layout::{COLUMNS, CacheSpec, Prefix, PrefixLayers};
use candle_core::{DType, Result, Tensor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keys and values of the sequences that are computed together. It grows as they need it.
#[derive(Debug)]
pub struct Pool {
    spec: Arc<CacheSpec>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of each layer the keys followed by the values, `(2, kv_heads, slots, tokens, head_dim)`;
    /// none until the first is reserved.
    layers: Vec<Tensor>,
    slots: usize,
    tokens: usize,
    /// Slots that no sequence has.
    free: Vec<usize>,
    /// The prefixes of the last step.
    shared: Option<Arc<SharedKeys>>,
}

/// The keys and values of several prefixes, one after the other.
#[derive(Debug)]
pub(crate) struct SharedKeys {
    pub prefixes: Vec<Arc<Prefix>>,
    /// Of each layer the keys, in the type that scores have, and the values,
    /// `(kv_heads, tokens, head_dim)`.
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

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left is as whole as before it: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a new sequence.
    pub(crate) fn lease(self: &Arc<Self>) -> Result<Lease> {
        let mut state = self.state();
        let slot = match state.free.pop() {
            Some(slot) => {
                // A number that is not finite would reach the next sequence even where it is masked.
                for layer in &state.layers {
                    let (parts, heads, _, tokens, dim) = layer.dims5()?;
                    let none = Tensor::zeros(
                        (parts, heads, 1, tokens, dim),
                        layer.dtype(),
                        layer.device(),
                    )?;
                    layer.slice_set(&none, 2, slot)?;
                }
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

    /// Makes every slot long enough for `tokens`.
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
            candle_core::bail!("layer {layer} has no room for keys")
        };
        tensor.flatten(0, 2)
    }

    /// The keys and values of these prefixes together, those of the last step where they are the
    /// same.
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
                PrefixLayers::Plain(_) => {
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

/// The type that queries are multiplied with keys in. Scores of real checkpoints leave the range
/// of fp16.
pub(crate) fn score_dtype(dtype: DType) -> DType {
    match dtype {
        DType::F16 => DType::F32,
        other => other,
    }
}

impl State {
    /// Changes the number of slots and their length; neither ever shrinks.
    fn resize(&mut self, spec: &CacheSpec, slots: usize, tokens: usize) -> Result<()> {
        let shape = |slots, tokens| (2, spec.shape.kv_heads, slots, tokens, spec.shape.head_dim);
        let zeros = |slots, tokens| Tensor::zeros(shape(slots, tokens), spec.dtype, &spec.device);
        if tokens > 0 && self.layers.is_empty() {
            let layers = (0..spec.layers).map(|_| zeros(slots, tokens));
            self.layers = layers.collect::<Result<_>>()?;
        } else {
            for layer in &mut self.layers {
                if tokens > self.tokens {
                    let longer = zeros(self.slots, tokens)?;
                    longer.slice_set(layer, 3, 0)?;
                    *layer = longer;
                }
                if slots > self.slots {
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

/// The slot of a sequence, which it gives back when it is dropped.
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
            let from = other.numbers(layer, tokens)?;
            let state = self.pool.state();
            let to = state.layers[layer].clone();
            drop(state);
            let room = to.dim(3)?;
            // A whole slot is set at a time.
            let rest = Tensor::zeros(
                (
                    2,
                    spec.shape.kv_heads,
                    1,
                    room - tokens,
                    spec.shape.head_dim,
                ),
                spec.dtype,
                &spec.device,
            );
            let whole = match room - tokens {
                0 => from,
                _ => Tensor::cat(&[from, rest?], 3)?,
            };
            to.slice_set(&whole.contiguous()?, 2, self.slot)?;
        }
        Ok(())
    }

    /// The first `tokens` of each layer as keys and values of their own,
    /// `(kv_heads, tokens, head_dim)`.
    pub fn take(self, tokens: usize) -> Result<Vec<(Tensor, Tensor)>> {
        let spec = &self.pool.spec;
        self.pool.reserve(tokens)?;
        let layers = (0..spec.layers).map(|layer| {
            let numbers = self.numbers(layer, tokens)?.squeeze(2)?;
            Ok((numbers.get(0)?.copy()?, numbers.get(1)?.copy()?))
        });
        layers.collect()
    }

    /// `(2, kv_heads, 1, tokens, head_dim)`.
    fn numbers(&self, layer: usize, tokens: usize) -> Result<Tensor> {
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
