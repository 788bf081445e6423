//! A checkpoint on disk: its files, weights and tokenizer.

pub(crate) mod builtin;
pub mod config;
pub mod files;
mod hub;
pub mod packing;
pub mod refusals;
pub mod tensor_list;
pub mod tokenizer;
pub mod weight_cache;
pub mod weights;

use crate::error::{Error, ErrorKind, Result};
use crate::text::{Phrase, said};
use crate::vlm::options::ModelOptions;
use files::{CheckpointFiles, Gate, OnDownload};
use hub::Hub;
use refusals::Refusal;
use std::path::Path;
use std::sync::Arc;

/// Finds the files of `options.model`: `demo` for the built-in model, a folder, or a hub id in
/// the shared cache. Unless `options.offline`, downloads missing files as long as the checkpoint
/// passes `gate`.
pub fn find(
    options: &ModelOptions,
    gate: &Gate,
    on_download: OnDownload,
) -> Result<CheckpointFiles> {
    let name = options.model.as_str();
    if name == builtin::NAME {
        return CheckpointFiles::embedded(name, builtin::DEMO);
    }
    if Path::new(name).is_dir() {
        return CheckpointFiles::checked_folder(Path::new(name), gate);
    }
    if Path::new(name).symlink_metadata().is_ok() {
        let refusal = match name.to_lowercase().ends_with(".gguf") {
            true => refusals::gguf_refusal(),
            false => Refusal::new(what_it_is(Path::new(name)), "give the checkpoint folder"),
        };
        if let Some(error) = refusals::error(name, vec![refusal]) {
            return Err(error);
        }
    }
    match hub::id(name) {
        Some(id) => Hub::new(options, id, on_download)?.checkpoint(gate),
        None => Err(Error::said(
            ErrorKind::Usage,
            said!("no model folder {name}", "모델 폴더 {name}{이} 없습니다"),
        )
        .with_said_hint(Phrase::new(
            "give a checkpoint folder or a Hugging Face id (owner/name)",
            "체크포인트 폴더나 Hugging Face id(소유자/이름)를 지정하세요",
        ))),
    }
}

/// Checks that the hub has the model of `options`, without downloading anything.
pub fn check_hub(options: &ModelOptions) -> Result<()> {
    match hub::id(&options.model) {
        Some(id) => Hub::new(options, id, Arc::new(|_| {}))?.about().map(|_| ()),
        None => Ok(()),
    }
}

/// Describes something at a path that is no folder.
fn what_it_is(path: &Path) -> &'static str {
    match path.metadata() {
        Ok(about) if about.is_file() => "it is a file",
        Ok(_) => "it is neither a folder nor a file",
        Err(_) => "it is a link that leads nowhere",
    }
}
