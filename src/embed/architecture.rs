//! The interface between shared code and one retriever architecture.
//!
//! [`RetrieverArchitecture`] comes from a checkpoint's configuration files: sizes, tensor names, and how
//! images and texts become input. The towers are the loaded weights.

use super::pixels::PixelSpec;
use super::tokens::TokenSpec;
use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use candle_core::Tensor;
use std::fmt::Debug;

/// Receives how much of a tower is loaded, 0 to 1.
pub type LoadProgress<'a> = &'a mut dyn FnMut(f32);

/// A retriever's configuration. Needs no weights.
pub trait RetrieverArchitecture: Debug + Send + Sync {
    /// # Errors
    /// If the sizes are invalid.
    fn check(&self) -> Result<()>;

    /// Maps a stored tensor name to the architecture's own.
    fn tensor_name(&self, stored: &str) -> String {
        stored.to_owned()
    }

    /// Lists every tensor of the towers, `logit_scale`, and `logit_bias` if there is one.
    fn tensors(&self, list: &mut TensorList);

    /// Defaults of image preprocessing.
    fn pixels(&self) -> PixelSpec;

    /// Tokenization of texts.
    ///
    /// # Errors
    /// If `tokenizer_config.json` cannot be read.
    fn tokens(&self, files: &CheckpointFiles) -> Result<TokenSpec>;

    fn vision(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn VisionTower>>;

    fn text(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: LoadProgress,
    ) -> candle_core::Result<Box<dyn TextTower>>;
}

/// Encodes images.
pub trait VisionTower: Debug + Send + Sync {
    /// Encodes the concatenated patches of `pictures` images to `(pictures, width)` in f32.
    fn forward(&self, patches: Vec<f32>, pictures: usize) -> candle_core::Result<Tensor>;
}

/// Encodes texts.
pub trait TextTower: Debug + Send + Sync {
    /// Encodes the tokens of each text to `(texts, width)` in f32.
    fn forward(&self, texts: &[Vec<u32>]) -> candle_core::Result<Tensor>;
}
