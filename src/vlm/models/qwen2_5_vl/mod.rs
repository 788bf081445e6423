//! Qwen2.5-VL: the language model of Qwen2-VL with a vision tower that mostly uses windowed
//! attention. Follows `models/qwen2_5_vl` of transformers exactly.

mod config;
mod vision;
mod windows;

pub use vision::VisionTower;
