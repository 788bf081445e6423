//! The model architectures, one folder each. Code outside this folder does not depend on any one
//! of them.
//!
//! To add an architecture, write its folder with a [`Tower`](shared::family::Tower), or with an
//! [`Architecture`] if it has little in common with the existing ones. Then add its `model_type` to
//! [`ModelType`] and to the match in [`open`].

mod qwen2_5_vl;
mod qwen2_vl;
mod qwen3_vl;
mod shared;

use super::architecture::Architecture;
use super::checkpoint::files::{CheckpointFile, CheckpointFiles};
use super::checkpoint::packing::Packing;
use super::checkpoint::refusals::Refusal;
use crate::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use shared::VisionLanguage;

/// `model_type` of `config.json`.
#[derive(Deserialize)]
enum ModelType {
    #[serde(rename = "qwen2_vl")]
    Qwen2,
    #[serde(rename = "qwen2_5_vl")]
    Qwen2_5,
    #[serde(rename = "qwen3_vl")]
    Qwen3,
}

#[derive(Deserialize)]
struct Root {
    model_type: String,
}

/// Checks `config.json` alone for reasons to refuse a checkpoint.
pub fn refusals(config: &CheckpointFile) -> Vec<Refusal> {
    let unknown = match config.json::<Root>() {
        Ok(root) => root.supported_type().err(),
        Err(error) => Some(Refusal::new(
            error.cause,
            error.hint.unwrap_or(SUPPORTED.into()),
        )),
    };
    // Invalid JSON is refused above.
    let packed = config.json().ok();
    let packed = packed.and_then(|config| Packing::read(&config).err());
    unknown.into_iter().chain(packed).collect()
}

const SUPPORTED: &str = "supported are checkpoints of Qwen2-VL, Qwen2.5-VL and Qwen3-VL (dense), such \
                         as Qwen/Qwen2-VL-2B-Instruct; serve others, for example with vLLM, and use \
                         --endpoint";

impl Root {
    fn supported_type(&self) -> std::result::Result<ModelType, Refusal> {
        let supported = ModelType::deserialize(self.model_type.as_str().into_deserializer());
        supported.map_err(|_: ValueError| {
            let cause = format!("its model_type, {}, is not supported", self.model_type);
            Refusal::new(cause, SUPPORTED)
        })
    }
}

/// Reads and checks the configuration of a checkpoint.
///
/// # Errors
/// If the architecture is not supported or the configuration is invalid. The error names the file.
pub fn open(files: &CheckpointFiles) -> Result<Box<dyn Architecture>> {
    let root: Root = files.config.json()?;
    match root.supported_type() {
        Ok(ModelType::Qwen2) => family::<qwen2_vl::VisionTower>(files),
        Ok(ModelType::Qwen2_5) => family::<qwen2_5_vl::VisionTower>(files),
        Ok(ModelType::Qwen3) => family::<qwen3_vl::VisionTower>(files),
        Err(refusal) => {
            let cause = format!("{}: {}", files.config.shown(), refusal.cause);
            Err(Error::new(ErrorKind::Model, cause).with_hint(refusal.hint))
        }
    }
}

fn family<T: shared::family::Tower>(files: &CheckpointFiles) -> Result<Box<dyn Architecture>> {
    Ok(Box::new(VisionLanguage::<T>::open(files)?))
}
