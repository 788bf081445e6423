//! CLIP: a class token represents an image, the end token represents a text.

mod config;
mod text;
mod vision;

use crate::embed::architecture::{LoadProgress, RetrieverArchitecture, TextTower, VisionTower};
use crate::embed::pixels::PixelSpec;
use crate::embed::tokens::{Normalization, TextPadding, TokenSpec, TokenizerConfig};
use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::check_sizes;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use config::{TextConfig, VisionConfig};
use serde::Deserialize;
use std::fmt::Debug;

/// The text side of a CLIP, parsed from `text_config`.
pub trait TextSide: Debug + Send + Sync {
    /// # Errors
    /// If the sizes are invalid.
    fn check(&self) -> Result<()>;

    fn vocab_size(&self) -> usize;

    /// Maximum number of tokens of a text.
    fn length(&self) -> usize;

    /// Lists every tensor that [`Self::load`] reads.
    fn tensors(&self, width: usize, list: &mut TensorList);

    /// Loads the tower, whose vectors have `width` elements.
    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        width: usize,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn TextTower>>;
}

/// CLIP's vision tower with its own or another text tower.
#[derive(Debug, Clone, Deserialize)]
pub struct Clip<T = TextConfig> {
    #[serde(default)]
    text_config: T,
    #[serde(default)]
    vision_config: VisionConfig,
    /// In older files; takes precedence over `text_config`.
    text_config_dict: Option<T>,
    vision_config_dict: Option<VisionConfig>,
    #[serde(default = "projection_dim")]
    projection_dim: usize,
}

/// Default vector width.
fn projection_dim() -> usize {
    512
}

impl<T> Clip<T> {
    fn text_sizes(&self) -> &T {
        self.text_config_dict.as_ref().unwrap_or(&self.text_config)
    }

    fn vision_sizes(&self) -> &VisionConfig {
        let older = self.vision_config_dict.as_ref();
        older.unwrap_or(&self.vision_config)
    }
}

impl<T: TextSide> RetrieverArchitecture for Clip<T> {
    fn check(&self) -> Result<()> {
        check_sizes(&[("projection_dim", self.projection_dim)])?;
        self.text_sizes().check()?;
        self.vision_sizes().check()
    }

    fn tensors(&self, list: &mut TensorList) {
        vision::Tower::tensors(self.vision_sizes(), self.projection_dim, list);
        self.text_sizes().tensors(self.projection_dim, list);
        list.add(Role::Plain, "logit_scale", &[]);
    }

    fn pixels(&self) -> PixelSpec {
        let config = self.vision_sizes();
        PixelSpec {
            side: config.image_size,
            patch: config.patch_size,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            is_cropped: true,
        }
    }

    fn tokens(&self, files: &CheckpointFiles) -> Result<TokenSpec> {
        Ok(TokenSpec {
            length: self.text_sizes().length(),
            vocab_size: self.text_sizes().vocab_size(),
            normalization: Normalization::None,
            padding: TextPadding::None,
            config: TokenizerConfig::read(files)?,
        })
    }

    fn vision(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn VisionTower>> {
        let (config, width) = (self.vision_sizes(), self.projection_dim);
        let tower = vision::Tower::load(weights, placement, config, width, loaded)?;
        Ok(Box::new(tower))
    }

    fn text(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn TextTower>> {
        let width = self.projection_dim;
        self.text_sizes().load(weights, placement, width, loaded)
    }
}
