//! Qwen2-VL: Qwen2 with three-part rotary positions, after a vision tower of plain transformer
//! blocks. Follows `models/qwen2_vl` of transformers, number for number.

mod config;
mod vision;

pub use vision::VisionTower;
