//! The name of a retriever in the journal, with which the same retriever can be opened again.

use super::options::RetrieverOptions;
use crate::record::{Background, RetrieverName};
use crate::vlm::{DeviceChoice, ModelOptions, Precision, Quantize};
use std::path::{Path, PathBuf};

const PRECISIONS: [(&str, Precision); 3] = [
    ("fp32", Precision::Fp32),
    ("bf16", Precision::Bf16),
    ("fp16", Precision::Fp16),
];
const QUANTIZATIONS: [(&str, Quantize); 3] = [
    ("none", Quantize::None),
    ("q8_0", Quantize::Q8_0),
    ("q4k", Quantize::Q4K),
];

/// Returns the name of the retriever that these options open.
pub fn name_of(
    options: &RetrieverOptions,
    background: Background,
    digest: String,
) -> RetrieverName {
    let model = &options.model;
    let found = PRECISIONS.iter().find(|(_, it)| *it == model.precision);
    let precision = found.map_or("auto", |(name, _)| name);
    let found = QUANTIZATIONS.iter().find(|(_, it)| *it == model.quantize);
    let quantize = found.map_or("auto", |(name, _)| name);
    // A later run may start in another folder.
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.display().to_string()
    };
    let folder = Path::new(&model.model);
    RetrieverName {
        retriever: match folder.is_dir() {
            true => absolute(folder),
            false => model.model.clone(),
        },
        revision: model.revision.clone(),
        adapter: options.adapter.as_deref().map(absolute),
        background,
        precision: precision.to_owned(),
        quantize: quantize.to_owned(),
        digest,
    }
}

/// Returns the options that open a retriever of this name, offline.
pub fn options_of(name: &RetrieverName) -> RetrieverOptions {
    let found = PRECISIONS.iter().find(|(it, _)| *it == name.precision);
    let precision = found.map_or(Precision::Auto, |(_, it)| *it);
    let found = QUANTIZATIONS.iter().find(|(it, _)| *it == name.quantize);
    let quantize = found.map_or(Quantize::Auto, |(_, it)| *it);
    RetrieverOptions {
        model: ModelOptions {
            model: name.retriever.clone(),
            revision: name.revision.clone(),
            offline: true,
            device: DeviceChoice::Auto,
            precision,
            quantize,
            batch_size: Some(1),
            kv_memory: None,
        },
        adapter: name.adapter.as_ref().map(PathBuf::from),
    }
}

/// The part of an image vector's key that describes the image's preparation.
pub fn preparation(background: Background) -> &'static str {
    match background {
        Background::White => "white",
        Background::Black => "black",
        Background::None => "none",
    }
}
