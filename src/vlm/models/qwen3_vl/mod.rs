//! Qwen3-VL (dense): Qwen3 with interleaved three-part rotary positions and a vision tower with
//! learned positions that outputs features of several depths (DeepStack). Follows `models/qwen3_vl`
//! of transformers exactly.

mod config;
mod positions;
mod vision;

pub use vision::VisionTower;
