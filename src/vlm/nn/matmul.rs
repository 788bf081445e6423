//! Matrix multiplication in f32 on the CPU.

#![allow(unsafe_code, reason = "gemm takes pointers and strides")]

use super::ops::with_slice;
use candle_core::{Result, Tensor};
use gemm::Parallelism;

/// `x * matrix^T`: `(tokens, in)` and `(out, in)` to `(tokens, out)`.
///
/// Candle calls the same kernel, but reads the number of cores from `/proc/cpuinfo` before each
/// product. That takes longer than a small product, and milliseconds on a machine with many cores.
pub(crate) fn matmul_t(x: &Tensor, matrix: &Tensor) -> Result<Tensor> {
    if cfg!(any(feature = "mkl", feature = "accelerate")) {
        return x.matmul(&matrix.t()?);
    }
    let (tokens, columns) = x.dims2()?;
    let (rows, width) = matrix.dims2()?;
    if columns != width {
        candle_core::bail!("{columns} columns times a matrix of {width}");
    }
    let threads = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    let mut out: Vec<f32> = Vec::with_capacity(tokens * rows);
    with_slice(x, |x| {
        with_slice(matrix, |matrix| {
            let stride = columns.cast_signed();
            // SAFETY: `x` and `matrix` are `(tokens, columns)` and `(rows, columns)`, row-major.
            // `out` has capacity for `(tokens, rows)`, which are written and never read.
            unsafe {
                gemm::gemm(
                    tokens,
                    rows,
                    columns,
                    out.as_mut_ptr(),
                    1,
                    rows.cast_signed(),
                    false,
                    x.as_ptr(),
                    1,
                    stride,
                    matrix.as_ptr(),
                    stride,
                    1,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    threads,
                );
                out.set_len(tokens * rows);
            }
            Ok(())
        })
    })?;
    Tensor::from_vec(out, (tokens, rows), x.device())
}
