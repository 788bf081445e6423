//! The retriever architectures, one folder each. Code outside this folder does not depend on any one
//! of them.
//!
//! To add an architecture, write its folder with a [`RetrieverArchitecture`] and add its `model_type` to
//! [`ModelType`] and to the match in [`open`].

mod chinese_clip;
mod clip;
mod siglip;

use super::architecture::RetrieverArchitecture;
use crate::error::{Error, ErrorKind, Result};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::files::CheckpointFile;
use crate::vlm::checkpoint::packing::Packing;
use crate::vlm::checkpoint::refusals::Refusal;
use serde::Deserialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};

/// `model_type` of `config.json`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelType {
    Siglip,
    Clip,
    ChineseClip,
}

#[derive(Deserialize)]
struct Root {
    model_type: String,
}

/// Hint with the supported retrievers.
pub const SUPPORTED: &str = "use a SigLIP, such as google/siglip-base-patch16-256-multilingual, a SigLIP 2 of a fixed \
     size, such as google/siglip2-base-patch16-256, a CLIP, such as openai/clip-vit-base-patch32, \
     or a Chinese-CLIP";

impl Root {
    fn supported_type(&self) -> std::result::Result<ModelType, Refusal> {
        let supported = ModelType::deserialize(self.model_type.as_str().into_deserializer());
        supported.map_err(|_: ValueError| {
            let cause = match self.model_type.as_str() {
                "siglip2" => {
                    "it is a SigLIP 2 with variable image sizes (naflex), which is not supported"
                        .to_owned()
                }
                other => {
                    format!("its model_type, {other}, is not a supported retriever")
                }
            };
            Refusal::new(cause, SUPPORTED)
        })
    }
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
    let packed = packed.and_then(|config| match Packing::read(&config) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Refusal::new("its weights are quantized", SUPPORTED)),
        Err(refusal) => Some(refusal),
    });
    unknown.into_iter().chain(packed).collect()
}

/// Reads and checks the configuration of a checkpoint.
///
/// # Errors
/// If the architecture is not supported or the configuration is invalid. The error names the file.
pub fn open(files: &CheckpointFiles) -> Result<Box<dyn RetrieverArchitecture>> {
    let root: Root = files.config.json()?;
    match root.supported_type() {
        Ok(ModelType::Siglip) => read::<siglip::Siglip>(&files.config),
        Ok(ModelType::Clip) => read::<clip::Clip>(&files.config),
        Ok(ModelType::ChineseClip) => read::<chinese_clip::ChineseClip>(&files.config),
        Err(refusal) => {
            let cause = format!("{}: {}", files.config.shown(), refusal.cause);
            Err(Error::new(ErrorKind::Model, cause).with_hint(refusal.hint))
        }
    }
}

fn read<A: RetrieverArchitecture + DeserializeOwned + 'static>(
    config: &CheckpointFile,
) -> Result<Box<dyn RetrieverArchitecture>> {
    let read: A = config.json()?;
    read.check()
        .map_err(|error| error.context(config.shown()))?;
    Ok(Box::new(read))
}
