//! The model architectures, one folder each. Nothing outside this folder names one.
//!
//! To add one, write its folder with an [`Architecture`], then add its `model_type` to
//! [`ModelType`] and to the match in [`open`].

mod qwen2_vl;

use super::architecture::Architecture;
use super::checkpoint::files::CheckpointFiles;
use crate::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

/// `model_type` of `config.json`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelType {
    Qwen2Vl,
}

#[derive(Deserialize)]
struct Root {
    model_type: String,
}

/// Reads and checks the configuration of a checkpoint.
///
/// # Errors
/// An architecture that is not supported, or a configuration that makes no sense. The error names
/// the file.
pub fn open(files: &CheckpointFiles) -> Result<Box<dyn Architecture>> {
    let root: Root = files.config.json()?;
    let model_type = ModelType::deserialize(root.model_type.into_deserializer());
    match model_type.map_err(|error: ValueError| unsupported(files, &error))? {
        ModelType::Qwen2Vl => Ok(Box::new(qwen2_vl::Qwen2Vl::open(files)?)),
    }
}

/// serde's error holds the type that was found and those that are known.
fn unsupported(files: &CheckpointFiles, error: &ValueError) -> Error {
    let cause = format!(
        "{}: model_type is not supported: {error}",
        files.config.shown()
    );
    Error::new(ErrorKind::Model, cause)
        .with_hint("other models do not run in process; serve this one and use --endpoint")
}
