//! Retrievers, against reference vectors in `tests/fixtures/retrievers`, and the commands that use
//! them.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
#[allow(dead_code)]
mod common;
mod embed;
mod measure;
mod refused;

use labeler_tui::embed::{Retriever, RetrieverOptions};
use labeler_tui::icon::{self, Picture};
use labeler_tui::record::Background;
use labeler_tui::vlm::open::OnOpening;
use labeler_tui::vlm::{DeviceChoice, ModelOptions, Precision, Quantize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn retriever(name: &str) -> PathBuf {
    fixtures().join("retrievers").join(name)
}

fn options(folder: &Path) -> RetrieverOptions {
    RetrieverOptions {
        model: ModelOptions {
            model: folder.display().to_string(),
            revision: "main".to_owned(),
            offline: true,
            device: DeviceChoice::Cpu,
            precision: Precision::Fp32,
            quantize: Quantize::None,
            batch_size: Some(1),
            kv_memory: None,
        },
        adapter: None,
    }
}

fn open(options: &RetrieverOptions) -> labeler_tui::error::Result<Retriever> {
    let quiet: OnOpening = Arc::new(|_| {});
    Retriever::open(options, &quiet)
}

fn picture(file: &str) -> Picture {
    let bytes = std::fs::read(fixtures().join("images").join(file)).unwrap();
    icon::picture(&icon::decode(&bytes).unwrap(), 1, Background::White)
}

/// Copies a fixture to a temporary folder.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(retriever(name)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

/// Edits a JSON file.
fn change(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let each = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    each.fold(0.0, f32::max)
}
