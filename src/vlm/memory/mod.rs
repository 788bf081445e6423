//! Estimates the memory that a model needs, before any weight is loaded.

mod step;

pub use step::StepSize;

use super::architecture::{Architecture, ModelSpec};
use super::checkpoint::tensor_list::{ExpectedTensor, Role};
use super::checkpoint::weight_cache::WeightCache;
use super::device::{self, LoadOptions};
use super::model::cache_spec;
use super::nn::Backend;
use super::nn::linear::{MatrixFormat, Quantization};
use crate::error::{Error, ErrorKind, Result};
use crate::platform;
use crate::text::gibibytes;
use crate::vlm::options::ModelOptions;
use candle_core::DType;

/// Default KV cache limit, on the CPU and on devices that do not report free memory.
const KV_BYTES: u64 = 2 << 30;

/// Default number of sequences in flight; more would gain little.
pub const SLOTS: usize = 32;
/// Tokens of one icon, its question and the longest answer, without the shared prefix.
pub const OWN_TOKENS: usize = 512;
/// Tokens of the prompt prefix that all requests share.
pub const SHARED_TOKENS: usize = 2048;

/// Target number of tokens per step on the CPU: enough to keep it busy.
const CPU_STEP: usize = 512;
/// Candidates for the number of tokens per step on an accelerator; the first that fits is used.
const STEPS: [usize; 4] = [2048, 1024, 512, 256];

/// The memory needs of a model with the options of a run.
#[derive(Debug)]
pub struct Memory<'a> {
    spec: ModelSpec,
    tensors: Vec<ExpectedTensor>,
    load: &'a LoadOptions,
    kv_memory: Option<u64>,
    slots: usize,
}

impl<'a> Memory<'a> {
    /// A lower bound from the configuration alone: optional tensors do not count.
    pub fn from_config(
        architecture: &dyn Architecture,
        load: &'a LoadOptions,
        options: &ModelOptions,
    ) -> Self {
        let mut tensors = architecture.tensors();
        tensors.retain(|tensor| !tensor.optional);
        Self::new(architecture, tensors, load, options)
    }

    pub fn new(
        architecture: &dyn Architecture,
        tensors: Vec<ExpectedTensor>,
        load: &'a LoadOptions,
        options: &ModelOptions,
    ) -> Self {
        Self {
            spec: architecture.spec(),
            tensors,
            load,
            kv_memory: options.kv_memory,
            slots: options.batch_size.unwrap_or(SLOTS),
        }
    }

    /// Bytes of the loaded weights on the device.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes_as(self.load.quantization)
    }

    fn weight_bytes_as(&self, quantization: Option<Quantization>) -> u64 {
        let on_cpu = self.load.device.is_cpu();
        let plain = match self.load.backend {
            Backend::Slices => DType::F32,
            Backend::Tensors => self.load.dtype,
        };
        let bytes = self.tensors.iter().map(|tensor| {
            let numbers = tensor.shape.iter().product::<usize>();
            let matrix = |quantization| {
                let columns = tensor.shape.last().copied().unwrap_or(1);
                let shape = (numbers / columns.max(1), columns);
                MatrixFormat::of(quantization, columns, on_cpu).bytes(shape, self.load.dtype)
            };
            match tensor.role {
                Role::Layer => matrix(quantization),
                Role::Vocabulary => matrix(quantization.map(|_| Quantization::OF_VOCABULARY)),
                Role::Exact => matrix(None),
                Role::Plain => numbers * plain.size_in_bytes(),
                // In main memory, not on the device.
                Role::Table if !on_cpu => 0,
                Role::Table => numbers * DType::F32.size_in_bytes(),
            }
        });
        bytes.sum::<usize>() as u64
    }

    /// Working memory of a step of this many tokens on an accelerator. 0 on the CPU, where the
    /// system can page out other memory.
    pub fn step_bytes(&self, tokens: usize) -> u64 {
        self.step_bytes_as(tokens, self.load.quantization)
    }

    fn step_bytes_as(&self, tokens: usize, quantization: Option<Quantization>) -> u64 {
        if self.load.backend == Backend::Slices {
            return 0;
        }
        let size = StepSize {
            tokens,
            columns: (SHARED_TOKENS + OWN_TOKENS).min(self.spec.max_tokens),
            answers: self.slots,
        };
        self.step_bytes_for(&size, quantization)
    }

    /// Working memory of a step of this size, with matrices quantized as given.
    pub fn step_bytes_for(&self, size: &StepSize, quantization: Option<Quantization>) -> u64 {
        step::bytes(&self.spec, &self.tensors, self.load, quantization, size)
    }

    /// KV cache bytes of one sequence, the minimum to generate anything.
    fn one_sequence(&self) -> u64 {
        let cache = cache_spec(&self.spec, &self.load.placement(WeightCache::Off));
        (cache.bytes(SHARED_TOKENS) + cache.bytes(OWN_TOKENS)) as u64
    }

    /// Rejects a model that cannot fit its device.
    ///
    /// # Errors
    /// If the weights, the KV cache and the smallest step together exceed the device's memory. The
    /// hint names options that would fit.
    pub fn check(&self) -> Result<()> {
        let room = match self.load.device.is_cpu() {
            // Memory in use by other processes can be paged out, so only the total counts.
            true => platform::installed_memory(),
            false => device::free_memory(&self.load.device),
        };
        match room {
            Some(room) => self.check_within(room),
            None => Ok(()),
        }
    }

    /// Like [`Memory::check`], with `room` bytes available.
    pub fn check_within(&self, room: u64) -> Result<()> {
        let [.., least] = STEPS;
        let one = self.one_sequence();
        let caches = self.kv_memory.unwrap_or(one);
        let quantization = self.load.quantization;
        let needed = |quantization, caches: u64| {
            let step = self.step_bytes_as(least, quantization);
            let weights = self.weight_bytes_as(quantization);
            weights.saturating_add(step).saturating_add(caches)
        };
        if needed(quantization, caches) <= room {
            return Ok(());
        }
        let mut help: Vec<String> = Vec::new();
        if caches > one && needed(quantization, one) <= room {
            help.push("a smaller --kv-memory".to_owned());
        }
        let weights = self.weight_bytes();
        for kind in [Quantization::Q8_0, Quantization::Q4K] {
            let smaller = self.weight_bytes_as(Some(kind));
            if smaller < weights && needed(Some(kind), caches) <= room {
                help.push(format!(
                    "--quantize {} ({})",
                    kind.name(),
                    gibibytes(smaller)
                ));
            }
        }
        if !self.load.device.is_cpu() {
            help.push("--device cpu".to_owned());
        }
        help.push("a smaller model, or a server with --endpoint".to_owned());
        let step = match self.step_bytes(least) {
            0 => String::new(),
            bytes => format!(" and a step {}", gibibytes(bytes)),
        };
        Err(Error::new(
            ErrorKind::Model,
            format!(
                "the model does not fit: its weights take {}, keys and values {}{step}; {} has {}",
                gibibytes(weights),
                gibibytes(caches),
                device::describe(&self.load.device),
                gibibytes(room),
            ),
        )
        .with_hint(format!("use {}", help.join(", or "))))
    }

    /// Target number of tokens per step when `free` bytes are left after the weights: as many as
    /// keep the device busy while leaving half of it to the KV cache.
    pub fn step_tokens(&self, free: Option<u64>) -> usize {
        let [most, .., least] = STEPS;
        match free {
            _ if self.load.backend == Backend::Slices => CPU_STEP,
            None => most,
            Some(free) => {
                let room = free.saturating_sub(self.kv_memory.unwrap_or(free / 2));
                let fits = |tokens: &usize| self.step_bytes(*tokens) <= room;
                STEPS.into_iter().find(fits).unwrap_or(least)
            }
        }
    }

    /// KV cache limit when `free` bytes are left after the weights: what steps do not need, at most
    /// half.
    pub fn kv_bytes(&self, free: Option<u64>) -> u64 {
        match (self.kv_memory, free) {
            (Some(bytes), _) => bytes,
            _ if self.load.backend == Backend::Slices => KV_BYTES,
            (None, None) => KV_BYTES,
            (None, Some(free)) => {
                let step = self.step_bytes(self.step_tokens(Some(free)));
                (free / 2).min(free.saturating_sub(step))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::architecture::Architecture;
    use crate::vlm::checkpoint::files::CheckpointFiles;
    use crate::vlm::options::{DeviceChoice, Precision, Quantize};
    use crate::vlm::{models, testing};
    use candle_core::Device;

    const GIB: u64 = 1 << 30;

    /// The configuration of Qwen2-VL-2B. No weights are needed.
    fn qwen2_vl_2b() -> Box<dyn Architecture> {
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(testing::folder("flat")).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let path = folder.path().join("config.json");
        let mut config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for (key, value) in [
            ("hidden_size", 1536),
            ("intermediate_size", 8960),
            ("num_attention_heads", 12),
            ("num_hidden_layers", 28),
            ("vocab_size", 151_936),
            ("max_position_embeddings", 32_768),
        ] {
            config[key] = value.into();
        }
        config["rope_scaling"]["mrope_section"] = serde_json::json!([16, 24, 24]);
        for (key, value) in [
            ("depth", 32),
            ("embed_dim", 1280),
            ("num_heads", 16),
            ("mlp_ratio", 4),
            ("hidden_size", 1536),
        ] {
            config["vision_config"][key] = value.into();
        }
        std::fs::write(path, config.to_string()).unwrap();
        models::open(&CheckpointFiles::folder(folder.path()).unwrap()).unwrap()
    }

    /// Options as on an accelerator.
    fn load(dtype: DType, quantization: Option<Quantization>) -> LoadOptions {
        LoadOptions {
            device: Device::Cpu,
            backend: Backend::Tensors,
            dtype,
            quantization,
            cache: None,
        }
    }

    fn options(kv_memory: Option<u64>) -> ModelOptions {
        ModelOptions {
            model: String::new(),
            revision: "main".into(),
            offline: true,
            device: DeviceChoice::Auto,
            precision: Precision::Auto,
            quantize: Quantize::Auto,
            batch_size: None,
            kv_memory,
        }
    }

    #[test]
    fn a_step_has_room_for_the_dequantized_head() {
        let architecture = qwen2_vl_2b();
        let run = options(None);
        let step = |dtype, quantization, tokens| {
            let load = load(dtype, quantization);
            Memory::from_config(architecture.as_ref(), &load, &run).step_bytes(tokens)
        };
        let numbers = 151_936 * 1536;
        let logits = |bytes: u64| SLOTS as u64 * 151_936 * (bytes + 3 * 4);
        for kind in [Quantization::Q8_0, Quantization::Q4K] {
            // The f16 and bf16 copies of the head outweigh everything else.
            let bf16 = step(DType::BF16, Some(kind), 256);
            assert_eq!(bf16, numbers * 4 + logits(2));
            assert!(step(DType::F32, Some(kind), 256) >= numbers * 4 + logits(4));
            assert!(step(DType::F16, Some(kind), 256) >= numbers * 2 + logits(2));
        }
        // Nothing is dequantized, and attention scores dominate.
        let dense = step(DType::BF16, None, 2048);
        let scores = 12 * 2 * 2048 * 2560 * 14;
        assert!((scores..scores + GIB / 2).contains(&dense), "{dense}");
        assert!(step(DType::BF16, None, 256) < GIB / 2);
    }

    #[test]
    fn steps_get_smaller_where_memory_is_short() {
        let architecture = qwen2_vl_2b();
        let load = load(DType::BF16, None);
        let run = options(None);
        let memory = Memory::from_config(architecture.as_ref(), &load, &run);
        let mut before = usize::MAX;
        for gib in [40, 6, 3, 1] {
            let free = gib * GIB;
            let (step, caches) = (memory.step_tokens(Some(free)), memory.kv_bytes(Some(free)));
            assert!(step <= before && caches <= free / 2);
            assert!(
                memory.step_bytes(step) + caches <= free,
                "{gib} GiB: {step}"
            );
            before = step;
        }
        assert!(before < 2048);
        assert_eq!(memory.step_tokens(None), 2048);
    }

    #[test]
    fn a_model_that_does_not_fit_is_rejected_with_flags_that_help() {
        let architecture = qwen2_vl_2b();
        let load = load(DType::BF16, None);
        let refusal = |room, kv_memory| {
            let run = options(kv_memory);
            let memory = Memory::from_config(architecture.as_ref(), &load, &run);
            memory
                .check_within(room)
                .map_err(|error| error.hint.unwrap())
        };
        assert_eq!(refusal(6 * GIB, None), Ok(()));
        // The weights alone would fit.
        let hint = refusal(9 * GIB / 2, None).unwrap_err();
        assert!(hint.contains("--quantize q8_0"), "{hint}");
        assert!(!hint.contains("--kv-memory"), "{hint}");
        let hint = refusal(6 * GIB, Some(4 * GIB)).unwrap_err();
        assert!(hint.contains("a smaller --kv-memory"), "{hint}");
        let hint = refusal(GIB, None).unwrap_err();
        assert!(!hint.contains("--quantize"), "{hint}");
        assert!(hint.contains("a smaller model"), "{hint}");
    }
}
