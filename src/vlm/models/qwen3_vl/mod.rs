//! Qwen3-VL, the dense ones: Qwen3 with interleaved three-part rotary positions, after a vision
//! tower with learned positions that gives features of several depths. Follows `models/qwen3_vl`
//! of transformers, number for number.

mod config;
mod positions;
mod vision;

pub use vision::VisionTower;
