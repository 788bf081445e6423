//! Norms, activations and elementwise sums: fused kernels over slices on the CPU, candle's
//! operations elsewhere.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "loops that vectorize, and output that is not zeroed before it is written"
)]

use super::launches::launch;
use super::simd::{
    each, gelu_tanh, gelu_tanh_row, layer_norm_row, quick_gelu, quick_gelu_row, rms_norm_row,
    swiglu_row, vectorized,
};
use crate::vlm::nn::team;
use candle_core::cpu::erf::erf_f32;
use candle_core::{D, DType, Result, Tensor};
use serde::Deserialize;
use std::mem::MaybeUninit;

/// Whether the fused kernels can read the tensor.
pub(crate) fn is_cpu_f32(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Calls `f` with the elements of a CPU f32 tensor in row-major order.
pub(crate) fn with_slice<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("expected a tensor on the CPU")
    };
    let start = layout.start_offset();
    f(&storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()])
}

/// Returns a guard that keeps the shapes and strides of CUDA kernels on the GPU: uploading them
/// takes as long as the kernels. It is for operations on the rows of `x` whose shapes repeat in the
/// next step, as in steps without prompts. Nothing else may be uploaded while the guard lives, since
/// it would stay on the GPU too.
pub(crate) fn repeated_shapes(x: &Tensor) -> impl Sized + use<> {
    const REPEATED_ROWS: usize = 512;
    let repeated = x.dims().first().is_some_and(|rows| *rows <= REPEATED_ROWS);
    #[cfg(feature = "cuda")]
    return match x.device() {
        candle_core::Device::Cuda(device) if repeated => {
            Some(device.enable_cuda_graph_htod_cache())
        }
        _ => None,
    };
    #[cfg(not(feature = "cuda"))]
    repeated
}

/// Numbers per task of an operation on each number: enough work to be worth passing to a thread.
const TASK_NUMBERS: usize = 4 * 1024;

/// Applies `f(row, out_row)` to the rows of a `(rows, width)` tensor, in parallel.
///
/// # Safety
/// `f` writes all `out_width` elements of its output row.
unsafe fn map_rows(
    x: &Tensor,
    out_width: usize,
    f: impl Fn(&[f32], &mut [MaybeUninit<f32>]) + Sync,
) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let numbers = rows * out_width;
    let mut out: Vec<f32> = Vec::with_capacity(numbers);
    with_slice(x, |x| {
        let grain = (TASK_NUMBERS / width.max(1)).max(1);
        let out = &mut out.spare_capacity_mut()[..numbers];
        team::for_chunks(out, out_width.max(1), grain, |row, out| {
            f(&x[row * width..][..width], out);
        });
        Ok(())
    })?;
    // SAFETY: `out` has as many rows as `x`, and the caller promises that `f` has written all of
    // each. Zeroing them first took 2 % of a step.
    unsafe { out.set_len(numbers) };
    Tensor::from_vec(out, (rows, out_width), x.device())
}

/// Returns the width of the rows of `x`; an error if the width of `weight` differs.
fn same_width(x: &Tensor, weight: &Tensor) -> Result<usize> {
    let width = x.dim(D::Minus1)?;
    if weight.dims() != [width] {
        candle_core::bail!("rows of {width} normalized with {:?}", weight.shape())
    }
    Ok(width)
}

/// RMS norm over the last dimension: `(tokens, hidden)` to the same.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if is_cpu_f32(x) {
        let width = same_width(x, weight)?;
        return with_slice(weight, |weight| {
            let row = |x: &[f32], out: &mut [_]| rms_norm_row(x, weight, eps as f32, out);
            // SAFETY: it writes all elements, since row, weight and output row have equal widths.
            unsafe { map_rows(x, width, row) }
        });
    }
    launch!(candle_nn::ops::rms_norm(
        &x.contiguous()?,
        weight,
        eps as f32
    ))
}

/// Layer norm over the last dimension: `(tokens, hidden)` to the same.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if is_cpu_f32(x) {
        let width = same_width(x, weight)?.min(same_width(x, bias)?);
        return with_slice(weight, |weight| {
            with_slice(bias, |bias| {
                let row =
                    |x: &[f32], out: &mut [_]| layer_norm_row(x, weight, bias, eps as f32, out);
                // SAFETY: it writes all elements, since row, weight, bias and output row have equal
                // widths.
                unsafe { map_rows(x, width, row) }
            })
        });
    }
    launch!(candle_nn::ops::layer_norm(
        &x.contiguous()?,
        weight,
        bias,
        eps as f32
    ))
}

/// `silu(gate) * up`, where a row is `gate` followed by `up`: `(tokens, 2 n)` to `(tokens, n)`.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let width = gate_up.dim(D::Minus1)?;
    if !width.is_multiple_of(2) {
        candle_core::bail!("rows of {width} cannot be split in half")
    }
    let half = width / 2;
    if is_cpu_f32(gate_up) {
        let row = |row: &[f32], out: &mut [_]| {
            let (gate, up) = row.split_at(half);
            swiglu_row(gate, up, out);
        };
        // SAFETY: it writes `half` elements, the width of the output row.
        return unsafe { map_rows(gate_up, half, row) };
    }
    let _shapes = repeated_shapes(gate_up);
    let gate = gate_up.narrow(D::Minus1, 0, half)?;
    let up = gate_up.narrow(D::Minus1, half, half)?;
    launch!(launch!(gate.silu()?) * up)
}

/// The activation function of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Activation {
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new", alias = "gelu_fast")]
    GeluTanh,
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    #[serde(rename = "gelu")]
    Gelu,
}

impl Activation {
    /// `(rows, width)` to the same.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        let row = match self {
            Self::GeluTanh => gelu_tanh_row,
            Self::QuickGelu => quick_gelu_row,
            Self::Gelu => return launch!(x.gelu_erf()),
        };
        if is_cpu_f32(x) {
            // SAFETY: each writes as many elements as the row and the output row have.
            return unsafe { map_rows(x, x.dim(D::Minus1)?, row) };
        }
        match self {
            Self::QuickGelu => {
                launch!(x * launch!(candle_nn::ops::sigmoid(&launch!((x * 1.702)?))?))
            }
            _ => launch!(x.gelu()),
        }
    }

    /// Applies the activation in place; inlined into functions with their own target features.
    #[inline(always)]
    pub(crate) fn apply_to<const FMA: bool>(self, x: &mut [f32]) {
        match self {
            Self::GeluTanh => {
                for i in each(0..x.len()) {
                    x[i] = gelu_tanh::<FMA>(x[i]);
                }
            }
            Self::QuickGelu => {
                for i in each(0..x.len()) {
                    x[i] = quick_gelu::<FMA>(x[i]);
                }
            }
            Self::Gelu => {
                for i in each(0..x.len()) {
                    x[i] *= 0.5 * (1.0 + erf_f32(x[i] * std::f32::consts::FRAC_1_SQRT_2));
                }
            }
        }
    }
}

vectorized! {
    fn add_to_row(x: &mut [f32], other: &[f32]) {
        let other = &other[..x.len()];
        for i in each(0..x.len()) {
            x[i] += other[i];
        }
    }
}

/// Adds a matrix of the same shape, or one row to each row, in place.
struct AddInPlace;

impl candle_core::InplaceOp2 for AddInPlace {
    fn name(&self) -> &'static str {
        "add in place"
    }

    fn cpu_fwd(
        &self,
        x: &mut candle_core::CpuStorage,
        x_layout: &candle_core::Layout,
        other: &candle_core::CpuStorage,
        other_layout: &candle_core::Layout,
    ) -> Result<()> {
        let candle_core::CpuStorage::F32(x) = x else {
            candle_core::bail!("expected f32")
        };
        let (Some((start, end)), Some((other_start, other_end))) = (
            x_layout.contiguous_offsets(),
            other_layout.contiguous_offsets(),
        ) else {
            candle_core::bail!("expected contiguous tensors")
        };
        let x = &mut x[start..end];
        let other = &other.as_slice::<f32>()?[other_start..other_end];
        if other.is_empty() || !x.len().is_multiple_of(other.len()) {
            candle_core::bail!("cannot add {} elements to {}", other.len(), x.len())
        }
        match other.len() == x.len() {
            true => team::for_chunks(x, TASK_NUMBERS, 1, |part, x| {
                add_to_row(x, &other[part * TASK_NUMBERS..][..x.len()]);
            }),
            false => {
                let grain = TASK_NUMBERS.div_ceil(other.len());
                team::for_chunks(x, other.len(), grain, |_, row| add_to_row(row, other));
            }
        }
        Ok(())
    }
}

/// Adds `other`, a row or a tensor of the same shape, to `x` in place. `x` must be f32 on the CPU and
/// not shared.
pub fn add_in_place(x: &Tensor, other: &Tensor) -> Result<()> {
    x.inplace_op2(&other.contiguous()?, &AddInPlace)
}

/// Weights of per-head norms, which apply to the first heads of a row.
#[derive(Debug)]
pub struct HeadNorms {
    /// `(normed heads, head_dim)`.
    weights: Tensor,
    /// `(head_dim)`: weights of a norm that only scales.
    ones: Tensor,
}

impl HeadNorms {
    /// `weights` are `(normed heads, head_dim)`.
    pub fn new(weights: Tensor) -> Result<Self> {
        let ones = Tensor::ones(weights.dim(1)?, weights.dtype(), weights.device())?;
        Ok(Self { weights, ones })
    }
}

/// RMS norm of each of the first heads of a row, `(tokens, heads * head_dim)`. Heads without weights
/// in `norms` stay unchanged. Returns the same shape.
pub fn norm_heads(x: Tensor, norms: &HeadNorms, eps: f64) -> Result<Tensor> {
    let HeadNorms { weights, ones } = norms;
    let (normed, head_dim) = weights.dims2()?;
    let (tokens, width) = x.dims2()?;
    let normed_width = normed * head_dim;
    if !width.is_multiple_of(head_dim) || width < normed_width {
        candle_core::bail!("rows of {width} do not contain {normed} heads of {head_dim}")
    }
    if is_cpu_f32(&x) {
        return with_slice(weights, |weights| {
            let row = |x: &[f32], out: &mut [MaybeUninit<f32>]| {
                let heads = x.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim));
                let mut weights = weights.chunks_exact(head_dim);
                for (x, out) in heads {
                    match weights.next() {
                        Some(weight) => rms_norm_row(x, weight, eps as f32, out),
                        None => {
                            out.write_copy_of_slice(x);
                        }
                    }
                }
            };
            // SAFETY: a row consists of heads, and each head of the output row is written.
            unsafe { map_rows(&x, width, row) }
        });
    }
    // Normalizes all heads: leaving some out would take a copy, which is one more launch.
    let heads = x.reshape((tokens * width / head_dim, head_dim))?;
    let heads = launch!(candle_nn::ops::rms_norm(&heads, ones, eps as f32)?);
    let heads = heads.reshape((tokens, width / head_dim, head_dim))?;
    let heads = heads.narrow(1, 0, normed)?;
    let heads = launch!(heads.broadcast_mul(weights)?).reshape((tokens, normed_width))?;
    // `x` is owned here and not shared.
    launch!(x.slice_set(&heads, 1, 0)?);
    Ok(x)
}

/// Adds `values`, `(n, hidden)`, to the rows of `x`, `(tokens, hidden)`, with the indices `rows`,
/// `(n)`.
pub fn add_to_rows(x: &Tensor, rows: &Tensor, values: &Tensor) -> Result<Tensor> {
    launch!(x.index_add(rows, values, 0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use candle_core::Device;

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 3.0, shape, &Device::Cpu).unwrap()
    }

    /// The largest absolute difference.
    pub fn furthest(a: &Tensor, b: &Tensor) -> f32 {
        let distance = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
        distance.max(0).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn fused_kernels_match_candle() {
        let x = random((37, 90));
        let (w, b) = (random((1, 90)), random((1, 90)));
        let (w, b) = (w.flatten_all().unwrap(), b.flatten_all().unwrap());

        let norm = candle_nn::ops::rms_norm_slow(&x, &w, 1e-6).unwrap();
        assert!(furthest(&rms_norm(&x, &w, 1e-6).unwrap(), &norm) < 1e-5);
        let norm = candle_nn::ops::layer_norm_slow(&x, &w, &b, 1e-6).unwrap();
        assert!(furthest(&layer_norm(&x, &w, &b, 1e-6).unwrap(), &norm) < 2e-5);

        let (gate, up) = (x.narrow(1, 0, 45).unwrap(), x.narrow(1, 45, 45).unwrap());
        let product = (gate.silu().unwrap() * up).unwrap();
        assert!(furthest(&swiglu(&x).unwrap(), &product) < 1e-5);
        let gelu = (&x * candle_nn::ops::sigmoid(&(&x * 1.702).unwrap()).unwrap()).unwrap();
        assert!(furthest(&Activation::QuickGelu.apply(&x).unwrap(), &gelu) < 1e-5);
        let gelu = x.gelu().unwrap();
        assert!(furthest(&Activation::GeluTanh.apply(&x).unwrap(), &gelu) < 1e-5);

        let sum = ((&x + &x).unwrap().broadcast_add(&b)).unwrap();
        let in_place = x.copy().unwrap();
        add_in_place(&in_place, &x).unwrap();
        add_in_place(&in_place, &b).unwrap();
        assert_eq!(furthest(&in_place, &sum), 0.0);
        assert!(add_in_place(&in_place, &w.narrow(0, 0, 7).unwrap()).is_err());
    }

    #[test]
    fn each_normed_head_is_normalized_and_the_rest_stay_unchanged() {
        let (normed, all, dim) = (5, 7, 12);
        let x = random((9, all * dim));
        let weights = random((normed, dim));
        let norms = |weights: Tensor| HeadNorms::new(weights).unwrap();
        let plain = norm_heads(x.copy().unwrap(), &norms(weights.clone()), 1e-6).unwrap();
        for head in 0..all {
            let part = |x: &Tensor| x.narrow(1, head * dim, dim).unwrap().contiguous().unwrap();
            let expected = match head < normed {
                true => rms_norm(&part(&x), &weights.get(head).unwrap(), 1e-6).unwrap(),
                false => part(&x),
            };
            assert!(furthest(&part(&plain), &expected) < 1e-6);
        }
        let half = |x: &Tensor| x.to_dtype(DType::F16).unwrap();
        let tensors = norm_heads(half(&x), &norms(half(&weights)), 1e-6).unwrap();
        assert!(furthest(&plain, &tensors.to_dtype(DType::F32).unwrap()) < 3e-2);
        assert!(norm_heads(x, &norms(random((8, dim))), 1e-6).is_err());
    }
}
