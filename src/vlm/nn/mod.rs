//! The building blocks of models: linear layers, attention, norms, rotary positions and the KV
//! cache. Nothing here is specific to one model.

pub mod attention;
pub mod batch;
pub mod gated;
pub mod int8;
pub mod kv;
pub(crate) mod launches;
pub mod linear;
mod matmul;
pub mod ops;
pub mod output;
mod packed;
mod padding;
mod pages;
pub mod rope;
pub mod simd;
pub mod team;

/// The implementation that runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our own kernels over f32 slices, on the CPU.
    Slices,
    /// Candle's tensor operations, on any device.
    Tensors,
}
