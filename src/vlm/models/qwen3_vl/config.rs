//! `vision_config` of a Qwen3-VL checkpoint.

use crate::error::Result;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::models::shared::config::{RopeFields, check_activation};
use crate::vlm::models::shared::family::TowerFields;
use crate::vlm::models::shared::vision::Sizes;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub struct VisionFields {
    depth: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_heads: usize,
    /// Width of the features for the language model.
    out_hidden_size: usize,
    in_channels: Option<usize>,
    patch_size: usize,
    spatial_merge_size: usize,
    temporal_patch_size: usize,
    hidden_act: Option<String>,
    /// Size of the square grid of learned positions.
    pub num_position_embeddings: usize,
    /// Blocks after which features for the language model's first layers are taken.
    pub deepstack_visual_indexes: Vec<usize>,
    rope_parameters: Option<RopeFields>,
}

impl TowerFields for VisionFields {
    fn sizes(&self) -> Result<Sizes> {
        check_activation(self.hidden_act.as_deref(), "gelu_pytorch_tanh")?;
        check_sizes(&[("num_position_embeddings", self.num_position_embeddings)])?;
        Ok(Sizes {
            depth: self.depth,
            width: self.hidden_size,
            heads: self.num_heads,
            inner: self.intermediate_size,
            features: self.out_hidden_size,
            channels: self.in_channels,
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge: self.spatial_merge_size,
            rope_theta: RopeFields::vision_theta(self.rope_parameters.as_ref())?,
        })
    }
}
