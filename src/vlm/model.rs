//! A loaded model: ragged steps over [`Sequence`]s, whatever the architecture.
//!
//! The linear layers see the tokens of all sequences as one matrix; attention runs for each over
//! its own keys and those of a [`Prefix`] that many share.

use super::architecture::{Architecture, Grid, ImagePatches, ModelSpec, Network};
use super::checkpoint::files::CheckpointFiles;
use super::checkpoint::tokenizer::{ChatTokens, Tokenizer};
use super::nn::kv_cache::{CacheSpec, Prefix, Sequence, Span};
use super::nn::linear::Placement;
use super::nn::rope::Position;
use crate::error::Result;
use crate::icon::Picture;
use crate::prompt::Chat;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Features of one picture, which replace the embeddings of its placeholders.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    /// `(tokens, hidden)`.
    pub features: Tensor,
    pub grid: Grid,
}

/// The part of a step that belongs to one sequence.
pub struct SequenceStep<'a> {
    pub sequence: &'a mut Sequence,
    /// A prompt, a part of one, or the tokens just generated. A part holds all placeholders of a
    /// picture or none.
    pub tokens: &'a [u32],
    /// One for each run of placeholders in `tokens`, in order. Where there are none at all, a
    /// placeholder is a token like any other, since a model may generate one.
    pub images: &'a [ImageFeatures],
    /// The range of `tokens` to give logits for.
    pub logits: Range<usize>,
}

/// Runs `work` on a thread of the pool that the products are spread over: from any other thread
/// each product would wait for the pool to wake up.
fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// A loaded checkpoint.
#[derive(Debug)]
pub struct Model {
    architecture: Box<dyn Architecture>,
    network: Box<dyn Network>,
    spec: ModelSpec,
    cache: Arc<CacheSpec>,
}

impl Model {
    /// From weights that were loaded with `placement`.
    pub fn new(
        architecture: Box<dyn Architecture>,
        network: Box<dyn Network>,
        placement: &Placement,
    ) -> Self {
        let spec = architecture.spec();
        let cache = CacheSpec {
            layers: spec.layers,
            shape: spec.heads,
            device: placement.device.clone(),
            dtype: placement.activations(),
        };
        Self {
            architecture,
            network,
            spec,
            cache: Arc::new(cache),
        }
    }

    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Loads the tokenizer of the model's checkpoint.
    pub fn tokenizer(&self, files: &CheckpointFiles) -> Result<Tokenizer> {
        self.architecture.tokenizer(files)
    }

    /// Bytes that the keys and values of `tokens` take.
    pub fn cache_bytes(&self, tokens: usize) -> usize {
        self.cache.bytes(tokens)
    }

    /// Bytes of the weights that one step of the language model reads.
    pub fn step_bytes(&self) -> usize {
        self.network.step_bytes()
    }

    /// Resizes a picture and cuts it into patches.
    pub fn preprocess(&self, picture: &Picture) -> Result<ImagePatches> {
        self.architecture.preprocess(picture)
    }

    /// How many placeholders a picture of this grid takes in a prompt.
    pub fn image_tokens(&self, grid: Grid) -> usize {
        self.architecture.image_tokens(grid)
    }

    /// The tokens of `chat` with its pictures, up to where the answer begins.
    pub fn chat_tokens(
        &self,
        tokenizer: &Tokenizer,
        chat: &Chat,
        images: &[ImagePatches],
    ) -> Result<ChatTokens> {
        let counts: Vec<usize> = images
            .iter()
            .map(|image| self.image_tokens(image.grid))
            .collect();
        self.architecture.chat_tokens(tokenizer, chat, &counts)
    }

    /// An empty sequence, or one that starts with a shared prefix.
    pub fn sequence(&self, prefix: Option<Arc<Prefix>>) -> Sequence {
        Sequence::new(&self.cache, prefix)
    }

    /// Features of each picture. All are computed together.
    pub fn encode_images(
        &self,
        images: &[ImagePatches],
    ) -> candle_core::Result<Vec<ImageFeatures>> {
        let features = in_pool(|| self.network.encode_images(images))?;
        let pairs = features.into_iter().zip(images);
        Ok(pairs
            .map(|(features, image)| ImageFeatures {
                features,
                grid: image.grid,
            })
            .collect())
    }

    /// Computes one ragged step. Gives the requested logits of each sequence, `(rows, vocabulary)`
    /// in f32 on the CPU.
    ///
    /// # Errors
    /// Tokens, images or logits that do not fit; a failed computation. No sequence has changed
    /// then.
    pub fn forward(&self, steps: &mut [SequenceStep]) -> candle_core::Result<Vec<Tensor>> {
        let mut positions = Vec::with_capacity(steps.len());
        for step in steps.iter() {
            positions.push(self.positions(step)?);
        }
        let result = in_pool(|| self.compute(steps, &positions));
        for (step, positions) in steps.iter_mut().zip(&positions) {
            match &result {
                Ok(_) => step.sequence.commit(positions),
                Err(_) => step.sequence.drop_uncommitted(),
            }
        }
        result
    }

    fn compute(
        &self,
        steps: &mut [SequenceStep],
        positions: &[Vec<Position>],
    ) -> candle_core::Result<Vec<Tensor>> {
        let tokens: Vec<u32> = steps.iter().flat_map(|step| step.tokens).copied().collect();
        if tokens.is_empty() {
            candle_core::bail!("a step needs tokens")
        }
        let hidden = self.splice(self.network.embed(&tokens)?, steps)?;
        let mut start = 0;
        let mut wanted: Vec<u32> = Vec::new();
        let mut counts = Vec::with_capacity(steps.len());
        let mut spans = Vec::with_capacity(steps.len());
        for step in steps.iter_mut() {
            let rows = start..start + step.tokens.len();
            counts.push(step.logits.len());
            wanted.extend(step.logits.clone().map(|row| (start + row) as u32));
            start = rows.end;
            spans.push(Span {
                sequence: &mut *step.sequence,
                rows,
            });
        }
        let hidden = self
            .network
            .forward(hidden, &positions.concat(), &self.cache, &mut spans)?;
        if wanted.is_empty() {
            // Accelerators refuse to allocate nothing.
            let none = Tensor::zeros((0, self.spec.vocab_size), DType::F32, &Device::Cpu)?;
            return Ok(vec![none; counts.len()]);
        }
        let wanted = Tensor::new(wanted, &self.cache.device)?;
        let logits = self.network.logits(&hidden.index_select(&wanted, 0)?)?;
        let logits = logits.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let mut start = 0;
        let split = counts.into_iter().map(|rows| {
            start += rows;
            logits.narrow(0, start - rows, rows)
        });
        split.collect()
    }

    /// Replaces the embeddings of placeholders by image features: `(tokens, hidden)`.
    fn splice(&self, embedded: Tensor, steps: &[SequenceStep]) -> candle_core::Result<Tensor> {
        let features: Vec<&Tensor> = steps
            .iter()
            .flat_map(|step| step.images)
            .map(|image| &image.features)
            .collect();
        if features.is_empty() {
            return Ok(embedded);
        }
        // Rows of the embeddings followed by the features, picked in the order of the tokens.
        let mut rows = Vec::with_capacity(embedded.dim(0)?);
        let mut next = embedded.dim(0)? as u32;
        for step in steps {
            for token in step.tokens {
                if *token == self.spec.image_token && !step.images.is_empty() {
                    rows.push(next);
                    next += 1;
                } else {
                    rows.push(rows.len() as u32);
                }
            }
        }
        let all: Vec<&Tensor> = std::iter::once(&embedded).chain(features).collect();
        Tensor::cat(&all, 0)?.index_select(&Tensor::new(rows, &self.cache.device)?, 0)
    }

    /// The positions of a step's tokens; checks that its images fit its placeholders.
    fn positions(&self, step: &SequenceStep) -> candle_core::Result<Vec<Position>> {
        let mut next = step.sequence.next_position();
        let mut images = step.images.iter();
        let mut positions: Vec<Position> = Vec::with_capacity(step.tokens.len());
        while positions.len() < step.tokens.len() {
            let token = step.tokens[positions.len()];
            if token as usize >= self.spec.vocab_size {
                candle_core::bail!("token {token} is outside the vocabulary")
            }
            if token != self.spec.image_token || step.images.is_empty() {
                positions.push([next; 3]);
                next += 1;
                continue;
            }
            let rest = &step.tokens[positions.len()..];
            let run = rest.iter().take_while(|other| **other == token).count();
            let Some(image) = images.next() else {
                candle_core::bail!("more runs of image tokens than images")
            };
            let tokens = self.image_tokens(image.grid);
            let shape = (tokens, self.spec.hidden_size);
            if run != tokens || image.features.dims2()? != shape {
                candle_core::bail!(
                    "{run} image tokens for an image of {tokens}, with features of {:?}",
                    image.features.shape()
                )
            }
            let placed = self.architecture.image_positions(image.grid, next);
            next = placed.iter().flatten().copied().max().unwrap_or(next) + 1;
            positions.extend(placed);
        }
        if images.next().is_some() {
            candle_core::bail!("more images than runs of image tokens")
        }
        if step.logits.end > step.tokens.len() || step.logits.start > step.logits.end {
            candle_core::bail!(
                "logits of {:?} requested of {} tokens",
                step.logits,
                step.tokens.len()
            )
        }
        let len = step.sequence.len() + step.tokens.len();
        if len > self.spec.max_tokens {
            candle_core::bail!(
                "{len} tokens are more than the model's {}",
                self.spec.max_tokens
            )
        }
        Ok(positions)
    }
}
