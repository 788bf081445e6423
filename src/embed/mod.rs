//! Pictures and texts as vectors, by the models that search compares them with: SigLIP, with a LoRA
//! adapter over it or without.
//!
//! - `checkpoint`: its files, the adapter merged
//! - `pixels`, `tokens`, `spiece`: what the towers are given
//! - `vision`, `text`, `encoder`: the towers
//! - [`vectors`], [`ranking`]: vectors that are kept, and compared
//! - [`named`]: a retriever as the journal names it
//!
//! The layers are those of [`crate::vlm::nn`]; towers and preparation are checked against
//! transformers.

mod adapter;
mod checkpoint;
mod config;
mod encoder;
pub mod named;
mod pixels;
pub mod ranking;
mod spiece;
mod text;
mod tokens;
pub mod vectors;
mod vision;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::icon::Picture;
use crate::settings::RetrieverOptions;
use crate::vlm::open::OnOpening;
use candle_core::Tensor;
use checkpoint::Checkpoint;

/// A vector of length one.
pub type Vector = Vec<f32>;

/// Rows of all inputs that are computed together: enough for the kernels, and few enough to stay
/// near the processor.
const ROWS: usize = 1024;

/// What gives texts their vectors.
pub struct TextEmbedder {
    tokens: tokens::TextTokens,
    tower: text::TextTower,
}

/// What gives pictures their vectors.
pub struct ImageEmbedder {
    pixels: pixels::Pixels,
    tower: vision::VisionTower,
}

/// A retriever, ready to compare pictures with texts.
pub struct Retriever {
    pub images: ImageEmbedder,
    pub texts: TextEmbedder,
    /// The same for the same vectors.
    pub digest: String,
    /// Where it computes, for example `cpu`.
    pub device: String,
    pub logit_scale: f32,
    pub logit_bias: f32,
}

impl Retriever {
    /// Finds the retriever of `options`, downloads it where that is allowed, and loads it.
    ///
    /// # Errors
    /// A checkpoint that is not there, is incomplete, or is no retriever that is supported; an
    /// adapter that is not understood or is for another one.
    pub fn open(options: &RetrieverOptions, on_opening: &OnOpening) -> Result<Self> {
        let checkpoint = Checkpoint::open(options, on_opening)?;
        let (logit_scale, logit_bias) = checkpoint.logits()?;
        Ok(Self {
            images: ImageEmbedder::new(&checkpoint, on_opening)?,
            texts: TextEmbedder::new(&checkpoint, on_opening)?,
            digest: checkpoint.digest()?,
            device: checkpoint.device(),
            logit_scale,
            logit_bias,
        })
    }
}

impl TextEmbedder {
    fn new(checkpoint: &Checkpoint, on_opening: &OnOpening) -> Result<Self> {
        let (tokens, tower) = checkpoint.texts(on_opening)?;
        Ok(Self { tokens, tower })
    }

    /// The half of a retriever that reads texts, with its digest.
    ///
    /// # Errors
    /// Those of [`Retriever::open`].
    pub fn open(options: &RetrieverOptions, on_opening: &OnOpening) -> Result<(Self, String)> {
        let checkpoint = Checkpoint::open(options, on_opening)?;
        Ok((Self::new(&checkpoint, on_opening)?, checkpoint.digest()?))
    }

    /// How many texts are worth being computed together.
    pub fn at_once(&self) -> usize {
        (ROWS / self.tokens.length()).max(1)
    }

    /// The vector of each text.
    pub fn embed<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vector>> {
        let mut vectors = Vec::with_capacity(texts.len());
        for texts in texts.chunks(self.at_once()) {
            let mut ids = Vec::new();
            for text in texts {
                ids.extend(self.tokens.encode(text.as_ref())?);
            }
            let out = self.tower.forward(&ids, self.tokens.length());
            vectors.extend(units(out.context(ErrorKind::Model, COMPUTING)?)?);
        }
        Ok(vectors)
    }
}

impl ImageEmbedder {
    fn new(checkpoint: &Checkpoint, on_opening: &OnOpening) -> Result<Self> {
        let (pixels, tower) = checkpoint.pictures(on_opening)?;
        Ok(Self { pixels, tower })
    }

    /// How many pictures are worth being computed together.
    pub fn at_once(&self) -> usize {
        (ROWS / self.pixels.patches()).max(1)
    }

    /// The vector of each picture.
    pub fn embed(&self, pictures: &[Picture]) -> Result<Vec<Vector>> {
        let mut vectors = Vec::with_capacity(pictures.len());
        for pictures in pictures.chunks(self.at_once()) {
            let mut patches = Vec::new();
            for picture in pictures {
                self.pixels.append(picture, &mut patches);
            }
            let out = self.tower.forward(patches, pictures.len());
            vectors.extend(units(out.context(ErrorKind::Model, COMPUTING)?)?);
        }
        Ok(vectors)
    }
}

const COMPUTING: &str = "the retriever failed";

/// Rows as vectors of length one.
fn units(rows: Tensor) -> Result<Vec<Vector>> {
    let mut vectors = rows.to_vec2::<f32>().context(ErrorKind::Model, COMPUTING)?;
    for vector in &mut vectors {
        let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let length = square.sqrt();
        if !length.is_finite() || length == 0.0 {
            let error = Error::new(
                ErrorKind::Model,
                "the retriever gave a vector without a direction",
            );
            return Err(error.with_hint("its weights are damaged, or --precision is too coarse"));
        }
        for x in vector {
            *x = (f64::from(*x) / length) as f32;
        }
    }
    Ok(vectors)
}
