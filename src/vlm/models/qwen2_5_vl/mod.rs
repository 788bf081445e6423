//! Qwen2.5-VL: the language model of Qwen2-VL, after a vision tower whose patches mostly attend
//! to their window. Follows `models/qwen2_5_vl` of transformers, number for number.

mod config;
mod vision;
mod windows;

pub use vision::VisionTower;
