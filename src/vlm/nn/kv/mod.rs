//! The KV cache.

pub(crate) mod element;
pub mod layout;
pub mod pool;
pub mod sequence;
