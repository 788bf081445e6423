//! Access to the small checkpoints under `tests/fixtures`, for unit tests.

#![allow(clippy::unwrap_used)]

use super::architecture::Architecture;
use super::checkpoint::files::CheckpointFiles;
use super::checkpoint::tokenizer::Tokenizer;
use super::models;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Fixture folders: two or three for each architecture.
pub const FIXTURES: [&str; 7] = [
    "flat",
    "nested",
    "parts",
    "windowed",
    "windowed-nested",
    "deepstack",
    "deepstack-nested",
];

pub fn folder(fixture: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(fixture)
}

/// The tokenizer and the configuration of a checkpoint folder.
pub fn open(folder: &Path) -> Result<(Tokenizer, Box<dyn Architecture>)> {
    let files = CheckpointFiles::folder(folder).unwrap();
    let architecture = models::open(&files).unwrap();
    Ok((architecture.tokenizer(&files)?, architecture))
}

/// Parses the fixture's `reference/cases.json`.
pub fn cases(fixture: &str) -> serde_json::Value {
    let cases = std::fs::read(folder(fixture).join("reference/cases.json")).unwrap();
    serde_json::from_slice(&cases).unwrap()
}
