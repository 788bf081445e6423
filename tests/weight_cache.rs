//! The first load caches quantized weights, later loads map them, and the logits stay the same.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use candle_core::{DType, Device};
use labeler_tui::vlm::{
    self, Backend, CheckpointFiles, LoadOptions, LoadStage, Quantization, SequenceStep,
};
use std::path::{Path, PathBuf};

fn load(name: &str, cache: Option<&Path>) -> (Vec<f32>, bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let files = CheckpointFiles::folder(&folder).unwrap();
    let options = LoadOptions {
        device: Device::Cpu,
        backend: Backend::Slices,
        dtype: DType::F32,
        quantization: Some(Quantization::Q8_0),
        cache: cache.map(Path::to_owned),
    };
    let mut quantized = false;
    let model = vlm::load(&files, &options, &mut |stage, _| {
        quantized |= stage == LoadStage::Quantize;
    })
    .unwrap();
    let mut sequence = model.sequence(None, None).unwrap();
    let mut steps = [SequenceStep {
        sequence: &mut sequence,
        tokens: &[5, 17, 300],
        images: &[],
        logits: 0..3,
    }];
    let logits = model.forward(&mut steps).unwrap().remove(0);
    (logits.flatten_all().unwrap().to_vec1().unwrap(), quantized)
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(files.len(), 1);
    files[0].as_ref().unwrap().path()
}

#[test]
fn the_second_load_maps_the_cached_weights() {
    for name in ["flat", "nested", "parts"] {
        let cache = tempfile::tempdir().unwrap();
        let (plain, quantized) = load(name, None);
        assert!(!quantized);
        let (first, quantized) = load(name, Some(cache.path()));
        assert!(quantized);
        let (second, quantized) = load(name, Some(cache.path()));
        assert!(!quantized);
        assert_eq!(plain, first, "{name}");
        assert_eq!(plain, second, "{name}");
    }
}

#[test]
fn a_damaged_cache_file_is_rebuilt() {
    let cache = tempfile::tempdir().unwrap();
    let (plain, _) = load("flat", Some(cache.path()));
    let file = only_file(cache.path());
    let whole = std::fs::read(&file).unwrap();
    let middle = whole.len() / 2;
    let random: Vec<u8> = (0..middle).map(|n| (n * 31 % 251) as u8).collect();
    let mut zeros = whole.clone();
    zeros[middle + 1000..].fill(0);
    let mut bit = whole.clone();
    bit[whole.len() - 100] ^= 4;
    for damaged in [
        &whole[..middle],
        b"",
        b"junk",
        &[&whole[..whole.len() - middle], &random[..]].concat(),
        &zeros,
        &bit,
    ] {
        std::fs::write(&file, damaged).unwrap();
        let (logits, quantized) = load("flat", Some(cache.path()));
        assert!(quantized);
        assert_eq!(plain, logits);
        assert_eq!(std::fs::read(only_file(cache.path())).unwrap(), whole);
    }
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_the_load() {
    let cache = tempfile::tempdir().unwrap();
    let not_a_folder = cache.path().join("a file");
    std::fs::write(&not_a_folder, "").unwrap();
    let (logits, _) = load("flat", Some(&not_a_folder));
    assert_eq!(logits, load("flat", None).0);
}

#[test]
fn files_of_a_killed_first_load_are_removed() {
    let cache = tempfile::tempdir().unwrap();
    let in_use = std::fs::File::create(cache.path().join(".quantizing-running")).unwrap();
    in_use.lock().unwrap();
    std::fs::write(cache.path().join(".quantizing-killed"), "half").unwrap();
    load("flat", Some(cache.path()));
    let names = std::fs::read_dir(cache.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let partial: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
    assert_eq!(partial, [".quantizing-running"]);
}
