//! The device, number format and quantization of a run, from the options of the user.

use super::checkpoint::{builtin, weight_cache};
use super::nn::Backend;
use super::nn::linear::Quantization;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::settings::{DeviceChoice, ModelOptions, Precision, Quantize};
use candle_core::{DType, Device};
use std::path::PathBuf;

/// How to load a model.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub device: Device,
    pub backend: Backend,
    /// Of dense weights. Over slices activations are f32 whatever this is.
    pub dtype: DType,
    pub quantization: Option<Quantization>,
    /// The folder where quantized weights are cached; `None` caches nothing.
    pub cache: Option<PathBuf>,
}

/// Resolves options that are `auto`: it takes an accelerator that this build and machine have, f32
/// and `q8_0` on the CPU, bf16 and no quantization elsewhere.
///
/// # Errors
/// A device that this build or machine does not have, or a number format that it cannot compute.
pub fn load_options(options: &ModelOptions) -> Result<LoadOptions> {
    let device = device(&options.device)?;
    let on_cpu = device.is_cpu();
    let quantization = match options.quantize {
        Quantize::Q8_0 => Some(Quantization::Q8_0),
        Quantize::Q4K => Some(Quantization::Q4K),
        Quantize::None => None,
        // The built-in model's matrices are too small to gain: quantized it takes four times as long.
        Quantize::Auto if options.model == builtin::NAME => None,
        Quantize::Auto => on_cpu.then_some(Quantization::Q8_0),
    };
    let dtype = match options.precision {
        Precision::Fp32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::Fp16 => DType::F16,
        Precision::Auto if on_cpu => DType::F32,
        Precision::Auto if device.supports_bf16() => DType::BF16,
        Precision::Auto => DType::F16,
    };
    let cache = match quantization {
        Some(_) => Some(weight_cache::default_folder()?),
        None => None,
    };
    Ok(LoadOptions {
        backend: match on_cpu {
            true => Backend::Slices,
            false => Backend::Tensors,
        },
        cache,
        device,
        dtype,
        quantization,
    })
}

/// Opens the device.
pub fn device(choice: &DeviceChoice) -> Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(_) if !cfg!(feature = "cuda") => Err(not_built("CUDA", "cuda")),
        DeviceChoice::Cuda(index) => Device::new_cuda(*index)
            .context(
                ErrorKind::Model,
                format_args!("cannot use CUDA device {index}"),
            )
            .map_err(|error| error.with_hint("run `labeler-tui doctor`, or use --device cpu")),
        DeviceChoice::Metal if !cfg!(feature = "metal") => Err(not_built("Metal", "metal")),
        DeviceChoice::Metal => Device::new_metal(0)
            .context(ErrorKind::Model, "cannot use the Metal device")
            .map_err(|error| error.with_hint("use --device cpu")),
        // A machine without the accelerator that the build is for still has a processor.
        DeviceChoice::Auto if cfg!(feature = "cuda") => {
            Ok(Device::new_cuda(0).unwrap_or(Device::Cpu))
        }
        DeviceChoice::Auto if cfg!(feature = "metal") => {
            Ok(Device::new_metal(0).unwrap_or(Device::Cpu))
        }
        DeviceChoice::Auto => Ok(Device::Cpu),
    }
}

fn not_built(what: &str, feature: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("this build cannot use {what}")).with_hint(format!(
        "build it with `cargo build --release --features {feature}`"
    ))
}

/// The name of a device: `cpu`, `cuda` or `metal`.
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
            batch_size: 8,
            kv_cache_bytes: 1 << 30,
        }
    }

    #[test]
    fn the_cpu_quantizes_unless_told_otherwise() {
        let auto = load_options(&options("folder", Quantize::Auto)).unwrap();
        assert_eq!(
            (auto.dtype, auto.quantization),
            (DType::F32, Some(Quantization::Q8_0))
        );
        let none = load_options(&options("folder", Quantize::None)).unwrap();
        assert_eq!(none.quantization, None);
        let demo = load_options(&options("demo", Quantize::Auto)).unwrap();
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
