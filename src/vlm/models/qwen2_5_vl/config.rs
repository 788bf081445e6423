//! `vision_config` of a Qwen2.5-VL checkpoint.

use crate::error::Result;
use crate::vlm::checkpoint::config::{check_sizes, invalid};
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
    /// Name in the published checkpoints.
    in_chans: Option<usize>,
    patch_size: usize,
    spatial_merge_size: usize,
    temporal_patch_size: usize,
    hidden_act: Option<String>,
    /// Side of a window in pixels.
    window_size: usize,
    /// Blocks whose patches attend to their entire frame.
    pub fullatt_block_indexes: Vec<usize>,
    rope_parameters: Option<RopeFields>,
}

impl VisionFields {
    /// Number of tokens along a window's side.
    pub fn window_tokens(&self) -> usize {
        self.window_size / self.spatial_merge_size / self.patch_size
    }
}

impl TowerFields for VisionFields {
    fn sizes(&self) -> Result<Sizes> {
        check_activation(self.hidden_act.as_deref(), "silu")?;
        check_sizes(&[
            ("patch_size", self.patch_size),
            ("spatial_merge_size", self.spatial_merge_size),
        ])?;
        if self.window_tokens() == 0 {
            return Err(invalid(format!(
                "a window_size of {} is too small for the patches of one token",
                self.window_size
            )));
        }
        Ok(Sizes {
            depth: self.depth,
            width: self.hidden_size,
            heads: self.num_heads,
            inner: self.intermediate_size,
            features: self.out_hidden_size,
            channels: self.in_channels.or(self.in_chans),
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge: self.spatial_merge_size,
            rope_theta: RopeFields::vision_theta(self.rope_parameters.as_ref())?,
        })
    }
}
