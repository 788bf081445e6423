//! SigLIP and fixed-size SigLIP 2: a pooling head over an image's patches, and texts padded to a
//! fixed length.

mod config;
mod text;
mod vision;

use crate::embed::architecture::{LoadProgress, RetrieverArchitecture, TextTower, VisionTower};
use crate::embed::pixels::PixelSpec;
use crate::embed::tokens::{Normalization, TextPadding, TokenSpec, TokenizerConfig};
use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::invalid;
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use config::{TextConfig, VisionConfig};
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Siglip {
    #[serde(default)]
    text_config: TextConfig,
    #[serde(default)]
    vision_config: VisionConfig,
}

impl RetrieverArchitecture for Siglip {
    fn check(&self) -> Result<()> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        text.check()?;
        vision.check()?;
        match vision.hidden_size == text.projection() {
            true => Ok(()),
            false => Err(invalid(format!(
                "vectors of images have {} elements, those of texts {}",
                vision.hidden_size,
                text.projection()
            ))),
        }
    }

    fn tensor_name(&self, stored: &str) -> String {
        vision::tensor_name(stored)
    }

    fn tensors(&self, list: &mut TensorList) {
        vision::Tower::tensors(&self.vision_config, list);
        text::Tower::tensors(&self.text_config, list);
        list.add(Role::Plain, "logit_scale", &[1]);
        list.add(Role::Plain, "logit_bias", &[1]);
    }

    fn pixels(&self) -> PixelSpec {
        PixelSpec {
            side: self.vision_config.image_size,
            patch: self.vision_config.patch_size,
            mean: [0.5; 3],
            std: [0.5; 3],
            is_cropped: false,
        }
    }

    fn tokens(&self, files: &CheckpointFiles) -> Result<TokenSpec> {
        let config = TokenizerConfig::read(files)?;
        let normalization = match config.class() {
            "SiglipTokenizer" => Normalization::Canonical {
                lowercase: config.do_lower_case.unwrap_or(true),
            },
            "Siglip2Tokenizer" => Normalization::Lowercase,
            _ => Normalization::None,
        };
        let is_left = matches!(config.class(), "Siglip2Tokenizer" | "GemmaTokenizer");
        Ok(TokenSpec {
            length: self.text_config.max_position_embeddings,
            vocab_size: self.text_config.vocab_size,
            normalization,
            padding: TextPadding::Fixed { is_left },
            config,
        })
    }

    fn vision(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn VisionTower>> {
        let tower = vision::Tower::load(weights, placement, &self.vision_config, loaded)?;
        Ok(Box::new(tower))
    }

    fn text(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn TextTower>> {
        let tower = text::Tower::load(weights, placement, &self.text_config, loaded)?;
        Ok(Box::new(tower))
    }
}
