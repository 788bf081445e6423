//! Rotary position embeddings: the angles of a step's tokens, and rotating heads by them.

use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// The temporal, vertical and horizontal position of a token; a text token has the same number in
/// all three.
pub type Position = [u32; 3];

/// The cosines and sines of a step's tokens.
pub struct Angles {
    /// `(tokens, head_dim / 2)`, row-major.
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
    /// The same on an accelerator.
    tables: Option<(Tensor, Tensor)>,
    half: usize,
}

impl Angles {
    /// From angles, `(tokens, half)`, where `half` is half of the head size.
    pub fn new(angles: &[f32], half: usize, device: &Device, dtype: DType) -> Result<Self> {
        let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
        let tables = if device.is_cpu() {
            None
        } else {
            let shape = (angles.len() / half, half);
            let table = |values: &[f32]| Tensor::from_slice(values, shape, device)?.to_dtype(dtype);
            Some((table(&cos)?, table(&sin)?))
        };
        Ok(Self {
            cos,
            sin,
            tables,
            half,
        })
    }

    /// Rotates and scales one head of one token, `x`, and calls `out` with each index and number.
    #[inline]
    pub(crate) fn rotate(
        &self,
        token: usize,
        x: &[f32],
        scale: f32,
        mut out: impl FnMut(usize, f32),
    ) {
        let half = self.half;
        let cos = &self.cos[token * half..(token + 1) * half];
        let sin = &self.sin[token * half..(token + 1) * half];
        let (low, high) = x.split_at(half);
        for i in 0..half {
            out(i, (low[i] * cos[i] - high[i] * sin[i]) * scale);
        }
        for i in 0..half {
            out(half + i, (high[i] * cos[i] + low[i] * sin[i]) * scale);
        }
    }

    /// The angles of some of the tokens.
    pub(crate) fn rows(&self, rows: &Range<usize>) -> Result<Angles> {
        let part = |table: &Tensor| table.narrow(0, rows.start, rows.len());
        let tables = match &self.tables {
            Some((cos, sin)) => Some((part(cos)?, part(sin)?)),
            None => None,
        };
        let numbers = rows.start * self.half..rows.end * self.half;
        Ok(Self {
            cos: self.cos[numbers.clone()].to_vec(),
            sin: self.sin[numbers].to_vec(),
            tables,
            half: self.half,
        })
    }

    /// Rotates with candle's operations: `(tokens, heads, head_dim)` to
    /// `(heads, tokens, head_dim)`.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.transpose(0, 1)?.unsqueeze(0)?.contiguous()?;
        let rotated = match &self.tables {
            Some((cos, sin)) => candle_nn::rotary_emb::rope(&x, cos, sin)?,
            None => {
                let shape = (self.cos.len() / self.half, self.half);
                let table = |values: &[f32]| {
                    Tensor::from_slice(values, shape, x.device())?.to_dtype(x.dtype())
                };
                candle_nn::rotary_emb::rope(&x, &table(&self.cos)?, &table(&self.sin)?)?
            }
        };
        rotated.squeeze(0)
    }
}

/// The `n` inverse frequencies of rotary positions with base `theta`.
pub(crate) fn frequencies(theta: f64, n: usize) -> Vec<f32> {
    let exponents = (0..n).map(|i| i as f32 / n as f32);
    exponents.map(|e| 1.0 / (theta as f32).powf(e)).collect()
}
