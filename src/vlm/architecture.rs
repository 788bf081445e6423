//! The interface between shared code and one model architecture.
//!
//! The scheduler, caches, kernels, quantization and sampling use only these two traits and know
//! nothing of any one architecture. [`Architecture`] comes from a checkpoint's configuration
//! files: sizes, tensor names, and how chats and images become input. [`Network`] is the loaded
//! weights.

use super::checkpoint::files::CheckpointFiles;
use super::checkpoint::tensor_list::ExpectedTensor;
use super::checkpoint::tokenizer::{ChatTokens, Tokenizer};
use super::checkpoint::weights::Weights;
use super::nn::batch::Batch;
use super::nn::kv::layout::HeadShape;
use super::nn::linear::{Linear, Placement};
use super::nn::ops;
use super::nn::rope::Position;
use crate::error::Result;
use crate::icon::Picture;
use crate::record::Chat;
use candle_core::Tensor;
use std::fmt::Debug;

/// The patch grid of an image: frames, rows, columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    pub t: usize,
    pub h: usize,
    pub w: usize,
}

impl Grid {
    pub fn patches(&self) -> usize {
        self.t * self.h * self.w
    }
}

/// A preprocessed image, ready for the vision tower.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePatches {
    /// `(patches, values per patch)`, row-major.
    pub pixels: Vec<f32>,
    pub grid: Grid,
}

/// The vision tower's output for one image.
#[derive(Debug, Clone)]
pub struct Features {
    /// `(placeholders, hidden)`: replaces the embeddings of the image's placeholder tokens.
    pub embeddings: Tensor,
    /// One `(placeholders, hidden)` tensor for each of the first layers, added to the
    /// placeholders' hidden states after that layer (DeepStack). The count is the same for every
    /// image; most architectures have none.
    pub additions: Vec<Tensor>,
}

impl From<Tensor> for Features {
    fn from(embeddings: Tensor) -> Self {
        Self {
            embeddings,
            additions: Vec::new(),
        }
    }
}

/// Values added to some rows of a step's hidden states after each of the first layers.
#[derive(Debug)]
pub struct Additions {
    /// `(n)`: the rows to add to.
    pub rows: Tensor,
    /// One `(n, hidden)` tensor per layer.
    pub layers: Vec<Tensor>,
}

impl Additions {
    /// Adds the values for `layer`, if any, to `x`, `(tokens, hidden)`.
    pub fn after(&self, layer: usize, x: Tensor) -> candle_core::Result<Tensor> {
        match self.layers.get(layer) {
            Some(numbers) => ops::add_to_rows(&x, &self.rows, numbers),
            None => Ok(x),
        }
    }
}

/// The properties of a checkpoint that shared code needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    pub hidden_size: usize,
    /// Width of the MLP's intermediate layer.
    pub inner: usize,
    pub layers: usize,
    /// Attention heads of every layer.
    pub heads: HeadShape,
    pub vocab_size: usize,
    /// Context length: the limit for a prompt and its answer together.
    pub max_tokens: usize,
    /// Attention heads of each vision block.
    pub vision_heads: usize,
    /// Width of the intermediate layer of a vision block.
    pub vision_inner: usize,
    /// The placeholder token whose embeddings image features replace.
    pub image_token: u32,
    /// Any of these ends an answer.
    pub end_tokens: Vec<u32>,
}

/// A stage of loading, for progress reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStage {
    /// First load of a checkpoint: quantizing and caching the weights.
    Quantize,
    Vision,
    Text,
}

/// A validated checkpoint configuration. Needs no weights.
pub trait Architecture: Debug + Send + Sync {
    fn spec(&self) -> ModelSpec;

    /// Maps a stored tensor name to the architecture's own: some format versions only add a prefix.
    fn tensor_name(&self, stored: &str) -> String {
        stored.to_owned()
    }

    /// Every tensor that [`Architecture::load`] reads, including optional ones.
    fn tensors(&self) -> Vec<ExpectedTensor>;

    /// Whether a checkpoint may contain this tensor although nothing reads it.
    fn may_ignore(&self, _tensor: &str) -> bool {
        false
    }

    /// Loads the weights; `progress` receives the stage and how much of it is done, 0 to 1.
    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> candle_core::Result<Box<dyn Network>>;

    fn tokenizer(&self, files: &CheckpointFiles) -> Result<Tokenizer>;

    /// Tokenizes `chat` up to where the answer begins. `image_tokens` gives the number of
    /// placeholders of each image.
    fn chat_tokens(
        &self,
        tokenizer: &Tokenizer,
        chat: &Chat,
        image_tokens: &[usize],
    ) -> Result<ChatTokens>;

    /// Resizes an image and cuts it into patches.
    fn preprocess(&self, picture: &Picture) -> Result<ImagePatches>;

    /// Number of placeholder tokens for an image of this grid.
    fn image_tokens(&self, grid: Grid) -> usize;

    /// Positions of an image's placeholders, if the next text token would be at `start`.
    fn image_positions(&self, grid: Grid, start: u32) -> Vec<Position>;
}

/// The loaded weights of a checkpoint.
pub trait Network: Debug + Send + Sync {
    /// Encodes each image.
    fn encode_images(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Features>>;

    /// Looks up token embeddings, `(tokens, hidden)`.
    fn embed(&self, tokens: &[u32]) -> candle_core::Result<Tensor>;

    /// Runs the layers over a step's embeddings, `(tokens, hidden)`. `batch` assigns the rows to
    /// sequences, whose KV caches grow by the new keys and values. `additions` are added to the
    /// hidden states after their layers. Returns the hidden states before the final norm,
    /// `(tokens, hidden)`.
    fn forward(
        &self,
        embedded: Tensor,
        additions: Option<&Additions>,
        positions: &[Position],
        batch: &mut Batch,
    ) -> candle_core::Result<Tensor>;

    /// Applies the final norm to hidden states, `(rows, hidden)`.
    fn norm(&self, hidden: &Tensor) -> candle_core::Result<Tensor>;

    /// The output head: `(rows, hidden)` to logits, `(rows, vocabulary)`.
    fn head(&self) -> &Linear;

    /// Bytes of weights read by one step of the language model.
    fn step_bytes(&self) -> usize;
}
