//! One folder for each architecture.

pub mod qwen2_vl;
