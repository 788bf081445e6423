//! Code shared by all model families: configuration, language model, chat template, image
//! preprocessing and the layers of vision towers. A family adds its tower, see [`Tower`].

pub mod blocks;
mod chat;
pub mod config;
mod decoder;
pub mod family;
mod image;
pub mod rope;
pub mod tensors;
pub mod vision;

use crate::error::Result;
use crate::icon::Picture;
use crate::record::Chat;
use crate::vlm::architecture::{
    Additions, Architecture, Features, Grid, ImagePatches, LoadStage, ModelSpec, Network,
};
use crate::vlm::checkpoint::files::CheckpointFiles;
use crate::vlm::checkpoint::tensor_list::{ExpectedTensor, TensorList};
use crate::vlm::checkpoint::tokenizer::{ChatTokens, Tokenizer};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::batch::Batch;
use crate::vlm::nn::kv::layout::HeadShape;
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::rope::Position;
use candle_core::Tensor;
use config::{Config, HeadKind};
use decoder::TextModel;
use family::Tower;

/// A checkpoint configuration of the family with vision tower `T`.
#[derive(Debug)]
pub struct VisionLanguage<T: Tower> {
    config: Config<T>,
}

impl<T: Tower> VisionLanguage<T> {
    pub fn open(files: &CheckpointFiles) -> Result<Self> {
        Ok(Self {
            config: Config::load(files)?,
        })
    }
}

impl<T: Tower> Architecture for VisionLanguage<T> {
    fn spec(&self) -> ModelSpec {
        let text = &self.config.text;
        ModelSpec {
            hidden_size: text.hidden_size,
            inner: text.intermediate_size,
            layers: text.num_hidden_layers,
            heads: HeadShape {
                heads: text.num_attention_heads,
                kv_heads: text.num_key_value_heads,
                head_dim: text.head_dim,
            },
            vocab_size: text.vocab_size,
            max_tokens: text.max_position_embeddings,
            vision_heads: self.config.sizes.heads,
            vision_inner: self.config.sizes.inner,
            image_token: self.config.image_token_id,
            end_tokens: self.config.end_tokens.clone(),
        }
    }

    fn tensor_name(&self, stored: &str) -> String {
        tensors::name(stored)
    }

    fn tensors(&self) -> Vec<ExpectedTensor> {
        let mut list = TensorList::default();
        T::tensors(&self.config.vision, &self.config.sizes, &mut list);
        TextModel::tensors(&self.config.text, &mut list);
        list.0
    }

    fn may_ignore(&self, tensor: &str) -> bool {
        // A tied head may still be stored; transformers then uses the embedding.
        self.config.text.head == HeadKind::Tied && tensor == tensors::HEAD
    }

    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> candle_core::Result<Box<dyn Network>> {
        let (text, sizes) = (&self.config.text, &self.config.sizes);
        let mut done = 0;
        let vision = T::load(weights, placement, &self.config.vision, sizes, &mut || {
            done += 1;
            progress(LoadStage::Vision, done as f32 / sizes.depth as f32);
        })?;
        let mut done = 0;
        let steps = text.num_hidden_layers + 1;
        let text = TextModel::load(weights, placement, text, &mut || {
            done += 1;
            progress(LoadStage::Text, done as f32 / steps as f32);
        })?;
        Ok(Box::new(Loaded { text, vision }))
    }

    fn tokenizer(&self, files: &CheckpointFiles) -> Result<Tokenizer> {
        chat::tokenizer(files, &self.config)
    }

    fn chat_tokens(
        &self,
        tokenizer: &Tokenizer,
        chat: &Chat,
        image_tokens: &[usize],
    ) -> Result<ChatTokens> {
        chat::tokens(tokenizer, &self.config, chat, image_tokens)
    }

    fn preprocess(&self, picture: &Picture) -> Result<ImagePatches> {
        image::patches(picture, &self.config.image)
    }

    fn image_tokens(&self, grid: Grid) -> usize {
        grid.patches() / self.config.sizes.merge_unit()
    }

    fn image_positions(&self, grid: Grid, start: u32) -> Vec<Position> {
        rope::image_positions(grid, self.config.sizes.merge, start)
    }
}

/// The loaded weights.
#[derive(Debug)]
struct Loaded<T> {
    text: TextModel,
    vision: T,
}

impl<T: Tower> Network for Loaded<T> {
    fn encode_images(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Features>> {
        match images.is_empty() {
            true => Ok(Vec::new()),
            false => self.vision.forward(images),
        }
    }

    fn embed(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        self.text.embed(tokens)
    }

    fn forward(
        &self,
        embedded: Tensor,
        additions: Option<&Additions>,
        positions: &[Position],
        batch: &mut Batch,
    ) -> candle_core::Result<Tensor> {
        self.text.forward(embedded, additions, positions, batch)
    }

    fn norm(&self, hidden: &Tensor) -> candle_core::Result<Tensor> {
        self.text.norm(hidden)
    }

    fn head(&self) -> &Linear {
        self.text.head()
    }

    fn step_bytes(&self) -> usize {
        self.text.bytes()
    }
}
