//! The output of our own products, written by many threads at once, and the epilogue applied to the
//! sums.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "threads that write to disjoint parts of one output, and loops that vectorize"
)]

use super::ops::{Activation, with_slice};
use super::simd::silu;
use super::team::SharedPointer;
use candle_core::{Result, Tensor};

/// Bytes of activations that stay in the L2 cache while panel after panel uses them.
pub const ACTIVATION_BYTES: usize = 1 << 20;

/// The tensors of [`Epilogue::Add`].
#[derive(Debug, Clone, Copy, Default)]
pub struct EpilogueArgs<'a> {
    /// `(width)`.
    pub bias: Option<&'a Tensor>,
    pub activation: Option<Activation>,
    /// `(tokens, width)`.
    pub residual: Option<&'a Tensor>,
}

impl EpilogueArgs<'_> {
    /// Calls `f` with the epilogue over slices, for a product of shape `(tokens, width)`.
    pub fn with_slices<R>(
        self,
        (tokens, width): (usize, usize),
        f: impl FnOnce(Epilogue) -> R,
    ) -> Result<R> {
        let fits = self.bias.is_none_or(|bias| bias.dims() == [width])
            && self
                .residual
                .is_none_or(|residual| residual.dims() == [tokens, width]);
        if !fits {
            candle_core::bail!("bias or residual does not match a product of {tokens} x {width}")
        }
        let activation = self.activation;
        with_optional_slice(self.bias, |bias| {
            with_optional_slice(self.residual, |residual| {
                Ok(f(Epilogue::Add {
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

/// The operation applied to the sums of a product before they are written.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// Adds `bias`, `(width)`, applies the activation and adds `residual`, `(tokens, width)`.
    Add {
        bias: Option<&'a [f32]>,
        activation: Option<Activation>,
        residual: Option<&'a [f32]>,
    },
    /// `silu(gate) * up`, where the first half of a panel's rows are gates of the second half.
    Gate,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Self::Add {
            bias: None,
            activation: None,
            residual: None,
        }
    }
}

impl Epilogue<'_> {
    /// Number of outputs for this many rows of a matrix.
    #[inline(always)]
    pub fn width(self, rows: usize) -> usize {
        match self {
            Self::Add { .. } => rows,
            Self::Gate => rows / 2,
        }
    }
}

/// The part of the output for the product of one panel with one tile.
pub struct OutputTile<'a> {
    /// `(tokens, width)`.
    pub out: &'a SharedPointer<f32>,
    pub width: usize,
    /// First token.
    pub token: usize,
    /// First column.
    pub column: usize,
    pub epilogue: Epilogue<'a>,
}

impl OutputTile<'_> {
    /// Applies the epilogue to the sums of consecutive tokens and writes them.
    ///
    /// # Safety
    /// The output, bias and residual have the documented sizes, and no other thread accesses this
    /// part of the output.
    #[inline(always)]
    pub unsafe fn write<const PANEL: usize>(&self, sums: &[[f32; PANEL]]) {
        let columns = self.epilogue.width(PANEL).min(self.width - self.column);
        // The usual widths are compiled in: copying an unknown number of columns is a call, and the
        // calls took 3 % of a step.
        // SAFETY: promised by the caller.
        unsafe {
            if columns == PANEL {
                self.write_columns(sums, PANEL);
            } else if columns == PANEL / 2 {
                self.write_columns(sums, PANEL / 2);
            } else {
                self.write_columns(sums, columns);
            }
        }
    }

    /// Writes the first `columns` of each row.
    ///
    /// # Safety
    /// See [`Self::write`].
    #[inline(always)]
    unsafe fn write_columns<const PANEL: usize>(&self, sums: &[[f32; PANEL]], columns: usize) {
        for token in 0..sums.len() {
            let at = (self.token + token) * self.width + self.column;
            let sums = &sums[token];
            let mut row = *sums;
            match self.epilogue {
                Epilogue::Gate => {
                    for i in 0..PANEL / 2 {
                        row[i] = silu::<true>(sums[i]) * sums[PANEL / 2 + i];
                    }
                }
                Epilogue::Add {
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
                        // A copy, so that without an activation the row stays in registers.
                        let mut active = row;
                        activation.apply_to::<true>(&mut active);
                        row = active;
                    }
                    if let Some(residual) = residual {
                        let residual = &residual[at..][..columns];
                        for i in 0..columns {
                            row[i] += residual[i];
                        }
                    }
                }
            }
            // SAFETY: promised by the caller; the row has at least `columns` elements.
            unsafe {
                self.out
                    .at(at)
                    .copy_from_nonoverlapping(row.as_ptr(), columns)
            };
        }
    }
}
