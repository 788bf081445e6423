//! Opens the model that the options name: finds or downloads its files and loads the weights.

use super::architecture::LoadStage;
use super::checkpoint::files::{CheckpointFiles, Download, Gate, OnDownload};
use super::checkpoint::tokenizer::Tokenizer;
use super::load::Checkpoint;
use super::memory::{Memory, OWN_TOKENS, SHARED_TOKENS, SLOTS};
use super::model::Model;
use super::nn::linear::Quantization;
use super::options::ModelOptions;
use super::{checkpoint, device, models};
use crate::error::{Error, Result};
use crate::{platform, threads};
use candle_core::DType;
use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

/// Progress of opening a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    Download(Download),
    /// The stage and how much of it is done, 0 to 1.
    Load(LoadStage, f32),
}

/// Receives progress; may be called from any thread.
pub type OnOpening = Arc<dyn Fn(Opening) + Send + Sync>;

/// A model ready to run, with its tokenizer.
#[derive(Debug)]
pub struct Opened {
    pub model: Model,
    pub tokenizer: Tokenizer,
    /// The model as the user named it.
    pub name: String,
    /// For example `cpu`, or `cuda` with the card's name.
    pub device: String,
    /// For example `q8_0` or `bf16`.
    pub detail: String,
    /// Load time, download excluded.
    pub load_seconds: f64,
    /// Why the model runs on the CPU although the build supports an accelerator.
    pub accelerator_error: Option<Error>,
    pub weight_bytes: u64,
    /// Limit of the KV cache.
    pub kv_bytes: u64,
    /// Target number of tokens per step.
    pub step_tokens: usize,
    /// Free memory on the device after loading, if known.
    pub free_bytes: Option<u64>,
}

/// Freed memory that the allocator keeps instead of returning it to the system, on the CPU.
const RETAINED_BYTES: i32 = 1 << 29;

/// Default number of slots where batching does not make a token cheaper: more slots would only
/// delay the first answer.
const UNBATCHED_SLOTS: usize = 8;

impl Opened {
    /// Number of sequences in flight: `requested`, or as many as suit the processor and fit the KV
    /// cache.
    pub fn slots(&self, requested: Option<usize>) -> usize {
        let most = match self.model.benefits_from_batching() {
            true => SLOTS,
            false => UNBATCHED_SLOTS,
        };
        let shared = self.model.cache_bytes(SHARED_TOKENS);
        let fits = |slots: &usize| {
            let own = std::iter::repeat_n(OWN_TOKENS, *slots);
            (shared + self.model.batch_bytes(own)) as u64 <= self.kv_bytes
        };
        requested.unwrap_or_else(|| (1..=most).rev().find(fits).unwrap_or(1))
    }
}

/// Finds the model of `options`, downloads it if allowed, and loads it.
pub fn open(options: &ModelOptions, on_opening: &OnOpening) -> Result<Opened> {
    threads::start_pool(|| {})?;
    let (load_options, accelerator_error) = device::load_options(options)?;
    if load_options.device.is_cpu() {
        platform::keep_freed_memory(RETAINED_BYTES);
    }
    let report = on_opening.clone();
    let sizes = |files: &CheckpointFiles| {
        let architecture = models::open(files)?;
        Memory::from_config(architecture.as_ref(), &load_options, options).check()
    };
    let gate = Gate {
        config: &models::refusals,
        sizes: &sizes,
    };
    let on_download: OnDownload = Arc::new(move |download| report(Opening::Download(download)));
    let files = checkpoint::find(options, &gate, on_download)?;
    let started = Instant::now();
    let checkpoint = Checkpoint::open(&files)?;
    let memory = checkpoint.memory(&load_options, options);
    // Now that the weight files show which optional tensors exist.
    memory.check()?;
    let (model, tokenizer) = std::thread::scope(|scope| {
        // Takes a fraction of a second; loading the weights leaves a core idle.
        let read = || models::open(&files)?.tokenizer(&files);
        let tokenizer = threads::spawn_scoped(scope, "tokenizer", read)?;
        let model = checkpoint.load(&files, &load_options, &mut |stage, done| {
            on_opening(Opening::Load(stage, done));
        })?;
        let panicked = |panic: Box<dyn Any + Send>| threads::panicked("tokenizer", panic.as_ref());
        let tokenizer = tokenizer.join().map_err(panicked)??;
        Ok::<_, Error>((model, tokenizer))
    })?;
    let free_bytes = device::free_memory(&load_options.device);
    let dense = match load_options.dtype {
        DType::BF16 => "bf16",
        DType::F16 => "fp16",
        _ => "fp32",
    };
    Ok(Opened {
        model,
        tokenizer,
        name: options.model.clone(),
        device: device::describe(&load_options.device),
        detail: load_options
            .quantization
            .map_or(dense, Quantization::name)
            .to_owned(),
        load_seconds: started.elapsed().as_secs_f64(),
        accelerator_error,
        weight_bytes: memory.weight_bytes(),
        kv_bytes: memory.kv_bytes(free_bytes),
        step_tokens: memory.step_tokens(free_bytes),
        free_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::vlm::{DeviceChoice, Precision, Quantize};

    fn options(model: &str) -> ModelOptions {
        ModelOptions {
            model: model.to_owned(),
            revision: "main".to_owned(),
            offline: true,
            device: DeviceChoice::Auto,
            precision: Precision::Auto,
            quantize: Quantize::Auto,
            batch_size: None,
            kv_memory: None,
        }
    }

    fn quiet() -> OnOpening {
        Arc::new(|_| {})
    }

    #[test]
    fn the_demo_model_needs_neither_disk_nor_network() {
        let opened = open(&options("demo"), &quiet()).unwrap();
        assert_eq!(opened.name, "demo");
        assert_eq!(opened.slots(Some(5)), 5);
        assert!(opened.slots(None) >= UNBATCHED_SLOTS);
        let small = Opened {
            kv_bytes: opened.kv_bytes / 1000,
            ..opened
        };
        assert!(small.slots(None) < UNBATCHED_SLOTS, "memory is the limit");
        let opened = small;
        let text = "둥근 모자";
        let ids = opened.tokenizer.encode(text).unwrap();
        assert_eq!(opened.tokenizer.decode(&ids), text);
    }

    #[test]
    fn an_error_names_a_path_that_is_not_a_folder() {
        let error = open(&options("./no/such/folder"), &quiet()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.cause.contains("./no/such/folder"));
    }
}
