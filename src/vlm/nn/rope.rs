//! Rotary position embeddings: computes the angles of a step's tokens and rotates heads by them.

use super::launches::launch;
use candle_core::{DType, Device, Result, Tensor};
use std::sync::OnceLock;

/// The temporal, vertical and horizontal position of a token. All three are equal for a text token.
pub type Position = [u32; 3];

/// The cosines and sines of a step's tokens.
pub struct Angles {
    /// `(tokens, head_dim / 2)`, row-major.
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
    /// Whether all angles are zero.
    is_identity: bool,
    dtype: DType,
    /// Created on first use.
    tables: OnceLock<Tables>,
}

/// Factors for every head of every token, `(tokens * (heads + 2 kv_heads), head_dim / 2)`: rotate
/// and scale queries, rotate keys, leave values unchanged.
struct Tables {
    cos: Tensor,
    sin: Tensor,
}

impl Angles {
    /// `angles` are `(tokens, half)`, where `half` is half of the head size. Tensors to be rotated
    /// have type `dtype`.
    pub fn new(angles: &[f32], half: usize, dtype: DType) -> Self {
        Self {
            cos: angles.iter().map(|angle| angle.cos()).collect(),
            sin: angles.iter().map(|angle| angle.sin()).collect(),
            half,
            is_identity: angles.iter().all(|angle| *angle == 0.0),
            dtype,
            tables: OnceLock::new(),
        }
    }

    /// Rotates and scales one head of one token, `x`, into `out`, which must have the same length.
    pub(crate) fn rotate(&self, token: usize, x: &[f32], scale: f32, out: &mut [f32]) {
        if self.is_identity {
            for (out, x) in out.iter_mut().zip(x) {
                *out = x * scale;
            }
            return;
        }
        let half = self.half;
        let cos = &self.cos[token * half..][..half];
        let sin = &self.sin[token * half..][..half];
        let (low, high) = (&x[..half], &x[half..][..half]);
        let (out_low, out_high) = out.split_at_mut(half);
        let (out_low, out_high) = (&mut out_low[..half], &mut out_high[..half]);
        for i in 0..half {
            out_low[i] = (low[i] * cos[i] - high[i] * sin[i]) * scale;
            out_high[i] = (high[i] * cos[i] + low[i] * sin[i]) * scale;
        }
    }

    /// Rotates with candle's operations. A row of `qkv`, `(tokens, (heads + 2 kv_heads) *
    /// head_dim)`, is queries, keys and values. Returns `(tokens * (heads + 2 kv_heads), head_dim)`,
    /// with queries divided by the root of the head size. All layers must have the same heads.
    pub(crate) fn apply(&self, qkv: &Tensor, heads: usize, kv_heads: usize) -> Result<Tensor> {
        let rows = qkv.dim(0)? * (heads + 2 * kv_heads);
        let tables = match self.tables.get() {
            Some(tables) => tables,
            None => {
                let tables = self.make_tables(heads, kv_heads, qkv.device())?;
                self.tables.get_or_init(|| tables)
            }
        };
        let x = qkv.reshape((1, rows, 1, 2 * self.half))?;
        let rotated = launch!(candle_nn::rotary_emb::rope_thd(
            &x,
            &tables.cos,
            &tables.sin
        )?);
        rotated.reshape((rows, 2 * self.half))
    }

    fn make_tables(&self, heads: usize, kv_heads: usize, device: &Device) -> Result<Tables> {
        let (half, tokens) = (self.half, self.cos.len() / self.half);
        let scale = 1.0 / ((2 * half) as f64).sqrt();
        let table = |factors: &[f32], value_factor: f32| -> Result<Tensor> {
            let factors = Tensor::from_slice(factors, (tokens, 1, half), device)?;
            let values = Tensor::full(value_factor, (tokens, 1, half), device)?;
            let parts = [
                ((&factors * scale)?, heads),
                (factors, kv_heads),
                (values, kv_heads),
            ];
            let parts = parts
                .iter()
                .map(|(part, heads)| part.broadcast_as((tokens, *heads, half)));
            let parts: Vec<Tensor> = parts.collect::<Result<_>>()?;
            let rows = tokens * (heads + 2 * kv_heads);
            Tensor::cat(&parts, 1)?
                .to_dtype(self.dtype)?
                .reshape((rows, half))
        };
        Ok(Tables {
            cos: table(&self.cos, 1.0)?,
            sin: table(&self.sin, 0.0)?,
        })
    }
}

/// Computes the `n` inverse frequencies of rotary positions with base `theta`.
pub(crate) fn frequencies(theta: f64, n: usize) -> Vec<f32> {
    let exponents = (0..n).map(|i| i as f32 / n as f32);
    exponents.map(|e| 1.0 / (theta as f32).powf(e)).collect()
}
