//! `vision_config` of a Qwen2-VL checkpoint.

use crate::error::Result;
use crate::vlm::models::shared::config::{RopeFields, check_activation};
use crate::vlm::models::shared::family::TowerFields;
use crate::vlm::models::shared::vision::Sizes;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub struct VisionFields {
    depth: usize,
    embed_dim: usize,
    num_heads: usize,
    mlp_ratio: f64,
    /// Width of the features for the language model.
    hidden_size: usize,
    in_channels: Option<usize>,
    /// Name in the published checkpoints.
    in_chans: Option<usize>,
    patch_size: usize,
    spatial_merge_size: usize,
    temporal_patch_size: usize,
    hidden_act: Option<String>,
    rope_parameters: Option<RopeFields>,
}

impl TowerFields for VisionFields {
    fn sizes(&self) -> Result<Sizes> {
        check_activation(self.hidden_act.as_deref(), "quick_gelu")?;
        Ok(Sizes {
            depth: self.depth,
            width: self.embed_dim,
            heads: self.num_heads,
            inner: (self.embed_dim as f64 * self.mlp_ratio) as usize,
            features: self.hidden_size,
            channels: self.in_channels.or(self.in_chans),
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge: self.spatial_merge_size,
            rope_theta: RopeFields::vision_theta(self.rope_parameters.as_ref())?,
        })
    }
}
