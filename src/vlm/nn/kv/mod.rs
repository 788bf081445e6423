//! The cache of keys and values.

pub mod layout;
pub mod pool;
pub mod sequence;
