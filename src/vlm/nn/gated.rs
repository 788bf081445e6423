//! The gate and up projections of a gated MLP (SwiGLU), computed together.

use super::int8::{Int8Matrix, can_gate, gated_row};
use super::linear::{Linear, MatrixFormat, Placement, packed};
use super::ops;
use crate::vlm::checkpoint::weights::Weights;
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// `silu(x G^T + g) * (x U^T + u)`, with `G` and `U` of `(out, in)`.
#[derive(Debug, Clone)]
pub enum Gated {
    /// Interleaved rows, for a kernel that applies the gate before it writes.
    Int8(Arc<Int8Matrix>),
    /// One layer whose output is the gate followed by the up projection.
    Stacked(Linear),
}

impl Gated {
    /// Loads the layers `gate` and `up`, each `(rows, columns)`, with their biases if `bias`.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        [gate, up]: [String; 2],
        (rows, columns): (usize, usize),
        bias: bool,
    ) -> Result<Self> {
        let parts = [(gate, rows), (up, rows)];
        let bits = match placement.form(placement.quantization, columns) {
            MatrixFormat::Int8(bits) if !bias && can_gate(rows) => bits,
            _ => {
                let both = Linear::load_stacked(weights, placement, &parts, columns, bias)?;
                return Ok(Self::Stacked(both));
            }
        };
        let name = format!("{}*{}", parts[0].0, parts[1].0);
        let order = |row| gated_row(row, rows);
        let matrix = packed(weights, placement, &name, bits, &parts, columns, order)?;
        Ok(Self::Int8(matrix))
    }

    /// `(tokens, in)` to `(tokens, out)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Int8(matrix) => matrix.forward_gated(x),
            Self::Stacked(both) => ops::swiglu(&both.forward(x)?),
        }
    }

    /// Bytes of the weights, all of which one step reads.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Int8(matrix) => matrix.as_bytes().len(),
            Self::Stacked(both) => both.bytes(),
        }
    }
}
