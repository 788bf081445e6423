//! The seam between shared code and one model architecture.
//!
//! Scheduler, caches, kernels, quantization and sampling work through these two traits and know
//! no architecture. [`Architecture`] is what a checkpoint's configuration files say: sizes,
//! names of tensors, and how chats and pictures become input. [`Network`] is its loaded weights.

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
use crate::prompt::Chat;
use candle_core::Tensor;
use std::fmt::Debug;

/// The patches of a picture: frames, rows, columns.
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

/// A preprocessed picture, ready for the vision tower.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePatches {
    /// `(patches, numbers of a patch)`, row-major.
    pub pixels: Vec<f32>,
    pub grid: Grid,
}

/// What a vision tower makes of a picture.
#[derive(Debug, Clone)]
pub struct Features {
    /// They replace the embeddings of its placeholders, `(placeholders, hidden)`.
    pub embeddings: Tensor,
    /// What is added to the hidden states of its placeholders after each of the first layers,
    /// `(placeholders, hidden)`. As many for every picture; most architectures have none.
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

/// What is added to some rows of a step's hidden states after each of the first layers.
#[derive(Debug)]
pub struct Additions {
    /// `(n)`.
    pub rows: Tensor,
    /// For each layer `(n, hidden)`.
    pub layers: Vec<Tensor>,
}

impl Additions {
    /// Adds those for `layer`, if there are any, to `x`, `(tokens, hidden)`.
    pub fn after(&self, layer: usize, x: Tensor) -> candle_core::Result<Tensor> {
        match self.layers.get(layer) {
            Some(numbers) => ops::add_to_rows(&x, &self.rows, numbers),
            None => Ok(x),
        }
    }
}

/// The facts about a checkpoint that shared code needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    pub hidden_size: usize,
    /// Width of the inner layer of a block.
    pub inner: usize,
    pub layers: usize,
    /// The attention heads of every layer.
    pub heads: HeadShape,
    pub vocab_size: usize,
    /// The most tokens that a prompt and its answer may have together.
    pub max_tokens: usize,
    /// The attention heads of each block of the vision tower.
    pub vision_heads: usize,
    /// Width of the inner layer of such a block.
    pub vision_inner: usize,
    /// The placeholder whose embeddings image features replace.
    pub image_token: u32,
    /// Any of these ends an answer.
    pub end_tokens: Vec<u32>,
}

/// What loading is doing, for progress reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStage {
    /// The first load of a checkpoint: its quantized weights are being cached.
    Quantize,
    Vision,
    Text,
}

/// A checkpoint's configuration, read and checked. Needs no weights.
pub trait Architecture: Debug + Send + Sync {
    fn spec(&self) -> ModelSpec;

    /// The architecture's own name for a tensor that a file stores as `stored`: some versions of
    /// a format only add a prefix.
    fn tensor_name(&self, stored: &str) -> String {
        stored.to_owned()
    }

    /// Every tensor that [`Architecture::load`] reads, those that it does without where a
    /// checkpoint has none included.
    fn tensors(&self) -> Vec<ExpectedTensor>;

    /// Whether a checkpoint may hold this tensor although nothing reads it.
    fn may_ignore(&self, _tensor: &str) -> bool {
        false
    }

    /// Loads the weights; `progress` receives the stage and its done part, 0 to 1.
    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> candle_core::Result<Box<dyn Network>>;

    fn tokenizer(&self, files: &CheckpointFiles) -> Result<Tokenizer>;

    /// The tokens of `chat` up to where the answer begins. `image_tokens` holds the number of
    /// placeholders of each picture.
    fn chat_tokens(
        &self,
        tokenizer: &Tokenizer,
        chat: &Chat,
        image_tokens: &[usize],
    ) -> Result<ChatTokens>;

    /// Resizes a picture and cuts it into patches.
    fn preprocess(&self, picture: &Picture) -> Result<ImagePatches>;

    /// How many placeholders a picture of this grid takes in a prompt.
    fn image_tokens(&self, grid: Grid) -> usize;

    /// The positions of a picture's placeholders where the next text token would be at `start`.
    fn image_positions(&self, grid: Grid, start: u32) -> Vec<Position>;
}

/// The loaded weights of a checkpoint.
pub trait Network: Debug + Send + Sync {
    /// Features of each picture.
    fn encode_images(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Features>>;

    /// Embeddings, `(tokens, hidden)`.
    fn embed(&self, tokens: &[u32]) -> candle_core::Result<Tensor>;

    /// Runs the layers over a step's embeddings, `(tokens, hidden)`, whose rows `batch` assigns
    /// to sequences; their keys and values join the sequences' caches. `additions` join the hidden
    /// states on the way. Gives the hidden states `(tokens, hidden)` that [`Network::norm`] reads.
    fn forward(
        &self,
        embedded: Tensor,
        additions: Option<&Additions>,
        positions: &[Position],
        batch: &mut Batch,
    ) -> candle_core::Result<Tensor>;

    /// Hidden states, `(rows, hidden)`, as [`Network::head`] reads them.
    fn norm(&self, hidden: &Tensor) -> candle_core::Result<Tensor>;

    /// From `(rows, hidden)` to logits, `(rows, vocabulary)`.
    fn head(&self) -> &Linear;

    /// Bytes of the weights that one step of the language model reads.
    fn step_bytes(&self) -> usize;
}
