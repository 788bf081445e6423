//! The parts that models are built of: linear layers, attention, norms, rotary positions and the
//! cache of keys and values. Nothing here belongs to one model.

pub mod attention;
mod attention_cpu;
pub mod int8;
pub mod kv_cache;
pub mod linear;
pub mod ops;
pub mod rope;
