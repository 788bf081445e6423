//! From what the user asked for to a model that is ready: files, device, precision, weights.

use super::files::{CheckpointFiles, Download};
use super::linear::Quantization;
use super::model::{LoadOptions, LoadStage, Qwen2Vl};
use super::quantize;
use super::tokenizer::Tokenizer;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::settings::{DeviceChoice, ModelOptions, Precision, Quantize};
use candle_core::{DType, Device};
use std::sync::Arc;
use std::time::Instant;

/// The model that is part of the program.
pub const DEMO: &str = "demo";

const DEMO_FILES: [(&str, &[u8]); 5] = [
    (
        "config.json",
        include_bytes!("../../assets/demo-model/config.json"),
    ),
    (
        "generation_config.json",
        include_bytes!("../../assets/demo-model/generation_config.json"),
    ),
    (
        "preprocessor_config.json",
        include_bytes!("../../assets/demo-model/preprocessor_config.json"),
    ),
    (
        "tokenizer.json",
        include_bytes!("../../assets/demo-model/tokenizer.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("../../assets/demo-model/model.safetensors"),
    ),
];

/// What opening is at, for people to watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    Download(Download),
    /// How much of the stage is done, 0 to 1.
    Load(LoadStage, f32),
}

/// Told from any thread.
pub type OnOpening = Arc<dyn Fn(Opening) + Send + Sync>;

/// A model ready to run, and what belongs to it.
#[derive(Debug)]
pub struct Opened {
    pub model: Qwen2Vl,
    pub tokenizer: Tokenizer,
    /// As the user named it.
    pub name: String,
    /// `cpu`, `cuda:0`, `metal`.
    pub device: String,
    /// For example `q8_0` or `bf16`.
    pub detail: String,
    /// Without the download.
    pub load_seconds: f64,
}

/// Finds, downloads where that is allowed, and loads the model of `options`.
pub fn open(options: &ModelOptions, on_opening: &OnOpening) -> Result<Opened> {
    let (device, device_name) = device(&options.device)?;
    let files = match options.model.as_str() {
        DEMO => CheckpointFiles::embedded(DEMO, &DEMO_FILES)?,
        _ => {
            let told = on_opening.clone();
            CheckpointFiles::resolve(
                options,
                Arc::new(move |download| told(Opening::Download(download))),
            )?
        }
    };
    let began = Instant::now();
    let built_in = options.model == DEMO;
    let quantization = match options.quantize {
        Quantize::Q8_0 => Some(Quantization::Q8_0),
        Quantize::Q4K => Some(Quantization::Q4K),
        // The built-in model is so small that there is nothing to gain.
        Quantize::Auto if device.is_cpu() && !built_in => Some(Quantization::Q8_0),
        Quantize::Auto | Quantize::None => None,
    };
    let dtype = match options.precision {
        Precision::Fp32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::Fp16 => DType::F16,
        Precision::Auto if device.is_cpu() => DType::F32,
        Precision::Auto if device.is_cuda() => DType::BF16,
        Precision::Auto => DType::F16,
    };
    let cache = match quantize::default_folder() {
        Ok(folder) => Some(folder),
        Err(error) => {
            tracing::warn!(%error, "quantized weights are not kept for the next start");
            None
        }
    };
    let load = LoadOptions {
        device,
        dtype,
        quantization,
        cache,
    };
    let model = Qwen2Vl::load(&files, &load, &mut |stage, done| {
        on_opening(Opening::Load(stage, done));
    })?;
    let tokenizer = Tokenizer::load(&files, model.config())?;
    let dense = match dtype {
        DType::BF16 => "bf16",
        DType::F16 => "fp16",
        _ => "fp32",
    };
    Ok(Opened {
        model,
        tokenizer,
        name: options.model.clone(),
        device: device_name,
        detail: quantization.map_or(dense, Quantization::name).to_owned(),
        load_seconds: began.elapsed().as_secs_f64(),
    })
}

/// The device and its name; a device that this build cannot use is an error.
fn device(choice: &DeviceChoice) -> Result<(Device, String)> {
    let cuda = |index: usize| {
        lacking("cuda", cfg!(feature = "cuda"))?;
        let device = Device::new_cuda(index)
            .context(ErrorKind::Model, format!("cannot use CUDA device {index}"))?;
        Ok((device, format!("cuda:{index}")))
    };
    let metal = || {
        lacking("metal", cfg!(feature = "metal"))?;
        let device = Device::new_metal(0).context(ErrorKind::Model, "cannot use Metal")?;
        Ok((device, "metal".to_owned()))
    };
    let cpu = || (Device::Cpu, "cpu".to_owned());
    match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Cuda(index) => cuda(*index),
        DeviceChoice::Metal => metal(),
        DeviceChoice::Auto => {
            let found = if cfg!(feature = "cuda") {
                cuda(0)
            } else if cfg!(feature = "metal") {
                metal()
            } else {
                return Ok(cpu());
            };
            Ok(found.unwrap_or_else(|error| {
                tracing::warn!(%error, "running on the CPU");
                cpu()
            }))
        }
    }
}

fn lacking(feature: &str, built: bool) -> Result<()> {
    if built {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Usage, format!("this build cannot use {feature}")).with_hint(
            format!(
                "build it with `cargo build --release --features {feature}`, or take --device cpu"
            ),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(model: &str) -> ModelOptions {
        ModelOptions {
            model: model.to_owned(),
            revision: "main".to_owned(),
            offline: true,
            device: DeviceChoice::Auto,
            precision: Precision::Auto,
            quantize: Quantize::Auto,
            batch_size: 1,
            kv_cache_bytes: 1 << 20,
        }
    }

    #[test]
    fn the_demo_model_needs_neither_disk_nor_network() {
        let opened = open(&options(DEMO), &Arc::new(|_| {})).unwrap();
        assert_eq!(
            (opened.name.as_str(), opened.detail.as_str()),
            ("demo", "fp32")
        );
        let text = "둥근 모자";
        let ids = opened.tokenizer.encode(text).unwrap();
        assert_eq!(opened.tokenizer.decode(&ids), text);
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_device_that_was_not_built_in_names_its_feature() {
        let mut options = options(DEMO);
        options.device = DeviceChoice::Cuda(0);
        let error = open(&options, &Arc::new(|_| {})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.hint.unwrap().contains("--features cuda"));
    }

    #[test]
    fn a_path_that_is_no_folder_is_said_to_be_one() {
        let error = open(&options("./no/such/folder"), &Arc::new(|_| {})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.cause.contains("./no/such/folder"));
    }
}
