//! Memory-mapped safetensors: one file or several, both naming schemes, read tensor by tensor.
//!
//! Names are kept as published (`visual.*`, `model.*`, `lm_head.weight`); what newer transformers
//! writes (`model.visual.*`, `model.language_model.*`) is translated when the files are opened.

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::checkpoint::files::{CheckpointFile, FileData};
use crate::vlm::models::qwen2_vl::config::Config;
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::ops::Range;

/// The bytes of one file.
enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    fn open(file: &CheckpointFile) -> Result<Self> {
        let path = match &file.data {
            FileData::Embedded(bytes) => return Ok(Self::Embedded(bytes)),
            FileData::Disk(path) => path,
        };
        let doing = || format!("cannot map {}", path.display());
        let file = std::fs::File::open(path).context(ErrorKind::Model, doing())?;
        // SAFETY: mapping a file that another process shortens meanwhile is undefined; weights
        // are written once, by a download that renames them when complete.
        let map = unsafe { Mmap::map(&file) }.context(ErrorKind::Model, doing())?;
        Ok(Self::Mapped(map))
    }

    fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }

    /// Tells the system that these bytes will not be read again soon, so that a mapped checkpoint
    /// does not count twice while the weights are built from it.
    fn forget(&self, range: &Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: the mapping is read-only and backed by the file, so dropped pages are read
            // again from it when they are touched.
            let advised = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
            if let Err(error) = advised {
                tracing::debug!(%error, "the system keeps pages of the checkpoint in memory");
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

/// Where a tensor lies.
struct Place {
    file: usize,
    range: Range<usize>,
    dtype: DType,
    shape: Vec<usize>,
}

/// The tensors of a checkpoint, by published name.
pub struct Weights {
    files: Vec<Bytes>,
    tensors: BTreeMap<String, Place>,
}

impl Weights {
    /// Opens the files and reads their tables; no tensor is read yet.
    pub fn open(files: &[CheckpointFile]) -> Result<Self> {
        let mut weights = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for file in files {
            weights
                .add(file)
                .map_err(|error| error.context(format!("weights {}", file.shown())))?;
        }
        Ok(weights)
    }

    fn add(&mut self, file: &CheckpointFile) -> Result<()> {
        let bytes = Bytes::open(file)?;
        let all = bytes.all();
        let table = SafeTensors::deserialize(all).map_err(|error| {
            Error::new(
                ErrorKind::Model,
                format!("not a complete safetensors file: {error}"),
            )
            .with_hint("the file is damaged or was not copied to its end; fetch it again")
        })?;
        let start = all.as_ptr() as usize;
        for (name, view) in table.iter() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                other => {
                    return Err(Error::new(
                        ErrorKind::Model,
                        format!(
                            "{name} is stored as {other:?}; only f32, f16 and bf16 can be read"
                        ),
                    ));
                }
            };
            let offset = view.data().as_ptr() as usize - start;
            let place = Place {
                file: self.files.len(),
                range: offset..offset + view.data().len(),
                dtype,
                shape: view.shape().to_vec(),
            };
            let name = published_name(name);
            if self.tensors.insert(name.clone(), place).is_some() {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{name} is there twice"),
                ));
            }
        }
        self.files.push(bytes);
        Ok(())
    }

    /// Checks that the tensors are exactly those that `config` calls for.
    pub fn check(&self, config: &Config) -> Result<()> {
        let mut missing = Vec::new();
        let mut unused: BTreeMap<&str, &Place> = self
            .tensors
            .iter()
            .map(|(name, place)| (name.as_str(), place))
            .collect();
        for (name, shape) in expected(config) {
            match unused.remove(name.as_str()) {
                None => missing.push(format!("{name} {shape:?}")),
                Some(place) if place.shape != shape => {
                    missing.push(format!("{name} {shape:?} (the file has {:?})", place.shape));
                }
                Some(_) => {}
            }
        }
        // A tied head may be stored all the same; the published rule is that the embedding wins.
        if config.text.tie_word_embeddings {
            unused.remove("lm_head.weight");
        }
        if missing.is_empty() && unused.is_empty() {
            return Ok(());
        }
        let unused = unused
            .iter()
            .map(|(name, place)| format!("{name} {:?}", place.shape));
        Err(Error::new(
            ErrorKind::Model,
            format!(
                "the weights do not fit config.json; missing or of another shape: {}; not used: {}",
                list(missing.into_iter()),
                list(unused)
            ),
        )
        .with_hint("the checkpoint is incomplete or not a Qwen2-VL; fetch it again"))
    }

    /// The named tensor as it is stored, on the CPU.
    pub fn stored(&self, name: &str, shape: &[usize]) -> candle_core::Result<Tensor> {
        let Some(place) = self.tensors.get(name) else {
            candle_core::bail!("tensor {name} is missing")
        };
        if place.shape != shape {
            candle_core::bail!("tensor {name} is {:?}, not {shape:?}", place.shape)
        }
        let file = &self.files[place.file];
        let tensor = Tensor::from_raw_buffer(
            &file.all()[place.range.clone()],
            place.dtype,
            shape,
            &Device::Cpu,
        )?;
        file.forget(&place.range);
        Ok(tensor)
    }

    /// Bytes of all tensors as stored.
    pub fn stored_bytes(&self) -> u64 {
        let bytes = self.tensors.values().map(|place| place.range.len() as u64);
        bytes.sum()
    }
}

fn published_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("model.visual.") {
        return format!("visual.{rest}");
    }
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return format!("model.{rest}");
    }
    name.to_owned()
}

/// Joined for a message; a checkpoint of another family would otherwise fill the screen.
fn list(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<String> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

/// Every tensor a checkpoint of this shape holds, by published name.
pub fn expected(config: &Config) -> Vec<(String, Vec<usize>)> {
    let text = &config.text;
    let vision = &config.vision;
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));

    let (dim, merged) = (vision.embed_dim, vision.embed_dim * vision.merge_unit());
    let patch = [
        dim,
        vision.in_channels,
        vision.temporal_patch_size,
        vision.patch_size,
        vision.patch_size,
    ];
    add("visual.patch_embed.proj.weight".into(), &patch);
    for layer in 0..vision.depth {
        let block = format!("visual.blocks.{layer}");
        for norm in ["norm1", "norm2"] {
            add(format!("{block}.{norm}.weight"), &[dim]);
            add(format!("{block}.{norm}.bias"), &[dim]);
        }
        for (name, rows, columns) in [
            ("attn.qkv", 3 * dim, dim),
            ("attn.proj", dim, dim),
            ("mlp.fc1", vision.mlp_dim, dim),
            ("mlp.fc2", dim, vision.mlp_dim),
        ] {
            add(format!("{block}.{name}.weight"), &[rows, columns]);
            add(format!("{block}.{name}.bias"), &[rows]);
        }
    }
    add("visual.merger.ln_q.weight".into(), &[dim]);
    add("visual.merger.ln_q.bias".into(), &[dim]);
    for (name, rows) in [("mlp.0", merged), ("mlp.2", vision.hidden_size)] {
        add(format!("visual.merger.{name}.weight"), &[rows, merged]);
        add(format!("visual.merger.{name}.bias"), &[rows]);
    }

    let (hidden, inner, kv) = (text.hidden_size, text.intermediate_size, text.kv_dim());
    add(
        "model.embed_tokens.weight".into(),
        &[text.vocab_size, hidden],
    );
    for layer in 0..text.num_hidden_layers {
        let block = format!("model.layers.{layer}");
        add(format!("{block}.input_layernorm.weight"), &[hidden]);
        add(
            format!("{block}.post_attention_layernorm.weight"),
            &[hidden],
        );
        for (name, rows) in [("q_proj", hidden), ("k_proj", kv), ("v_proj", kv)] {
            add(format!("{block}.self_attn.{name}.weight"), &[rows, hidden]);
            add(format!("{block}.self_attn.{name}.bias"), &[rows]);
        }
        add(
            format!("{block}.self_attn.o_proj.weight"),
            &[hidden, hidden],
        );
        add(format!("{block}.mlp.gate_proj.weight"), &[inner, hidden]);
        add(format!("{block}.mlp.up_proj.weight"), &[inner, hidden]);
        add(format!("{block}.mlp.down_proj.weight"), &[hidden, inner]);
    }
    add("model.norm.weight".into(), &[hidden]);
    if !text.tie_word_embeddings {
        add("lm_head.weight".into(), &[text.vocab_size, hidden]);
    }
    all
}
