//! Qwen2-VL: Qwen2 with three-part rotary positions and a vision tower of standard transformer
//! blocks. Follows `models/qwen2_vl` of transformers exactly.

mod config;
mod vision;

pub use vision::VisionTower;
