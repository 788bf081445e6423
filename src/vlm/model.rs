//! A loaded model of any architecture, which runs ragged steps over [`Sequence`]s.
//!
//! The linear layers see the tokens of all sequences as one matrix. Each sequence attends to its
//! own keys and to those of a [`Prefix`] that many sequences may share.

use super::architecture::{
    Additions, Architecture, Features, Grid, ImagePatches, ModelSpec, Network,
};
use super::checkpoint::tokenizer::{ChatTokens, Tokenizer};
use super::nn::Backend;
use super::nn::attention::cached_dtype;
use super::nn::batch::Batch;
use super::nn::kv::layout::{CacheSpec, Prefix};
use super::nn::kv::pool::Pool;
use super::nn::kv::sequence::{Sequence, Span};
use super::nn::linear::{Linear, Placement};
use super::nn::rope::Position;
use crate::error::Result;
use crate::icon::Picture;
use crate::record::Chat;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// An encoded image, which takes the place of its placeholder tokens.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    pub features: Features,
    pub grid: Grid,
}

/// The part of a step that belongs to one sequence.
pub struct SequenceStep<'a> {
    pub sequence: &'a mut Sequence,
    /// A prompt, a chunk of one, or the tokens just generated. A chunk contains all placeholders of
    /// an image or none.
    pub tokens: &'a [u32],
    /// One for each run of placeholders in `tokens`, in order. If empty, a placeholder counts as an
    /// ordinary token, since a model may generate one.
    pub images: &'a [ImageFeatures],
    /// The range of `tokens` to compute logits for.
    pub logits: Range<usize>,
}

/// KV cache layout of a model with these sizes.
pub fn cache_spec(spec: &ModelSpec, placement: &Placement) -> CacheSpec {
    CacheSpec {
        layers: spec.layers,
        shape: spec.heads,
        backend: placement.backend,
        device: placement.device.clone(),
        dtype: cached_dtype(placement),
    }
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
    /// `network` was loaded with `placement`.
    pub fn new(
        architecture: Box<dyn Architecture>,
        network: Box<dyn Network>,
        placement: &Placement,
    ) -> Self {
        let spec = architecture.spec();
        let cache = Arc::new(cache_spec(&spec, placement));
        Self {
            architecture,
            network,
            spec,
            cache,
        }
    }

    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// KV cache bytes of `tokens`.
    pub fn cache_bytes(&self, tokens: usize) -> usize {
        self.cache.bytes(tokens)
    }

    /// Bytes of weights read by one step of the language model.
    pub fn step_bytes(&self) -> usize {
        self.network.step_bytes()
    }

    /// Resizes an image and cuts it into patches.
    pub fn preprocess(&self, picture: &Picture) -> Result<ImagePatches> {
        self.architecture.preprocess(picture)
    }

    /// Number of placeholder tokens for an image of this grid.
    pub fn image_tokens(&self, grid: Grid) -> usize {
        self.architecture.image_tokens(grid)
    }

    /// Tokenizes `chat` with its images, up to where the answer begins.
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

    /// KV cache bytes of a batch of sequences; `own` yields the number of own tokens of each.
    pub fn batch_bytes(&self, own: impl Iterator<Item = usize>) -> usize {
        self.cache.batch_bytes(own)
    }

    /// Whether a step pads every sequence to the longest one.
    pub fn pads_rows(&self) -> bool {
        self.cache.backend == Backend::Tensors
    }

    /// Whether one pass over the weights for many tokens is much faster than a pass per token.
    pub fn benefits_from_batching(&self) -> bool {
        !self.cache.device.is_cpu() || self.head().reads_weights_once()
    }

    /// Creates a pool for sequences that are computed together.
    pub fn pool(&self) -> Arc<Pool> {
        Pool::new(&self.cache)
    }

    /// Creates an empty sequence, or one that starts with a shared prefix. Sequences of the same
    /// `pool` are computed together; one without a pool is computed on its own.
    pub fn sequence(
        &self,
        prefix: Option<Arc<Prefix>>,
        pool: Option<&Arc<Pool>>,
    ) -> candle_core::Result<Sequence> {
        Sequence::new(&self.cache, prefix, pool)
    }

    /// Encodes all images in one pass.
    pub fn encode_images(
        &self,
        images: &[ImagePatches],
    ) -> candle_core::Result<Vec<ImageFeatures>> {
        let features = self.on_threads(|| self.network.encode_images(images))?;
        let pairs = features.into_iter().zip(images);
        Ok(pairs
            .map(|(features, image)| ImageFeatures {
                features,
                grid: image.grid,
            })
            .collect())
    }

    /// Runs `work` on a thread of the rayon pool: from any other thread, each product of dense
    /// matrices would wait for the pool to wake up.
    fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self.cache.device.is_cpu() {
            true => rayon::scope(|_| work()),
            false => work(),
        }
    }

    /// Computes one ragged step. Returns the requested logits of each sequence,
    /// `(rows, vocabulary)` in f32 on the model's device.
    ///
    /// # Errors
    /// If tokens, images or logits are invalid, or the computation fails. No sequence changes then.
    pub fn forward(&self, steps: &mut [SequenceStep]) -> candle_core::Result<Vec<Tensor>> {
        let counts: Vec<usize> = steps.iter().map(|step| step.logits.len()).collect();
        let logits = self.logits(&self.hidden_rows(steps)?)?;
        let mut start = 0;
        let split = counts.into_iter().map(|rows| {
            start += rows;
            logits.narrow(0, start - rows, rows)
        });
        split.collect()
    }

    /// Like [`Model::forward`], but stops before the head: returns the hidden states of all rows
    /// whose logits are requested, `(rows, hidden)`.
    ///
    /// # Errors
    /// As for [`Model::forward`].
    pub fn hidden_rows(&self, steps: &mut [SequenceStep]) -> candle_core::Result<Tensor> {
        let mut positions = Vec::with_capacity(steps.len());
        for step in steps.iter() {
            positions.push(self.positions(step)?);
        }
        let result = self.on_threads(|| self.compute_pools(steps, &positions));
        for (step, positions) in steps.iter_mut().zip(&positions) {
            match &result {
                Ok(_) => step.sequence.commit(positions),
                Err(_) => step.sequence.drop_uncommitted(),
            }
        }
        result
    }

    /// Computes the sequences of each pool together. There is more than one pool while a prefix is
    /// being built next to running sequences.
    fn compute_pools(
        &self,
        steps: &mut [SequenceStep],
        positions: &[Vec<Position>],
    ) -> candle_core::Result<Tensor> {
        let pool = |step: &SequenceStep| step.sequence.pool().map(Arc::as_ptr);
        let mut pools: Vec<Option<*const Pool>> = Vec::new();
        let groups: Vec<usize> = steps
            .iter()
            .map(|step| {
                let known = pools.iter().position(|other| *other == pool(step));
                known.unwrap_or_else(|| {
                    pools.push(pool(step));
                    pools.len() - 1
                })
            })
            .collect();
        let mut parts = Vec::with_capacity(pools.len());
        let mut order: Vec<u32> = Vec::new();
        for group in 0..pools.len().max(1) {
            let mut members = Vec::with_capacity(steps.len());
            let mut row = 0;
            for ((step, positions), its) in steps.iter_mut().zip(positions).zip(&groups) {
                let rows = row..row + step.logits.len() as u32;
                row = rows.end;
                if *its == group {
                    order.extend(rows);
                    members.push((step, positions.as_slice()));
                }
            }
            parts.push(self.compute(&mut members)?);
        }
        let parts: Vec<Tensor> = match parts.len() {
            1 => return Ok(parts.remove(0)),
            // The logits of a prefix are never requested.
            _ => parts
                .into_iter()
                .filter(|part| part.elem_count() > 0)
                .collect(),
        };
        let in_order = order.is_sorted();
        let rows = match parts.is_empty() {
            true => return self.no_rows(),
            false => Tensor::cat(&parts, 0)?,
        };
        if in_order {
            return Ok(rows);
        }
        let mut back = vec![0; order.len()];
        for (from, to) in (0..).zip(order) {
            back[to as usize] = from;
        }
        rows.index_select(&Tensor::new(back, rows.device())?, 0)
    }

    fn compute(
        &self,
        steps: &mut [(&mut SequenceStep, &[Position])],
    ) -> candle_core::Result<Tensor> {
        let tokens: Vec<u32> = steps
            .iter()
            .flat_map(|(step, _)| step.tokens)
            .copied()
            .collect();
        if tokens.is_empty() {
            candle_core::bail!("a step needs tokens")
        }
        let placeholders = self.placeholders(steps);
        let hidden = self.splice(self.network.embed(&tokens)?, &placeholders, steps)?;
        let additions = self.additions(&placeholders, steps)?;
        let positions: Vec<Position> = steps.iter().flat_map(|(_, at)| *at).copied().collect();
        let mut start = 0;
        let mut wanted: Vec<u32> = Vec::new();
        let mut spans = Vec::with_capacity(steps.len());
        for (step, _) in steps.iter_mut() {
            let rows = start..start + step.tokens.len();
            wanted.extend(step.logits.clone().map(|row| (start + row) as u32));
            start = rows.end;
            spans.push(Span {
                sequence: &mut *step.sequence,
                rows,
            });
        }
        let mut batch = Batch::new(&self.cache, spans)?;
        let hidden = self
            .network
            .forward(hidden, additions.as_ref(), &positions, &mut batch)?;
        if wanted.is_empty() {
            return self.no_rows();
        }
        let wanted = Tensor::new(wanted, &self.cache.device)?;
        hidden.index_select(&wanted, 0)
    }

    /// An empty result, on the CPU: accelerators cannot allocate zero bytes.
    fn no_rows(&self) -> candle_core::Result<Tensor> {
        Tensor::zeros((0, self.spec.hidden_size), DType::F32, &Device::Cpu)
    }

    /// Computes the logits of hidden states, `(rows, vocabulary)` in f32 on the model's device.
    pub fn logits(&self, hidden: &Tensor) -> candle_core::Result<Tensor> {
        if hidden.dim(0)? == 0 {
            return Tensor::zeros((0, self.spec.vocab_size), DType::F32, &Device::Cpu);
        }
        self.logits_with(self.head(), hidden)
    }

    /// Computes logits with `head`, which may be a subset of the rows of the model's head.
    pub fn logits_with(&self, head: &Linear, hidden: &Tensor) -> candle_core::Result<Tensor> {
        let logits = self.on_threads(|| head.forward(&self.network.norm(hidden)?))?;
        logits.to_dtype(DType::F32)
    }

    /// Maps normalized hidden states to logits.
    pub fn head(&self) -> &Linear {
        self.network.head()
    }

    pub fn device(&self) -> &Device {
        &self.cache.device
    }

    /// The rows of a step that are image placeholders.
    fn placeholders(&self, steps: &[(&mut SequenceStep, &[Position])]) -> Vec<u32> {
        let tokens = steps.iter().flat_map(|(step, _)| {
            let has_images = !step.images.is_empty();
            let token = step.tokens.iter();
            token.map(move |token| has_images && *token == self.spec.image_token)
        });
        (0..)
            .zip(tokens)
            .filter_map(|(row, is_placeholder)| is_placeholder.then_some(row))
            .collect()
    }

    /// Replaces the embeddings of placeholders with image features, `(tokens, hidden)`.
    fn splice(
        &self,
        embedded: Tensor,
        placeholders: &[u32],
        steps: &[(&mut SequenceStep, &[Position])],
    ) -> candle_core::Result<Tensor> {
        if placeholders.is_empty() {
            return Ok(embedded);
        }
        // Gathers from the embeddings followed by the features, in token order.
        let tokens = embedded.dim(0)? as u32;
        let mut rows: Vec<u32> = (0..tokens).collect();
        for (row, feature) in placeholders.iter().zip(tokens..) {
            rows[*row as usize] = feature;
        }
        let features = image_features(steps).map(|features| &features.embeddings);
        let all: Vec<&Tensor> = std::iter::once(&embedded).chain(features).collect();
        Tensor::cat(&all, 0)?.index_select(&Tensor::new(rows, &self.cache.device)?, 0)
    }

    /// Collects the additions of a step's images; `None` if there are none.
    fn additions(
        &self,
        placeholders: &[u32],
        steps: &[(&mut SequenceStep, &[Position])],
    ) -> candle_core::Result<Option<Additions>> {
        let layers = image_features(steps).map(|features| features.additions.len());
        let layers = match layers.min() {
            None | Some(0) => return Ok(None),
            Some(layers) => layers,
        };
        let layer = |layer: usize| {
            let all = image_features(steps).map(|features| &features.additions[layer]);
            Tensor::cat(&all.collect::<Vec<_>>(), 0)
        };
        Ok(Some(Additions {
            rows: Tensor::new(placeholders, &self.cache.device)?,
            layers: (0..layers).map(layer).collect::<candle_core::Result<_>>()?,
        }))
    }

    /// Computes the positions of a step's tokens and checks that its images match its placeholders.
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
            if run != tokens || image.features.embeddings.dims2()? != shape {
                candle_core::bail!(
                    "{run} image tokens for an image of {tokens}, with features of {:?}",
                    image.features.embeddings.shape()
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
                "logits {:?} requested for {} tokens",
                step.logits,
                step.tokens.len()
            )
        }
        let len = step.sequence.len() + step.tokens.len();
        if len > self.spec.max_tokens {
            candle_core::bail!(
                "{len} tokens exceed the model's limit of {}",
                self.spec.max_tokens
            )
        }
        Ok(positions)
    }
}

/// The image features of a step, in the order of their placeholders.
fn image_features<'a>(
    steps: &'a [(&mut SequenceStep, &[Position])],
) -> impl Iterator<Item = &'a Features> {
    let images = steps.iter().flat_map(|(step, _)| step.images);
    images.map(|image| &image.features)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::checkpoint::files::CheckpointFiles;
    use crate::vlm::device::LoadOptions;
    use crate::vlm::load::load;
    use crate::vlm::nn::launches;
    use crate::vlm::testing::{FIXTURES, folder};

    /// Loads a fixture with the backend that accelerators use.
    fn model(fixture: &str, dtype: DType) -> Model {
        let files = CheckpointFiles::folder(&folder(fixture)).unwrap();
        let options = LoadOptions {
            device: Device::Cpu,
            backend: Backend::Tensors,
            dtype,
            quantization: None,
            cache: None,
        };
        load(&files, &options, &mut |_, _| {}).unwrap()
    }

    fn step<'a>(sequence: &'a mut Sequence, tokens: &'a [u32]) -> SequenceStep<'a> {
        SequenceStep {
            sequence,
            tokens,
            images: &[],
            logits: 0..0,
        }
    }

    /// Counts the launches of a step in which each of these sequences continues with one token.
    fn launches(model: &Model, sequences: usize) -> usize {
        let pool = model.pool();
        let mut shared = model.sequence(None, None).unwrap();
        model
            .hidden_rows(&mut [step(&mut shared, &[40, 41, 42])])
            .unwrap();
        let shared = Arc::new(shared.into_prefix().unwrap());
        let new = |_| model.sequence(Some(Arc::clone(&shared)), Some(&pool));
        let all = (0..sequences).map(new).collect::<candle_core::Result<_>>();
        let mut all: Vec<Sequence> = all.unwrap();
        let mut steps: Vec<_> = all.iter_mut().map(|one| step(one, &[43])).collect();
        // Launches are counted per thread, so the work must stay on this one.
        rayon::scope(|_| {
            launches::count(|| {
                model.hidden_rows(&mut steps).unwrap();
            })
        })
    }

    #[test]
    fn a_layer_takes_at_most_thirty_launches_whatever_the_batch() {
        for fixture in FIXTURES {
            for dtype in [DType::BF16, DType::F16] {
                let model = model(fixture, dtype);
                let one = launches(&model, 1);
                let each = one as f64 / model.spec().layers as f64;
                // Unlike any published checkpoint, its attention has biases in every layer.
                let more = if fixture == "deepstack-nested" {
                    2.0
                } else {
                    0.0
                };
                let most = 30.0 + more;
                assert!((15.0..=most).contains(&each), "{fixture} {dtype:?}: {each}");
                for sequences in [8, 32, 128] {
                    assert_eq!(launches(&model, sequences), one, "{fixture} {dtype:?}");
                }
            }
        }
    }
}
