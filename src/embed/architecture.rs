//! The seam between what all retrievers share and one architecture.
//!
//! [`Architecture`] is what a checkpoint's configuration files say: sizes, names of tensors, and
//! how pictures and texts become input. The towers are its loaded weights.

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
pub type Loaded<'a> = &'a mut dyn FnMut(f32);

/// A retriever's configuration, read and checked. Needs no weights.
pub trait Architecture: Debug + Send + Sync {
    /// # Errors
    /// Sizes that make no sense.
    fn check(&self) -> Result<()>;

    /// The architecture's own name for a tensor that a file stores as `stored`.
    fn tensor_name(&self, stored: &str) -> String {
        stored.to_owned()
    }

    /// Adds every tensor that the towers and `logit_scale` read, and `logit_bias` where there is
    /// one.
    fn tensors(&self, list: &mut TensorList);

    /// How a picture is prepared where the checkpoint does not say.
    fn pixels(&self) -> PixelSpec;

    /// How a text is prepared.
    ///
    /// # Errors
    /// `tokenizer_config.json` that cannot be read.
    fn tokens(&self, files: &CheckpointFiles) -> Result<TokenSpec>;

    fn vision(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: Loaded,
    ) -> candle_core::Result<Box<dyn VisionTower>>;

    fn text(
        &self,
        weights: &Weights,
        placement: &Placement,
        loaded: Loaded,
    ) -> candle_core::Result<Box<dyn TextTower>>;
}

/// Pictures to vectors.
pub trait VisionTower: Debug + Send + Sync {
    /// The patches of `pictures` pictures, one after the other, to `(pictures, width)` in f32.
    fn forward(&self, patches: Vec<f32>, pictures: usize) -> candle_core::Result<Tensor>;
}

/// Texts to vectors.
pub trait TextTower: Debug + Send + Sync {
    /// The tokens of each text to `(texts, width)` in f32.
    fn forward(&self, texts: &[Vec<u32>]) -> candle_core::Result<Tensor>;
}
