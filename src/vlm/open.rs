//! From what the user asked for to a model that is ready: files, device, precision, weights.

use crate::error::Result;
use crate::settings::ModelOptions;
use crate::vlm::checkpoint::files::{CheckpointFiles, Download};
use crate::vlm::checkpoint::tokenizer::Tokenizer;
use crate::vlm::device;
use crate::vlm::model::{LoadStage, Qwen2Vl};
use crate::vlm::nn::linear::Quantization;
use candle_core::DType;
use std::sync::Arc;
use std::time::Instant;

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
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// For example `q8_0` or `bf16`.
    pub detail: String,
    /// Without the download.
    pub load_seconds: f64,
}

/// Finds, downloads where that is allowed, and loads the model of `options`.
pub fn open(options: &ModelOptions, on_opening: &OnOpening) -> Result<Opened> {
    let load = device::load_options(options)?;
    let told = on_opening.clone();
    let files = CheckpointFiles::resolve(
        options,
        Arc::new(move |download| told(Opening::Download(download))),
    )?;
    let began = Instant::now();
    let model = Qwen2Vl::load(&files, &load, &mut |stage, done| {
        on_opening(Opening::Load(stage, done));
    })?;
    let tokenizer = Tokenizer::load(&files, model.config())?;
    let dense = match load.dtype {
        DType::BF16 => "bf16",
        DType::F16 => "fp16",
        _ => "fp32",
    };
    Ok(Opened {
        model,
        tokenizer,
        name: options.model.clone(),
        device: device::name(&load.device).to_owned(),
        detail: load
            .quantization
            .map_or(dense, Quantization::name)
            .to_owned(),
        load_seconds: began.elapsed().as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::settings::{DeviceChoice, Precision, Quantize};

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

    fn quiet() -> OnOpening {
        Arc::new(|_| {})
    }

    #[test]
    fn the_demo_model_needs_neither_disk_nor_network() {
        let opened = open(&options("demo"), &quiet()).unwrap();
        assert_eq!(opened.name, "demo");
        let text = "둥근 모자";
        let ids = opened.tokenizer.encode(text).unwrap();
        assert_eq!(opened.tokenizer.decode(&ids), text);
    }

    #[test]
    fn a_path_that_is_no_folder_is_said_to_be_one() {
        let error = open(&options("./no/such/folder"), &quiet()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.cause.contains("./no/such/folder"));
    }
}
