//! Finds and checks the files of a retriever and merges its adapter, before a tower is loaded.

use super::adapter::Adapter;
use super::architecture::{RetrieverArchitecture, TextTower, VisionTower};
use super::models;
use super::options::RetrieverOptions;
use super::pixels::Pixels;
use super::tokens::TextTokens;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::text::hex;
use crate::vlm::architecture::LoadStage;
use crate::vlm::checkpoint::files::{CheckpointFile, FileData, Gate, OnDownload, TokenizerFiles};
use crate::vlm::checkpoint::tensor_list::{ExpectedTensor, Role, TensorList};
use crate::vlm::checkpoint::weight_cache::WeightCache;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::checkpoint::{self, builtin};
use crate::vlm::nn::linear::Placement;
use crate::vlm::nn::team;
use crate::vlm::open::{OnOpening, Opening};
use crate::vlm::{CheckpointFiles, Quantization, device};
use crate::{platform, threads};
use candle_core::DType;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

/// Must be incremented whenever this program computes different vectors than before.
const VERSION: u8 = 1;

/// How inputs are batched.
#[derive(Debug, Clone, Copy)]
pub struct Batching {
    /// Shares that are computed in parallel, so that single-threaded work of one overlaps with the
    /// others.
    pub shares: usize,
    /// Rows per batch.
    pub rows: usize,
}

/// A retriever whose files have been found and checked.
pub struct RetrieverCheckpoint {
    files: CheckpointFiles,
    adapter: Option<Adapter>,
    architecture: Box<dyn RetrieverArchitecture>,
    tensors: Vec<ExpectedTensor>,
    weights: Weights,
    placement: Placement,
}

impl RetrieverCheckpoint {
    /// Finds the retriever of `options`, downloads it if allowed, and merges the adapter.
    ///
    /// # Errors
    /// If the checkpoint is missing, incomplete or not a supported retriever, or the adapter is not
    /// supported or belongs to another retriever.
    pub fn open(options: &RetrieverOptions, on_opening: &OnOpening) -> Result<Self> {
        if options.model.model == builtin::NAME {
            return Err(Error::new(
                ErrorKind::Usage,
                "the demo model writes labels; it is not a retriever",
            )
            .with_hint(models::SUPPORTED));
        }
        let adapter = options.adapter.as_deref().map(Adapter::open).transpose()?;
        threads::start_pool(|| {})?;
        let (load, _) = device::load_options(&options.model)?;
        let report = on_opening.clone();
        let on_download: OnDownload = Arc::new(move |download| report(Opening::Download(download)));
        let gate = Gate {
            config: &models::refusals,
            sizes: &|files| models::open(files).map(drop),
        };
        let files = checkpoint::find(&options.model, &gate, on_download)?;
        let architecture = models::open(&files)?;
        let mut weights = Weights::open(&files.weights, None, |stored| {
            architecture.tensor_name(stored)
        })?;
        let mut expected = TensorList::default();
        architecture.tensors(&mut expected);
        let TensorList(tensors) = expected;
        // Older versions of transformers stored position ids 0, 1, 2, ...
        weights.check(&tensors, |name| name.ends_with(".position_ids"))?;
        if let Some(adapter) = &adapter {
            let layers = tensors.iter().filter(|tensor| tensor.role == Role::Layer);
            let linear: BTreeMap<String, (usize, usize)> = layers
                .filter_map(|tensor| match tensor.shape[..] {
                    [rows, columns] => Some((tensor.name.clone(), (rows, columns))),
                    _ => None,
                })
                .collect();
            adapter.merge(&mut weights, &linear)?;
        }
        Ok(Self {
            files,
            adapter,
            architecture,
            tensors,
            weights,
            placement: Placement {
                device: load.device,
                backend: load.backend,
                dtype: load.dtype,
                quantization: load.quantization,
                cache: WeightCache::Off,
            },
        })
    }

    /// Hashes everything that vectors depend on besides the image or text.
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let precision = match (self.placement.quantization, self.placement.dtype) {
            (Some(kind), _) => Quantization::name(kind),
            (None, DType::BF16) => "bf16",
            (None, DType::F16) => "fp16",
            (None, _) => "fp32",
        };
        hash.update([VERSION]);
        hash.update(precision);
        let files = &self.files;
        let tokenizer = match &files.tokenizer {
            TokenizerFiles::Whole(file)
            | TokenizerFiles::Sentencepiece(file)
            | TokenizerFiles::WordPieces(file) => vec![file],
            TokenizerFiles::Parts { vocab, merges } => vec![vocab, merges],
        };
        let all = [&files.config, &files.preprocessor_config]
            .into_iter()
            .chain(tokenizer)
            .chain(&files.tokenizer_config)
            .chain(&files.weights)
            .chain(self.adapter.iter().flat_map(|it| [&it.config, &it.weights]));
        for file in all {
            hash.update([0]);
            hash.update(&file.name);
            hash.update([0]);
            update(&mut hash, file)?;
        }
        Ok(hex(&hash.finalize()))
    }

    /// How inputs are batched on this device. A dense product repacks its weights each time, so large
    /// batches pay off; our kernels' weights are already packed, and small batches stay in the
    /// processor's cache. A GPU computes one share after the other.
    pub fn batching(&self) -> Batching {
        let on_cpu = self.placement.device.is_cpu();
        Batching {
            shares: match on_cpu {
                true => team::threads(),
                false => 1,
            },
            rows: match self.placement.quantization.is_some() || self.placement.packs_dense() {
                true => 512,
                false => 2048,
            },
        }
    }

    /// Reads `logit_scale` as stored, and `logit_bias` if there is one.
    pub fn logits(&self) -> Result<(f32, Option<f32>)> {
        let number = |name: &str| -> Result<Option<f32>> {
            let Some(tensor) = self.tensors.iter().find(|it| it.name == name) else {
                return Ok(None);
            };
            let read = || {
                let stored = self.weights.stored(name, &tensor.shape)?;
                let stored = stored.to_dtype(DType::F32)?;
                stored.flatten_all()?.to_vec1::<f32>()
            };
            let numbers = read().context(ErrorKind::Model, format!("cannot read {name}"))?;
            Ok(numbers.first().copied())
        };
        let scale = number("logit_scale")?;
        Ok((scale.unwrap_or_default(), number("logit_bias")?))
    }

    /// Loads image preprocessing and the vision tower.
    pub fn pictures(&self, on_opening: &OnOpening) -> Result<(Pixels, Box<dyn VisionTower>)> {
        let pixels = Pixels::open(&self.files, &self.architecture.pixels())?;
        let mut loaded = |part| on_opening(Opening::Load(LoadStage::Vision, part));
        let tower = self
            .architecture
            .vision(&self.weights, &self.placement, &mut loaded);
        Ok((pixels, tower.context(ErrorKind::Model, LOADING)?))
    }

    /// Loads the tokenizer and the text tower.
    pub fn texts(&self, on_opening: &OnOpening) -> Result<(TextTokens, Box<dyn TextTower>)> {
        let tokens = TextTokens::load(&self.files, &self.architecture.tokens(&self.files)?)?;
        let mut loaded = |part| on_opening(Opening::Load(LoadStage::Text, part));
        let tower = self
            .architecture
            .text(&self.weights, &self.placement, &mut loaded);
        Ok((tokens, tower.context(ErrorKind::Model, LOADING)?))
    }
}

const LOADING: &str = "cannot load the weights of the retriever";

/// Hashes the content of a file.
fn update(hash: &mut Sha256, file: &CheckpointFile) -> Result<()> {
    let path = match &file.data {
        FileData::Embedded(bytes) => {
            hash.update(bytes);
            return Ok(());
        }
        FileData::Disk(path) => path,
    };
    let reading = || format!("cannot read {}", path.display());
    let mut open = platform::open_to_read(path).context(ErrorKind::Model, reading())?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match open
            .read(&mut buffer)
            .context(ErrorKind::Model, reading())?
        {
            0 => return Ok(()),
            count => hash.update(&buffer[..count]),
        }
    }
}
