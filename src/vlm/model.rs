//! The whole model: loading, image features, ragged steps.

use crate::error::{Context, ErrorKind, Result};
use crate::vlm::checkpoint::files::CheckpointFiles;
use crate::vlm::checkpoint::weight_cache::{self, Store};
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::models::qwen2_vl::config::Config;
use crate::vlm::models::qwen2_vl::image::ImagePatches;
use crate::vlm::models::qwen2_vl::rope::{Grid, image_positions};
use crate::vlm::models::qwen2_vl::text::TextModel;
use crate::vlm::models::qwen2_vl::vision::VisionTower;
use crate::vlm::nn::attention::Span;
use crate::vlm::nn::kv_cache::{CacheSpec, HeadShape, Prefix, Sequence};
use crate::vlm::nn::linear::{Placement, Quantization};
use crate::vlm::nn::rope::Position;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// How to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub device: Device,
    /// Of dense weights; on the CPU activations are f32 all the same.
    pub dtype: DType,
    pub quantization: Option<Quantization>,
    /// Folder where quantized weights are kept for the next start; `None` keeps nothing.
    pub cache: Option<PathBuf>,
}

/// What loading is at, for people to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStage {
    /// Once for a checkpoint, where its quantized weights are kept.
    Quantize,
    Vision,
    Text,
}

/// Features of one picture, to stand where its placeholder tokens are.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    /// `(tokens, hidden)`.
    pub features: Tensor,
    pub grid: Grid,
}

/// One sequence's part of a step.
pub struct SequenceStep<'a> {
    pub sequence: &'a mut Sequence,
    /// A prompt, a piece of one, or what was just chosen. A piece holds all placeholder tokens of
    /// a picture or none.
    pub tokens: &'a [u32],
    /// One for each run of placeholders in `tokens`, in order. Where there are none at all, a
    /// placeholder is a token like any other (a model may say one).
    pub images: &'a [ImageFeatures],
    /// Which of `tokens` to give logits for.
    pub logits: Range<usize>,
}

/// Runs on a thread of the pool that the work is spread over: from any other thread each product
/// would wait for the pool to wake up.
fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// A loaded checkpoint.
#[derive(Debug)]
pub struct Qwen2Vl {
    config: Config,
    text: TextModel,
    vision: VisionTower,
    cache: Arc<CacheSpec>,
    device: Device,
}

impl Qwen2Vl {
    /// `progress` gets the stage and how much of it is done, 0 to 1.
    pub fn load(
        files: &CheckpointFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> Result<Self> {
        let config = Config::load(files)?;
        let weights = Weights::open(&files.weights)?;
        weights.check(&config)?;
        let build = |store: &Store, progress: &mut dyn FnMut(LoadStage, f32)| {
            Self::build(&config, &weights, options, store, progress)
        };
        let path = match (&options.cache, options.quantization) {
            (Some(folder), Some(kind)) => weight_cache::cache_file(folder, files, kind.name())?,
            _ => None,
        };
        let Some(path) = path else {
            return build(&Store::None, progress);
        };
        let kept = weight_cache::Reader::open(&path).and_then(|reader| {
            let store = reader.map(Store::map);
            store.map(|store| build(&store, progress)).transpose()
        });
        match kept {
            Ok(Some(model)) => return Ok(model),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "kept weights cannot be used, making them anew"),
        }
        let store = match weight_cache::Writer::create(&path) {
            Ok(writer) => Store::write(writer),
            Err(error) => {
                tracing::warn!(%error, "quantized weights are not kept for the next start");
                return build(&Store::None, progress);
            }
        };
        let model = build(&store, &mut |stage, done| {
            let done = match stage {
                LoadStage::Text => 0.3 + 0.7 * done,
                _ => 0.3 * done,
            };
            progress(LoadStage::Quantize, done);
        })?;
        match store.finish() {
            Ok(true) => {}
            Ok(false) => return Ok(model),
            Err(error) => {
                tracing::warn!(%error, "quantized weights are not kept for the next start");
                return Ok(model);
            }
        }
        // What was just written takes half the memory when it is mapped.
        match weight_cache::Reader::open(&path)? {
            Some(reader) => {
                drop(model);
                build(&Store::map(reader), progress)
            }
            None => Ok(model),
        }
    }

    fn build(
        config: &Config,
        weights: &Weights,
        options: &LoadOptions,
        store: &Store,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> Result<Self> {
        let placement = Placement {
            device: options.device.clone(),
            dtype: options.dtype,
            quantization: options.quantization,
            store: store.clone(),
        };
        let doing = "cannot load the weights";
        let mut done = 0;
        let vision = VisionTower::load(weights, &placement, &config.vision, &mut || {
            done += 1;
            progress(LoadStage::Vision, done as f32 / config.vision.depth as f32);
        })
        .context(ErrorKind::Model, doing)?;
        let mut done = 0;
        let steps = config.text.num_hidden_layers + 1;
        let text = TextModel::load(weights, &placement, &config.text, &mut || {
            done += 1;
            progress(LoadStage::Text, done as f32 / steps as f32);
        })
        .context(ErrorKind::Model, doing)?;
        let cache = CacheSpec {
            layers: config.text.num_hidden_layers,
            shape: HeadShape {
                heads: config.text.num_attention_heads,
                kv_heads: config.text.num_key_value_heads,
                head_dim: config.text.head_dim(),
            },
            device: options.device.clone(),
            dtype: placement.activations(),
        };
        Ok(Self {
            config: config.clone(),
            text,
            vision,
            cache: Arc::new(cache),
            device: options.device.clone(),
        })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes that the keys and values of `tokens` take.
    pub fn cache_bytes(&self, tokens: usize) -> usize {
        self.cache.bytes(tokens)
    }

    /// Bytes of weights that one text step reads.
    pub fn step_bytes(&self) -> usize {
        self.text.bytes()
    }

    /// Bytes of weights that encoding pictures reads.
    pub fn vision_bytes(&self) -> usize {
        self.vision.bytes()
    }

    /// An empty sequence, or one that starts with a shared prefix.
    pub fn sequence(&self, prefix: Option<Arc<Prefix>>) -> Sequence {
        Sequence::new(&self.cache, prefix)
    }

    /// Features of all pictures of a step together.
    pub fn encode_images(
        &self,
        images: &[ImagePatches],
    ) -> candle_core::Result<Vec<ImageFeatures>> {
        let features = in_pool(|| self.vision.forward(images))?;
        let pairs = features.into_iter().zip(images);
        Ok(pairs
            .map(|(features, image)| ImageFeatures {
                features,
                grid: image.grid,
            })
            .collect())
    }

    /// Tokens that a picture of this grid takes in a prompt.
    pub fn image_tokens(&self, grid: Grid) -> usize {
        grid.tokens(self.config.vision.spatial_merge_size)
    }

    /// One ragged step: every sequence takes its tokens, and gives the logits asked of it,
    /// `(rows, vocabulary)` in f32 on the CPU. After an error no sequence has moved.
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
        let hidden = self.splice(self.text.embed(&tokens)?, steps)?;
        let angles = self.text.angles(&positions.concat())?;
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
            .text
            .forward(hidden, &self.cache, &angles, &mut spans)?;
        if wanted.is_empty() {
            // Accelerators refuse to allocate nothing.
            let none = Tensor::zeros((0, self.config.text.vocab_size), DType::F32, &Device::Cpu)?;
            return Ok(vec![none; counts.len()]);
        }
        let wanted = Tensor::new(wanted, &self.device)?;
        let logits = self.text.logits(&hidden.index_select(&wanted, 0)?)?;
        let logits = logits.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let mut start = 0;
        let split = counts.into_iter().map(|rows| {
            start += rows;
            logits.narrow(0, start - rows, rows)
        });
        split.collect()
    }

    /// Puts image features in the place of placeholder embeddings.
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
                if *token == self.config.image_token_id && !step.images.is_empty() {
                    rows.push(next);
                    next += 1;
                } else {
                    rows.push(rows.len() as u32);
                }
            }
        }
        let all: Vec<&Tensor> = std::iter::once(&embedded).chain(features).collect();
        Tensor::cat(&all, 0)?.index_select(&Tensor::new(rows, &self.device)?, 0)
    }

    /// The positions of a step's tokens; checks that its images fit its placeholders.
    fn positions(&self, step: &SequenceStep) -> candle_core::Result<Vec<Position>> {
        let merge = self.config.vision.spatial_merge_size;
        let mut next = step.sequence.next_position();
        let mut images = step.images.iter();
        let mut positions: Vec<Position> = Vec::with_capacity(step.tokens.len());
        while positions.len() < step.tokens.len() {
            let token = step.tokens[positions.len()];
            if token as usize >= self.config.text.vocab_size {
                candle_core::bail!("token {token} is outside the vocabulary")
            }
            if token != self.config.image_token_id || step.images.is_empty() {
                positions.push([next; 3]);
                next += 1;
                continue;
            }
            let rest = &step.tokens[positions.len()..];
            let run = rest.iter().take_while(|other| **other == token).count();
            let Some(image) = images.next() else {
                candle_core::bail!("more runs of image tokens than images")
            };
            let tokens = image.grid.tokens(merge);
            let shape = (tokens, self.config.text.hidden_size);
            if run != tokens || image.features.dims2()? != shape {
                candle_core::bail!(
                    "{run} image tokens for an image of {tokens}, with features of {:?}",
                    image.features.shape()
                )
            }
            let placed = image_positions(image.grid, merge, next);
            next = placed.iter().flatten().copied().max().unwrap_or(next) + 1;
            positions.extend(placed);
        }
        if images.next().is_some() {
            candle_core::bail!("more images than runs of image tokens")
        }
        if step.logits.end > step.tokens.len() || step.logits.start > step.logits.end {
            candle_core::bail!(
                "logits of {:?} asked of {} tokens",
                step.logits,
                step.tokens.len()
            )
        }
        let len = step.sequence.len() + step.tokens.len();
        if len > self.config.text.max_position_embeddings {
            candle_core::bail!(
                "{len} tokens are more than the model's {}",
                self.config.text.max_position_embeddings
            )
        }
        Ok(positions)
    }
}
