//! Qwen2-VL.

pub mod config;
pub mod image;
pub mod rope;
pub mod text;
pub mod vision;
