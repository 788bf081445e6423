//! The architectures of retrievers, one folder each. Nothing outside this folder names one.
//!
//! To add one, write its folder with an [`Architecture`] and add its `model_type` to [`ModelType`]
//! and to the match in [`open`].

mod chinese_clip;
mod clip;
mod siglip;

use super::architecture::Architecture;
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

/// What can be used instead of a retriever that cannot.
pub const USE: &str = "use a SigLIP, such as google/siglip-base-patch16-256-multilingual, a SigLIP 2 of a fixed \
     size, such as google/siglip2-base-patch16-256, a CLIP, such as openai/clip-vit-base-patch32, \
     or a Chinese-CLIP";

impl Root {
    fn known(&self) -> std::result::Result<ModelType, Refusal> {
        let known = ModelType::deserialize(self.model_type.as_str().into_deserializer());
        known.map_err(|_: ValueError| {
            let cause = match self.model_type.as_str() {
                "siglip2" => {
                    "it is a SigLIP 2 whose images keep their shape (naflex), which is not supported"
                        .to_owned()
                }
                other => {
                    format!("its model_type, {other}, is that of no retriever that is supported")
                }
            };
            Refusal::new(cause, USE)
        })
    }
}

/// What `config.json` alone tells against a checkpoint.
pub fn refusals(config: &CheckpointFile) -> Vec<Refusal> {
    let unknown = match config.json::<Root>() {
        Ok(root) => root.known().err(),
        Err(error) => Some(Refusal::new(error.cause, error.hint.unwrap_or(USE.into()))),
    };
    // One that is no JSON is refused above.
    let packed = config.json().ok();
    let packed = packed.and_then(|config| match Packing::read(&config) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Refusal::new("its weights are packed", USE)),
        Err(refusal) => Some(refusal),
    });
    unknown.into_iter().chain(packed).collect()
}

/// Reads and checks the configuration of a checkpoint.
///
/// # Errors
/// An architecture that is not supported, or a configuration that makes no sense. The error names
/// the file.
pub fn open(files: &CheckpointFiles) -> Result<Box<dyn Architecture>> {
    let root: Root = files.config.json()?;
    match root.known() {
        Ok(ModelType::Siglip) => read::<siglip::Siglip>(&files.config),
        Ok(ModelType::Clip) => read::<clip::Clip>(&files.config),
        Ok(ModelType::ChineseClip) => read::<chinese_clip::ChineseClip>(&files.config),
        Err(refusal) => {
            let cause = format!("{}: {}", files.config.shown(), refusal.cause);
            Err(Error::new(ErrorKind::Model, cause).with_hint(refusal.hint))
        }
    }
}

fn read<A: Architecture + DeserializeOwned + 'static>(
    config: &CheckpointFile,
) -> Result<Box<dyn Architecture>> {
    let read: A = config.json()?;
    read.check()
        .map_err(|error| error.context(config.shown()))?;
    Ok(Box::new(read))
}
