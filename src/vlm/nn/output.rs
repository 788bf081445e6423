//! The output of our own products, which many threads write at once, and what becomes of a panel's
//! sums.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "threads that write to parts of one output, and loops for vector instructions"
)]

use super::ops::{Activation, with_slice};
use super::vectors::silu;
use candle_core::{Result, Tensor};

/// What is done with each row of a product: the bias is added, the activation applied, and the
/// residual added.
#[derive(Debug, Clone, Copy, Default)]
pub struct After<'a> {
    /// `(width)`.
    pub bias: Option<&'a Tensor>,
    pub activation: Option<Activation>,
    /// `(tokens, width)`.
    pub residual: Option<&'a Tensor>,
}

impl After<'_> {
    /// Calls `f` with the same over slices, for a product of this `(tokens, width)`.
    pub fn with_slices<R>(
        self,
        (tokens, width): (usize, usize),
        f: impl FnOnce(Finish) -> R,
    ) -> Result<R> {
        let fits = self.bias.is_none_or(|bias| bias.dims() == [width])
            && self
                .residual
                .is_none_or(|residual| residual.dims() == [tokens, width]);
        if !fits {
            candle_core::bail!("what is to be added does not fit a product of {tokens} x {width}")
        }
        let activation = self.activation;
        with_optional_slice(self.bias, |bias| {
            with_optional_slice(self.residual, |residual| {
                Ok(f(Finish::Add {
                    bias,
                    activation,
                    residual,
                }))
            })
        })
    }
}

fn with_optional_slice<R>(
    x: Option<&Tensor>,
    f: impl FnOnce(Option<&[f32]>) -> Result<R>,
) -> Result<R> {
    match x {
        Some(x) => with_slice(x, |x| f(Some(x))),
        None => f(None),
    }
}

/// The output that the panels' threads write to, each to a part of its own.
pub struct Output(*mut f32);

// SAFETY: it only tells addresses; who writes to them says why that is safe.
unsafe impl Sync for Output {}

impl Output {
    /// Of what `numbers` has room for. Whoever writes promises to keep within that, and to write
    /// before it is gone.
    pub fn new(numbers: &mut Vec<f32>) -> Self {
        Self(numbers.as_mut_ptr())
    }

    /// Where a number goes.
    #[inline(always)]
    fn at(&self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// See [`After`].
    Add {
        bias: Option<&'a [f32]>,
        activation: Option<Activation>,
        residual: Option<&'a [f32]>,
    },
    /// The first half of a panel's rows are gates of the second half: `silu(gate) * row`.
    Gate,
}

impl Default for Finish<'_> {
    fn default() -> Self {
        Self::Add {
            bias: None,
            activation: None,
            residual: None,
        }
    }
}

impl Finish<'_> {
    /// Outputs of so many rows of a matrix.
    #[inline(always)]
    pub fn width(self, rows: usize) -> usize {
        match self {
            Self::Add { .. } => rows,
            Self::Gate => rows / 2,
        }
    }
}

/// The part of the output for the products of a panel with a tile.
pub struct Part<'a> {
    /// `(tokens, width)`.
    pub out: &'a Output,
    pub width: usize,
    /// The first token, and the first column of the panel.
    pub token: usize,
    pub column: usize,
    pub finish: Finish<'a>,
}

impl Part<'_> {
    /// Writes what becomes of the sums of some tokens, from the first one on.
    ///
    /// # Safety
    /// The output, bias and residual are as large as said above, and nobody else touches this part
    /// of the output.
    #[inline(always)]
    pub unsafe fn write<const PANEL: usize>(&self, sums: &[[f32; PANEL]]) {
        let columns = self.finish.width(PANEL).min(self.width - self.column);
        for token in 0..sums.len() {
            let at = (self.token + token) * self.width + self.column;
            let mut row = sums[token];
            match self.finish {
                Finish::Gate => {
                    for i in 0..PANEL / 2 {
                        row[i] = silu::<true>(row[i]) * row[PANEL / 2 + i];
                    }
                }
                Finish::Add {
                    bias,
                    activation,
                    residual,
                } => {
                    if let Some(bias) = bias {
                        let bias = &bias[self.column..][..columns];
                        for i in 0..columns {
                            row[i] += bias[i];
                        }
                    }
                    if let Some(activation) = activation {
                        activation.apply_to::<true>(&mut row);
                    }
                    if let Some(residual) = residual {
                        let residual = &residual[at..][..columns];
                        for i in 0..columns {
                            row[i] += residual[i];
                        }
                    }
                }
            }
            // SAFETY: promised by the caller; the row has at least as many numbers.
            unsafe {
                self.out
                    .at(at)
                    .copy_from_nonoverlapping(row.as_ptr(), columns)
            };
        }
    }
}
