//! Chinese-CLIP: the vision tower of CLIP beside a BERT that reads texts.

mod text;

use super::clip;
use crate::embed::architecture::{Architecture, Loaded, TextTower, VisionTower};
use crate::embed::pixels::PixelSpec;
use crate::embed::tokens::{Padding, Tidying, TokenSpec, TokenizerConfig};
use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use serde::Deserialize;
use text::TextConfig;

#[derive(Debug, Clone, Deserialize)]
pub struct ChineseClip {
    #[serde(default)]
    text_config: TextConfig,
    #[serde(default)]
    vision_config: clip::VisionConfig,
    /// What older files hold goes before the other.
    text_config_dict: Option<TextConfig>,
    vision_config_dict: Option<clip::VisionConfig>,
    #[serde(default = "clip::projection_dim")]
    projection_dim: usize,
}

impl ChineseClip {
    fn text_sizes(&self) -> &TextConfig {
        self.text_config_dict.as_ref().unwrap_or(&self.text_config)
    }

    fn vision_sizes(&self) -> &clip::VisionConfig {
        let older = self.vision_config_dict.as_ref();
        older.unwrap_or(&self.vision_config)
    }
}

impl Architecture for ChineseClip {
    fn check(&self) -> Result<()> {
        check_sizes(&[("projection_dim", self.projection_dim)])?;
        self.text_sizes().check()?;
        self.vision_sizes().check()
    }

    fn tensors(&self, list: &mut TensorList) {
        clip::VisionLayers::tensors(self.vision_sizes(), self.projection_dim, list);
        text::Tower::tensors(self.text_sizes(), self.projection_dim, list);
        list.add("logit_scale", &[]);
    }

    fn pixels(&self) -> PixelSpec {
        clip::pixels(self.vision_sizes())
    }

    fn tokens(&self, files: &CheckpointFiles) -> Result<TokenSpec> {
        Ok(TokenSpec {
            length: self.text_sizes().max_position_embeddings,
            vocab_size: self.text_sizes().vocab_size,
            tidying: Tidying::None,
            padding: Padding::Unseen,
            config: TokenizerConfig::read(files)?,
        })
    }

    fn vision(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: Loaded,
    ) -> candle_core::Result<Box<dyn VisionTower>> {
        let (config, width) = (self.vision_sizes(), self.projection_dim);
        let tower = clip::VisionLayers::load(weights, placement, config, width, loaded)?;
        Ok(Box::new(tower))
    }

    fn text(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: Loaded,
    ) -> candle_core::Result<Box<dyn TextTower>> {
        let (config, width) = (self.text_sizes(), self.projection_dim);
        let tower = text::Tower::load(weights, placement, config, width, loaded)?;
        Ok(Box::new(tower))
    }
}
