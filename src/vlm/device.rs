//! Resolves the device, data type and quantization of a run from the user's options.

#![cfg_attr(
    feature = "cuda",
    allow(unsafe_code, reason = "a single stream needs no event tracking")
)]

use super::checkpoint::builtin;
use super::checkpoint::weight_cache::{self, WeightCache};
use super::nn::Backend;
use super::nn::linear::{Placement, Quantization};
use super::options::{DeviceChoice, ModelOptions, Precision, Quantize};
use crate::error::{Error, ErrorKind, Result};
use crate::platform;
use candle_core::{DType, Device, Tensor};
use std::path::PathBuf;

/// How to load a model.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub device: Device,
    pub backend: Backend,
    /// Type of dense weights. With [`Backend::Slices`], activations are always f32.
    pub dtype: DType,
    pub quantization: Option<Quantization>,
    /// The folder where quantized weights are cached; `None` caches nothing.
    pub cache: Option<PathBuf>,
}

impl LoadOptions {
    pub fn placement(&self, cache: WeightCache) -> Placement {
        Placement {
            device: self.device.clone(),
            backend: self.backend,
            dtype: self.dtype,
            quantization: self.quantization,
            cache,
        }
    }
}

/// Resolves options that are `auto`: an accelerator if both the build and the machine have one;
/// f32 and `q8_0` on the CPU; bf16 without quantization on an accelerator. Also returns why no
/// accelerator is used if the build supports one.
///
/// # Errors
/// If the build or machine lacks the requested device, or the device cannot compute in the
/// requested precision.
pub fn load_options(options: &ModelOptions) -> Result<(LoadOptions, Option<Error>)> {
    let (device, accelerator_error) = device(&options.device)?;
    let on_cpu = device.is_cpu();
    let quantization = match options.quantize {
        Quantize::Q8_0 => Some(Quantization::Q8_0),
        Quantize::Q4K => Some(Quantization::Q4K),
        Quantize::None => None,
        // The demo model's matrices are too small to benefit: quantized, it runs four times slower.
        Quantize::Auto if options.model == builtin::NAME => None,
        Quantize::Auto => on_cpu.then_some(Quantization::Q8_0),
    };
    let dtype = match options.precision {
        Precision::Fp32 => DType::F32,
        Precision::Bf16 if !on_cpu && !computes_bf16(&device) => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} cannot compute with bf16", describe(&device)),
            )
            .with_hint("use --precision fp32, or --quantize q8_0 where memory is short"));
        }
        Precision::Bf16 => DType::BF16,
        Precision::Fp16 => DType::F16,
        // Not fp16 on older GPUs: activations of published checkpoints overflow it.
        Precision::Auto if on_cpu || !computes_bf16(&device) => DType::F32,
        Precision::Auto => DType::BF16,
    };
    let cache = match quantization {
        Some(_) => weight_cache::default_folder()
            .map_err(|error| tracing::warn!(%error, "the quantized weights are not cached"))
            .ok(),
        None => None,
    };
    let options = LoadOptions {
        backend: match on_cpu {
            true => Backend::Slices,
            false => Backend::Tensors,
        },
        cache,
        device,
        dtype,
        quantization,
    };
    Ok((options, accelerator_error))
}

/// Rejects a device that this build does not support, without opening it.
pub fn check(choice: &DeviceChoice) -> Result<()> {
    match choice {
        DeviceChoice::Cuda(_) if !cfg!(feature = "cuda") => Err(not_built("CUDA", "cuda")),
        DeviceChoice::Metal if !cfg!(target_os = "macos") => {
            let cause = "Metal exists only on macOS";
            Err(Error::new(ErrorKind::Usage, cause).with_hint("use --device auto, cpu or cuda"))
        }
        DeviceChoice::Metal if !cfg!(feature = "metal") => Err(not_built("Metal", "metal")),
        _ => Ok(()),
    }
}

/// Opens the device. If `auto` falls back to the CPU, also returns the reason.
fn device(choice: &DeviceChoice) -> Result<(Device, Option<Error>)> {
    check(choice)?;
    let opened = match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(index) => cuda(*index),
        DeviceChoice::Metal => metal(),
        DeviceChoice::Auto => {
            let opened = match () {
                () if cfg!(feature = "cuda") => cuda(0),
                () if cfg!(feature = "metal") => metal(),
                () => Ok(Device::Cpu),
            };
            return Ok(match opened {
                Ok(device) => (device, None),
                Err(error) => (Device::Cpu, Some(error)),
            });
        }
    };
    opened.map(|device| (device, None))
}

fn cuda(index: usize) -> Result<Device> {
    let hint = "check `nvidia-smi`, and that the build was made with CUDA_COMPUTE_CAP for this card; \
                or use --device cpu";
    open_cuda(index)
        .map_err(|error| unusable(format_args!("CUDA device {index}"), &error).with_hint(hint))
}

fn metal() -> Result<Device> {
    Device::new_metal(0)
        .and_then(works)
        .map_err(|error| unusable("the Metal device", &error).with_hint("use --device cpu"))
}

/// Keeps the driver's message, the first line; the rest is candle's backtrace.
fn unusable(what: impl std::fmt::Display, error: &candle_core::Error) -> Error {
    let message = error.to_string();
    let message = message.lines().next().unwrap_or("no reason was given");
    Error::new(ErrorKind::Model, format!("cannot use {what}: {message}"))
}

fn open_cuda(index: usize) -> candle_core::Result<Device> {
    // All threads share one stream: by default each thread gets its own, without synchronization.
    let device = Device::new_cuda_with_stream(index)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = &device {
        // SAFETY: events order accesses from different streams to the same memory. There is only
        // one stream, owned by this device, and memory is freed in stream order.
        unsafe { cuda.disable_event_tracking() };
    }
    works(device)
}

/// Runs a small kernel: a GPU that opens may still be unable to run this build's kernels.
fn works(device: Device) -> candle_core::Result<Device> {
    let two = (Tensor::ones(1, DType::F32, &device)? + 1.0)?;
    match two.to_vec1::<f32>()?[0] == 2.0 {
        true => Ok(device),
        false => candle_core::bail!("the device computes 1 + 1 wrongly"),
    }
}

fn computes_bf16(device: &Device) -> bool {
    match device {
        Device::Cpu => false,
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => {
            let capability = cuda.cuda_stream().context().compute_capability();
            capability.is_ok_and(|(major, _)| major >= 8)
        }
        other => other.supports_bf16(),
    }
}

/// Display name of the device, for example `cuda (NVIDIA H100 80GB HBM3)`.
pub fn describe(device: &Device) -> String {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = device
        && let Ok(card) = cuda.cuda_stream().context().name()
    {
        return format!("cuda ({card})");
    }
    name(device).to_owned()
}

/// Free device memory in bytes, if known.
pub fn free_memory(device: &Device) -> Option<u64> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => {
            let memory = cuda.cuda_stream().context().mem_get_info();
            memory.ok().map(|(free, _)| free as u64)
        }
        Device::Cpu => platform::available_memory(),
        _ => None,
    }
}

fn not_built(what: &str, feature: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("this build cannot use {what}")).with_hint(format!(
        "build it with `cargo build --release --features {feature}`"
    ))
}

/// Short name of the device: `cpu`, `cuda` or `metal`.
pub fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(model: &str, quantize: Quantize) -> ModelOptions {
        ModelOptions {
            model: model.into(),
            revision: "main".into(),
            offline: true,
            device: DeviceChoice::Cpu,
            precision: Precision::Auto,
            quantize,
            batch_size: None,
            kv_memory: None,
        }
    }

    #[test]
    fn the_cpu_quantizes_by_default() {
        let (auto, _) = load_options(&options("folder", Quantize::Auto)).unwrap();
        assert_eq!(
            (auto.dtype, auto.quantization),
            (DType::F32, Some(Quantization::Q8_0))
        );
        let (none, _) = load_options(&options("folder", Quantize::None)).unwrap();
        assert_eq!(none.quantization, None);
        let (demo, _) = load_options(&options("demo", Quantize::Auto)).unwrap();
        assert_eq!((demo.dtype, demo.quantization), (DType::F32, None));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_names_the_feature() {
        let error = device(&DeviceChoice::Cuda(0)).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert!(error.hint.unwrap().contains("--features cuda"));
    }
}
