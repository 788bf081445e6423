//! The parts that models are built of: linear layers, attention, norms, rotary positions and the
//! cache of keys and values. Nothing here belongs to one model.

pub mod attention;
pub mod batch;
pub mod gated;
pub mod int8;
pub mod kv;
pub(crate) mod launches;
pub mod linear;
pub mod ops;
mod output;
mod packed;
mod padding;
mod pages;
mod product;
pub mod rope;
pub(crate) mod stored;
pub mod vectors;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our own kernels over slices of f32, on the CPU.
    Slices,
    /// candle's operations over whole tensors, on any device.
    Tensors,
}
