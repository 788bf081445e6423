//! Qwen2-VL: a vision tower over patches, and Qwen2 with three-part rotary positions. Follows
//! `models/qwen2_vl` of transformers, number for number.

mod chat;
mod config;
mod image;
mod rope;
mod tensors;
mod text;
mod vision;

use crate::error::Result;
use crate::icon::Picture;
use crate::prompt::Chat;
use crate::vlm::architecture::{Architecture, Grid, ImagePatches, LoadStage, ModelSpec, Network};
use crate::vlm::checkpoint::files::CheckpointFiles;
use crate::vlm::checkpoint::tokenizer::{ChatTokens, Tokenizer};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::batch::Batch;
use crate::vlm::nn::kv_layout::HeadShape;
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::rope::Position;
use candle_core::Tensor;
use config::Config;
use text::TextModel;
use vision::VisionTower;

/// The configuration of a Qwen2-VL checkpoint.
#[derive(Debug)]
pub struct Qwen2Vl {
    config: Config,
}

impl Qwen2Vl {
    pub fn open(files: &CheckpointFiles) -> Result<Self> {
        Ok(Self {
            config: Config::load(files)?,
        })
    }
}

impl Architecture for Qwen2Vl {
    fn spec(&self) -> ModelSpec {
        let text = &self.config.text;
        ModelSpec {
            hidden_size: text.hidden_size,
            layers: text.num_hidden_layers,
            heads: HeadShape {
                heads: text.num_attention_heads,
                kv_heads: text.num_key_value_heads,
                head_dim: text.head_dim(),
            },
            vocab_size: text.vocab_size,
            max_tokens: text.max_position_embeddings,
            image_token: self.config.image_token_id,
            end_tokens: self.config.end_tokens.clone(),
        }
    }

    fn tensor_name(&self, stored: &str) -> String {
        tensors::published_name(stored)
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        tensors::all(&self.config)
    }

    fn may_ignore(&self, tensor: &str) -> bool {
        // A tied head may be stored all the same; the published rule is that the embedding wins.
        self.config.text.tie_word_embeddings && tensor == tensors::HEAD
    }

    fn load(
        &self,
        weights: &Weights,
        placement: &Placement,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> candle_core::Result<Box<dyn Network>> {
        let (text, vision) = (&self.config.text, &self.config.vision);
        let mut done = 0;
        let vision = VisionTower::load(weights, placement, vision, &mut || {
            done += 1;
            progress(LoadStage::Vision, done as f32 / vision.depth as f32);
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
        grid.patches() / self.config.vision.merge_unit()
    }

    fn image_positions(&self, grid: Grid, start: u32) -> Vec<Position> {
        rope::image_positions(grid, self.config.vision.spatial_merge_size, start)
    }
}

/// Its weights.
#[derive(Debug)]
struct Loaded {
    text: TextModel,
    vision: VisionTower,
}

impl Network for Loaded {
    fn encode_images(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Tensor>> {
        self.vision.forward(images)
    }

    fn embed(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        self.text.embed(tokens)
    }

    fn forward(
        &self,
        embedded: Tensor,
        positions: &[Position],
        batch: &mut Batch,
    ) -> candle_core::Result<Tensor> {
        self.text.forward(embedded, positions, batch)
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
