//! The sizes of the two towers. The defaults are those of the base model.

use crate::embed::encoder::{EncoderConfig, LayerStyle};
use crate::embed::pixels;
use crate::error::Result;
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::nn::ops::Activation;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub max_position_embeddings: usize,
    pub hidden_act: Activation,
    pub layer_norm_eps: f64,
    pub projection_size: Option<usize>,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 64,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            projection_size: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_channels: usize,
    pub image_size: usize,
    pub patch_size: usize,
    pub hidden_act: Activation,
    pub layer_norm_eps: f64,
    pub vision_use_head: bool,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

impl TextConfig {
    pub fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
            style: LayerStyle::PLAIN,
            is_causal: false,
        }
    }

    /// Vector width.
    pub fn projection(&self) -> usize {
        self.projection_size.unwrap_or(self.hidden_size)
    }

    pub fn check(&self) -> Result<()> {
        check_sizes(&[
            ("text_config.vocab_size", self.vocab_size),
            (
                "text_config.max_position_embeddings",
                self.max_position_embeddings,
            ),
            ("text_config.projection_size", self.projection()),
        ])?;
        self.encoder().check("text_config")
    }
}

impl VisionConfig {
    pub fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
            style: LayerStyle::PLAIN,
            is_causal: false,
        }
    }

    pub fn patches(&self) -> usize {
        pixels::patches(self.image_size, self.patch_size)
    }

    pub fn check(&self) -> Result<()> {
        pixels::check(self.num_channels, self.image_size, self.patch_size)?;
        self.encoder().check("vision_config")?;
        match self.vision_use_head {
            true => Ok(()),
            false => Err(invalid("vision_config.vision_use_head is false")),
        }
    }
}
