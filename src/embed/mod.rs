//! Image and text embeddings by retrieval models, optionally with a LoRA adapter.
//!
//! - `checkpoint`: a retriever's files, with the adapter merged
//! - `architecture`, `models`: the differences between models
//! - `pixels`, `tokens`: preprocessing of images and texts
//! - `patches`, `words`, `encoder`: the layers of towers
//! - [`ranking`]: the comparison of vectors
//! - [`named`]: a retriever's name in the journal
//!
//! The layers are those of [`crate::vlm::nn`]. Tests compare towers and preprocessing with
//! transformers.

mod adapter;
mod architecture;
mod checkpoint;
mod encoder;
mod models;
pub mod named;
mod options;
mod patches;
mod pixels;
pub mod ranking;
mod tokens;
mod words;

pub use options::RetrieverOptions;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::icon::Picture;
use crate::vlm::nn::team;
use crate::vlm::open::OnOpening;
use architecture::{TextTower, VisionTower};
use candle_core::Tensor;
use checkpoint::{Batching, RetrieverCheckpoint};

/// A unit vector.
pub type Vector = Vec<f32>;

/// Computes the vectors of texts.
pub struct TextEmbedder {
    tokens: tokens::TextTokens,
    tower: Box<dyn TextTower>,
    batching: Batching,
}

/// Computes the vectors of images.
pub struct ImageEmbedder {
    pixels: pixels::Pixels,
    tower: Box<dyn VisionTower>,
    batching: Batching,
}

impl Batching {
    /// Computes the vectors of `inputs`, share by share.
    fn compute<T: Sync>(
        self,
        inputs: &[T],
        vectors_of: impl Fn(&[T]) -> Result<Vec<Vector>> + Sync,
    ) -> Result<Vec<Vector>> {
        let each = inputs.len().div_ceil(self.shares).max(1);
        let shares: Vec<&[T]> = inputs.chunks(each).collect();
        let vectors = team::map(shares.len(), |share| vectors_of(shares[share]));
        let vectors: Vec<_> = vectors.into_iter().collect::<Result<_>>()?;
        Ok(vectors.into_iter().flatten().collect())
    }
}

/// A loaded retriever.
pub struct Retriever {
    pub images: ImageEmbedder,
    pub texts: TextEmbedder,
    /// Identifies the vectors: retrievers with equal digests compute equal vectors.
    pub digest: String,
    pub logit_scale: f32,
    /// Not every architecture has one.
    pub logit_bias: Option<f32>,
}

impl Retriever {
    /// Finds the retriever of `options`, downloads it if allowed, and loads it.
    ///
    /// # Errors
    /// If the checkpoint is missing, incomplete or not a supported retriever, or the adapter is not
    /// supported or belongs to another retriever.
    pub fn open(options: &RetrieverOptions, on_opening: &OnOpening) -> Result<Self> {
        let checkpoint = RetrieverCheckpoint::open(options, on_opening)?;
        let (logit_scale, logit_bias) = checkpoint.logits()?;
        Ok(Self {
            images: ImageEmbedder::new(&checkpoint, on_opening)?,
            texts: TextEmbedder::new(&checkpoint, on_opening)?,
            digest: checkpoint.digest()?,
            logit_scale,
            logit_bias,
        })
    }
}

impl TextEmbedder {
    fn new(checkpoint: &RetrieverCheckpoint, on_opening: &OnOpening) -> Result<Self> {
        let (tokens, tower) = checkpoint.texts(on_opening)?;
        Ok(Self {
            tokens,
            tower,
            batching: checkpoint.batching(),
        })
    }

    /// Opens the text half of a retriever; also returns the retriever's digest.
    ///
    /// # Errors
    /// Those of [`Retriever::open`].
    pub fn open(options: &RetrieverOptions, on_opening: &OnOpening) -> Result<(Self, String)> {
        let checkpoint = RetrieverCheckpoint::open(options, on_opening)?;
        Ok((Self::new(&checkpoint, on_opening)?, checkpoint.digest()?))
    }

    /// Computes the vector of each text.
    pub fn embed<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vector>> {
        self.batching.compute(texts, |texts| self.share(texts))
    }

    fn share<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vector>> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut together: Vec<Vec<u32>> = Vec::new();
        let mut rows = 0;
        for text in texts {
            let ids = self.tokens.encode(text.as_ref())?;
            if rows + ids.len() > self.batching.rows && rows > 0 {
                vectors.extend(self.compute(&std::mem::take(&mut together))?);
                rows = 0;
            }
            rows += ids.len();
            together.push(ids);
        }
        if rows > 0 {
            vectors.extend(self.compute(&together)?);
        }
        Ok(vectors)
    }

    fn compute(&self, texts: &[Vec<u32>]) -> Result<Vec<Vector>> {
        let out = self.tower.forward(texts);
        units(out.context(ErrorKind::Model, COMPUTING)?)
    }
}

impl ImageEmbedder {
    fn new(checkpoint: &RetrieverCheckpoint, on_opening: &OnOpening) -> Result<Self> {
        let (pixels, tower) = checkpoint.pictures(on_opening)?;
        Ok(Self {
            pixels,
            tower,
            batching: checkpoint.batching(),
        })
    }

    /// Computes the vector of each image.
    pub fn embed(&self, pictures: &[Picture]) -> Result<Vec<Vector>> {
        self.batching
            .compute(pictures, |pictures| self.share(pictures))
    }

    fn share(&self, pictures: &[Picture]) -> Result<Vec<Vector>> {
        let at_once = (self.batching.rows / self.pixels.patches()).max(1);
        let numbers = self.pixels.numbers();
        let mut vectors = Vec::with_capacity(pictures.len());
        for pictures in pictures.chunks(at_once) {
            let mut patches = vec![0.0; pictures.len() * numbers];
            for (out, picture) in patches.chunks_exact_mut(numbers).zip(pictures) {
                self.pixels.prepare(picture, out);
            }
            let out = self.tower.forward(patches, pictures.len());
            vectors.extend(units(out.context(ErrorKind::Model, COMPUTING)?)?);
        }
        Ok(vectors)
    }
}

const COMPUTING: &str = "the retriever failed";

/// Normalizes rows to unit vectors.
fn units(rows: Tensor) -> Result<Vec<Vector>> {
    let mut vectors = rows.to_vec2::<f32>().context(ErrorKind::Model, COMPUTING)?;
    for vector in &mut vectors {
        let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let length = square.sqrt();
        if !length.is_finite() || length == 0.0 {
            let error = Error::new(
                ErrorKind::Model,
                "the retriever computed a vector that is zero or not finite",
            );
            return Err(error.with_hint("its weights are damaged, or --precision is too coarse"));
        }
        for x in vector {
            *x = (f64::from(*x) / length) as f32;
        }
    }
    Ok(vectors)
}
