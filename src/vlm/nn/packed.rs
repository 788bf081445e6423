//! Matrix products with f32 weights that are packed when they are loaded, for processors with
//! AVX-512. For other processors and matrices, see [`super::matmul`].
//!
//! A panel is some rows of the matrix, interleaved column by column. While a panel is in the cache,
//! tile after tile of tokens is multiplied with it. The sums of a tile stay in registers for all
//! columns, and the epilogue is applied before they are written.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "vector instructions, and threads that write to disjoint parts of one output"
)]

use super::ops::with_slice;
use super::output::{ACTIVATION_BYTES, Epilogue, EpilogueArgs, OutputTile};
use super::pages::{Pages, Pod};
use super::team::{self, SharedPointer};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// Rows of the matrix per panel: three registers of 16.
const PANEL: usize = 48;
/// Tokens per pass over a panel. With rows of a power of two, more tokens would evict each other
/// from the L1 cache.
const TILE: usize = 8;
/// Minimum number of multiplications per task, to be worth passing to a thread.
const MIN_TASK_PRODUCTS: usize = 1 << 17;

// SAFETY: any bytes are a valid `f32`.
unsafe impl Pod for f32 {}

/// A matrix of `(rows, columns)`.
pub struct F32Matrix {
    rows: usize,
    columns: usize,
    /// Panels of `(columns, PANEL)`. Padding rows of the last panel are zero.
    panels: Pages<f32>,
}

impl std::fmt::Debug for F32Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "F32Matrix({}, {})", self.rows, self.columns)
    }
}

impl F32Matrix {
    /// Whether this processor has AVX-512 and the build uses no other BLAS.
    pub fn is_supported() -> bool {
        #[cfg(target_arch = "x86_64")]
        return !cfg!(any(feature = "mkl", feature = "accelerate"))
            && is_x86_feature_detected!("avx512f");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Packs a matrix, `(rows, columns)` in f32 on the CPU.
    pub fn pack(matrix: &Tensor) -> Result<Self> {
        let (rows, columns) = matrix.dims2()?;
        let mut panels = Pages::new(rows.div_ceil(PANEL) * PANEL * columns)?;
        with_slice(matrix, |matrix| {
            panels
                .par_chunks_mut(PANEL * columns)
                .zip(matrix.par_chunks(PANEL * columns))
                .for_each(|(panel, rows)| {
                    for (lane, row) in rows.chunks_exact(columns).enumerate() {
                        for column in 0..columns {
                            panel[column * PANEL + lane] = row[column];
                        }
                    }
                });
            Ok(())
        })?;
        Ok(Self {
            rows,
            columns,
            panels,
        })
    }

    pub fn bytes(&self) -> usize {
        self.panels.bytes().len()
    }

    /// Looks up rows: `(ids)` to `(ids, columns)`.
    pub fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = ids.to_vec1::<u32>()?;
        let mut out: Vec<f32> = Vec::with_capacity(ids.len() * self.columns);
        for row in ids.iter().map(|row| *row as usize) {
            if row >= self.rows {
                candle_core::bail!("row {row} of {}", self.rows)
            }
            let panel = &self.panels[row / PANEL * PANEL * self.columns..];
            let lane = panel[row % PANEL..].iter().step_by(PANEL);
            out.extend(lane.take(self.columns));
        }
        Tensor::from_vec(out, (ids.len(), self.columns), &Device::Cpu)
    }

    /// Multiplies: `(tokens, columns)` to `(tokens, rows)`, and applies the epilogue.
    pub fn forward(&self, x: &Tensor, args: EpilogueArgs) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns {
            candle_core::bail!("{columns} activations for {} columns", self.columns)
        }
        let out = with_slice(x, |x| {
            args.with_slices((tokens, self.rows), |epilogue| {
                self.product(x, tokens, epilogue)
            })
        })?;
        Tensor::from_vec(out, (tokens, self.rows), x.device())
    }

    fn product(&self, x: &[f32], tokens: usize, epilogue: Epilogue) -> Vec<f32> {
        // The unsafe code below relies on this.
        assert!(Self::is_supported() && x.len() == tokens * self.columns);
        let mut out: Vec<f32> = Vec::with_capacity(tokens * self.rows);
        let shared = SharedPointer::new(out.as_mut_ptr());
        let at_once = ACTIVATION_BYTES / (size_of::<f32>() * self.columns.max(1));
        let at_once = (at_once / TILE * TILE).clamp(TILE, tokens.next_multiple_of(TILE).max(TILE));
        let panels = self.rows.div_ceil(PANEL);
        // Multiplications of a panel with the tokens of a group.
        let products = PANEL * self.columns * at_once.min(tokens);
        let grain = (MIN_TASK_PRODUCTS / products.max(1)).max(1);
        team::for_each(tokens.div_ceil(at_once) * panels, grain, |task| {
            let (group, panel) = (task / panels, task % panels);
            let weights = &self.panels[panel * PANEL * self.columns..][..PANEL * self.columns];
            let group = group * at_once..tokens.min((group + 1) * at_once);
            for token in group.clone().step_by(TILE) {
                let used = TILE.min(group.end - token);
                let x = &x[token * self.columns..][..used * self.columns];
                let out_tile = OutputTile {
                    out: &shared,
                    width: self.rows,
                    token,
                    column: panel * PANEL,
                    epilogue,
                };
                // SAFETY: the processor has the instructions; `x` has `used` rows as wide as the
                // panel; bias and residual match the product; no other task writes this part of
                // the output, which outlives the loop.
                unsafe { multiply_tile(x, used, weights, &out_tile) };
            }
        });
        // SAFETY: the panels cover all rows of the matrix and the groups cover all tokens, so every
        // element was written.
        unsafe { out.set_len(tokens * self.rows) };
        out
    }
}

/// Multiplies a panel with `used` rows of `x`, at most [`TILE`].
///
/// # Safety
/// The processor has AVX-512; `x` has `used` rows as wide as the panel; the output meets the
/// requirements of [`OutputTile::write`].
unsafe fn multiply_tile(x: &[f32], used: usize, panel: &[f32], out: &OutputTile) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: promised by the caller.
    unsafe {
        match used {
            1 => multiply::<1>(x, panel, out),
            2 => multiply::<2>(x, panel, out),
            3 => multiply::<3>(x, panel, out),
            4 => multiply::<4>(x, panel, out),
            5 => multiply::<5>(x, panel, out),
            6 => multiply::<6>(x, panel, out),
            7 => multiply::<7>(x, panel, out),
            _ => multiply::<TILE>(x, panel, out),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (x, used, panel, out);
        unreachable!("no processor of this kind is supported")
    }
}

/// Loops index plainly instead of using iterators, see the int8 kernel.
///
/// # Safety
/// See [`multiply_tile`], with `ROWS` rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn multiply<const ROWS: usize>(x: &[f32], panel: &[f32], out: &OutputTile) {
    use std::arch::x86_64::*;
    const LANES: usize = 16;
    const REGISTERS: usize = PANEL / LANES;
    let columns = panel.len() / PANEL;
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
    for column in 0..columns {
        let mut weights = [_mm512_setzero_ps(); REGISTERS];
        for i in 0..REGISTERS {
            // SAFETY: a panel has `REGISTERS * LANES` elements for each column.
            weights[i] = unsafe { _mm512_loadu_ps(panel.as_ptr().add(column * PANEL + i * LANES)) };
        }
        for row in 0..ROWS {
            // SAFETY: promised by the caller.
            let number = unsafe { *x.as_ptr().add(row * columns + column) };
            let number = _mm512_set1_ps(number);
            for i in 0..REGISTERS {
                sums[row][i] = _mm512_fmadd_ps(number, weights[i], sums[row][i]);
            }
        }
    }
    let mut numbers = [[0f32; PANEL]; ROWS];
    for row in 0..ROWS {
        for i in 0..REGISTERS {
            // SAFETY: a row is `REGISTERS` registers.
            unsafe { _mm512_storeu_ps(numbers[row].as_mut_ptr().add(i * LANES), sums[row][i]) };
        }
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(&numbers) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::nn::ops::Activation;
    use crate::vlm::nn::ops::tests::furthest;

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn products_and_epilogues_match_candle() {
        if !F32Matrix::is_supported() {
            return;
        }
        for (rows, columns) in [(1, 1), (48, 64), (100, 300), (49, 1024)] {
            let matrix = random((rows, columns));
            let packed = F32Matrix::pack(&matrix).unwrap();
            let bias = random((1, rows)).flatten_all().unwrap();
            for tokens in [1, 2, 7, 8, 9, 300] {
                let (x, residual) = (random((tokens, columns)), random((tokens, rows)));
                let plain = x.matmul(&matrix.t().unwrap()).unwrap();
                let got = packed.forward(&x, EpilogueArgs::default()).unwrap();
                assert!(furthest(&got, &plain) < 1e-3);
                let biased = plain.broadcast_add(&bias).unwrap();
                for activation in [
                    Activation::GeluTanh,
                    Activation::QuickGelu,
                    Activation::Gelu,
                ] {
                    let expected = (activation.apply(&biased).unwrap() + &residual).unwrap();
                    let args = EpilogueArgs {
                        bias: Some(&bias),
                        activation: Some(activation),
                        residual: Some(&residual),
                    };
                    let got = packed.forward(&x, args).unwrap();
                    assert!(furthest(&got, &expected) < 1e-3, "{activation:?}");
                }
            }
            let short = random((3, columns + 1));
            assert!(packed.forward(&short, EpilogueArgs::default()).is_err());
        }
    }

    #[test]
    fn rows_are_looked_up() {
        let matrix = random((50, 30));
        let packed = F32Matrix::pack(&matrix).unwrap();
        let ids = Tensor::new(&[49u32, 0, 7, 48], &Device::Cpu).unwrap();
        let expected = matrix.index_select(&ids, 0).unwrap();
        assert_eq!(furthest(&packed.gather(&ids).unwrap(), &expected), 0.0);
        assert!(
            packed
                .gather(&Tensor::new(&[50u32], &Device::Cpu).unwrap())
                .is_err()
        );
    }
}
