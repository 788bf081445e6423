//! CLIP: a class token among the patches of a picture, and texts that end with a token of their own.

mod config;
mod text;
mod vision;

use crate::embed::architecture::{Architecture, Loaded, TextTower, VisionTower};
use crate::embed::pixels::PixelSpec;
use crate::embed::tokens::{Padding, Tidying, TokenSpec, TokenizerConfig};
use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use config::TextConfig;
pub use config::VisionConfig;
use serde::Deserialize;
pub use vision::Tower as VisionLayers;

#[derive(Debug, Clone, Deserialize)]
pub struct Clip {
    #[serde(default)]
    text_config: TextConfig,
    #[serde(default)]
    vision_config: VisionConfig,
    /// What older files hold goes before the other.
    text_config_dict: Option<TextConfig>,
    vision_config_dict: Option<VisionConfig>,
    #[serde(default = "projection_dim")]
    projection_dim: usize,
}

/// Numbers of a vector where the checkpoint does not say.
pub fn projection_dim() -> usize {
    512
}

/// How pictures are prepared where the checkpoint does not say.
pub fn pixels(config: &VisionConfig) -> PixelSpec {
    PixelSpec {
        side: config.image_size,
        patch: config.patch_size,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        is_cropped: true,
    }
}

impl Clip {
    fn text_sizes(&self) -> &TextConfig {
        self.text_config_dict.as_ref().unwrap_or(&self.text_config)
    }

    fn vision_sizes(&self) -> &VisionConfig {
        let older = self.vision_config_dict.as_ref();
        older.unwrap_or(&self.vision_config)
    }
}

impl Architecture for Clip {
    fn check(&self) -> Result<()> {
        check_sizes(&[("projection_dim", self.projection_dim)])?;
        self.text_sizes().check()?;
        self.vision_sizes().check()
    }

    fn tensors(&self, list: &mut TensorList) {
        vision::Tower::tensors(self.vision_sizes(), self.projection_dim, list);
        text::Tower::tensors(self.text_sizes(), self.projection_dim, list);
        list.add("logit_scale", &[]);
    }

    fn pixels(&self) -> PixelSpec {
        pixels(self.vision_sizes())
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
        let tower = vision::Tower::load(weights, placement, config, width, loaded)?;
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
