//! Loads a checkpoint's weights from its own files or from the cache of quantized weights.

use super::architecture::{Architecture, LoadStage, Network};
use super::checkpoint::files::CheckpointFiles;
use super::checkpoint::packing::Packing;
use super::checkpoint::weight_cache::{self, CacheReader, CacheWriter, WeightCache};
use super::checkpoint::weights::Weights;
use super::device::LoadOptions;
use super::memory::Memory;
use super::model::Model;
use super::models;
use super::nn::int8::Bits;
use super::options::ModelOptions;
use crate::error::{Context, Error, ErrorKind, Result};

/// A checkpoint whose configuration and tensor shapes match. No weight has been read yet.
pub struct Checkpoint {
    pub architecture: Box<dyn Architecture>,
    weights: Weights,
    packing: Option<Packing>,
}

impl Checkpoint {
    /// Reads the configuration and the headers of the weight files.
    ///
    /// # Errors
    /// If the configuration is not supported, or tensors are missing, unexpected or of the wrong
    /// shape.
    pub fn open(files: &CheckpointFiles) -> Result<Self> {
        let architecture = models::open(files)?;
        let packing = Packing::read(&files.config.json()?).map_err(|refusal| {
            let cause = format!("{}: {}", files.config.shown(), refusal.cause);
            Error::new(ErrorKind::Model, cause).with_hint(refusal.hint)
        })?;
        let rename = |name: &str| architecture.tensor_name(name);
        let weights = Weights::open(&files.weights, packing, rename)?;
        weights.check(&architecture.tensors(), |name| {
            architecture.may_ignore(name)
        })?;
        Ok(Self {
            architecture,
            weights,
            packing,
        })
    }

    /// Memory estimate; an optional tensor counts if the checkpoint has it.
    pub fn memory<'a>(&self, load: &'a LoadOptions, options: &ModelOptions) -> Memory<'a> {
        let architecture = self.architecture.as_ref();
        let mut tensors = architecture.tensors();
        tensors.retain(|tensor| !tensor.optional || self.weights.has(&tensor.name));
        Memory::new(architecture, tensors, load, options)
    }

    /// Total bytes of all tensors as stored.
    pub fn stored_bytes(&self) -> u64 {
        self.weights.stored_bytes()
    }

    /// Loads the weights; `progress` receives the stage and how much of it is done, 0 to 1.
    ///
    /// # Errors
    /// If the weights cannot be read. A quantized cache that cannot be read or written is only
    /// logged.
    pub fn load(
        self,
        files: &CheckpointFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> Result<Model> {
        let network = self.network(files, options, progress)?;
        Ok(Model::new(
            self.architecture,
            network,
            &options.placement(WeightCache::Off),
        ))
    }

    fn network(
        &self,
        files: &CheckpointFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadStage, f32),
    ) -> Result<Box<dyn Network>> {
        let load = |cache: &WeightCache, progress: &mut dyn FnMut(LoadStage, f32)| {
            let placement = options.placement(cache.clone());
            self.architecture
                .load(&self.weights, &placement, progress)
                .context(ErrorKind::Model, "cannot load the weights")
        };
        let path = match (&options.cache, options.quantization) {
            (Some(folder), Some(kind)) => {
                let packing = self.packing.map(|packing| format!("-{}", packing.name()));
                let form = format!("{}{}", kind.name(), packing.unwrap_or_default());
                // Each kernel has its own layout.
                let form = match own_layout(options) {
                    Some(bits) => format!("{form}-{}", bits.name()),
                    None => form,
                };
                weight_cache::cache_file(folder, files, &form)?
            }
            _ => None,
        };
        let Some(path) = path else {
            return load(&WeightCache::Off, progress);
        };
        let cached = CacheReader::open(&path).and_then(|reader| {
            let cache = reader.map(WeightCache::map);
            cache.map(|cache| load(&cache, progress)).transpose()
        });
        match cached {
            Ok(Some(network)) => return Ok(network),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cached weights are unusable, rebuilding"),
        }
        let cache = match CacheWriter::create(&path) {
            Ok(writer) => WeightCache::write(writer),
            Err(error) => {
                tracing::warn!(%error, "cannot cache the quantized weights");
                return load(&WeightCache::Off, progress);
            }
        };
        let network = load(&cache, &mut |stage, done| {
            let done = match stage {
                LoadStage::Text => 0.3 + 0.7 * done,
                _ => 0.3 * done,
            };
            progress(LoadStage::Quantize, done);
        })?;
        match cache.finish() {
            Ok(true) => {}
            Ok(false) => return Ok(network),
            Err(error) => {
                tracing::warn!(%error, "cannot cache the quantized weights");
                return Ok(network);
            }
        }
        if own_layout(options).is_some() {
            return Ok(network);
        }
        // Mapping the file just written halves the memory of candle's quantized tensors.
        match CacheReader::open(&path)? {
            Some(reader) => {
                drop(network);
                load(&WeightCache::map(reader), progress)
            }
            None => Ok(network),
        }
    }
}

/// Weight layout of our own kernel for the layers, if this processor and quantization have one.
fn own_layout(options: &LoadOptions) -> Option<Bits> {
    let kind = options.quantization.filter(|_| options.device.is_cpu())?;
    Bits::of(kind.dtype())
}

/// Loads a checkpoint; `progress` receives the stage and how much of it is done, 0 to 1.
///
/// # Errors
/// Those of [`Checkpoint::open`] and [`Checkpoint::load`].
pub fn load(
    files: &CheckpointFiles,
    options: &LoadOptions,
    progress: &mut dyn FnMut(LoadStage, f32),
) -> Result<Model> {
    Checkpoint::open(files)?.load(files, options, progress)
}
