//! Tests of the model against the reference outputs in `tests/fixtures` and against itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod generate;
mod loading;
mod packed;
mod reference;
#[path = "../common/run.rs"]
mod run;
mod steps;

use candle_core::{DType, Device, Tensor};
use labeler_tui::icon::{self, Picture};
use labeler_tui::record::Background;
use labeler_tui::vlm::{
    self, Backend, CheckpointFiles, Grid, ImageFeatures, ImagePatches, LoadOptions, Model, Prefix,
    Quantization, Sequence, SequenceStep,
};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Two or three small checkpoints of each architecture, see `tests/fixtures/make_fixtures.py`.
const FIXTURES: [&str; 7] = [
    "flat",
    "nested",
    "parts",
    "windowed",
    "windowed-nested",
    "deepstack",
    "deepstack-nested",
];

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    images: Vec<String>,
    token_ids: Vec<u32>,
    grids: Vec<[usize; 3]>,
    logit_rows: Vec<usize>,
    greedy: Vec<u32>,
    logprobs: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn load(fixture: &str, quantization: Option<Quantization>) -> Model {
    load_with(fixture, &options(quantization))
}

fn load_with(fixture: &str, options: &LoadOptions) -> Model {
    let files = CheckpointFiles::folder(&fixtures().join(fixture)).unwrap();
    vlm::load(&files, options, &mut |_, _| {}).unwrap()
}

/// A fixture with the CPU's backend and with the accelerators'.
fn both(fixture: &str) -> [Model; 2] {
    [Backend::Slices, Backend::Tensors].map(|backend| {
        let mut options = options(None);
        options.backend = backend;
        load_with(fixture, &options)
    })
}

/// Both models of every fixture.
fn models() -> impl Iterator<Item = (&'static str, Model)> {
    let all = FIXTURES.into_iter();
    all.flat_map(|fixture| both(fixture).map(|model| (fixture, model)))
}

/// A sequence without a pool.
fn new_sequence(model: &Model, prefix: Option<Arc<Prefix>>) -> Sequence {
    model.sequence(prefix, None).unwrap()
}

fn options(quantization: Option<Quantization>) -> LoadOptions {
    LoadOptions {
        device: Device::Cpu,
        backend: Backend::Slices,
        dtype: DType::F32,
        quantization,
        cache: None,
    }
}

fn reference(fixture: &str) -> (Vec<Case>, HashMap<String, Tensor>) {
    let folder = fixtures().join(fixture).join("reference");
    let cases = std::fs::read(folder.join("cases.json")).unwrap();
    let reference: Reference = serde_json::from_slice(&cases).unwrap();
    let answers = folder.join("answers.safetensors");
    let answers = candle_core::safetensors::load(answers, &Device::Cpu).unwrap();
    (reference.cases, answers)
}

fn picture(file: &str) -> Picture {
    let bytes = std::fs::read(fixtures().join("images").join(file)).unwrap();
    icon::picture(&icon::decode(&bytes).unwrap(), 1, Background::White)
}

fn patches(model: &Model, case: &Case) -> Vec<ImagePatches> {
    let files = case.images.iter();
    files
        .map(|file| model.preprocess(&picture(file)).unwrap())
        .collect()
}

/// Number of tokens of a case before the marker that opens its first image.
fn before_images(model: &Model, case: &Case) -> Option<usize> {
    let image = model.spec().image_token;
    let first = case.token_ids.iter().position(|token| *token == image);
    first.map(|first| first - 1)
}

/// Mean and standard deviation of each channel, from the checkpoint.
fn normalization(fixture: &str) -> [[f32; 3]; 2] {
    let file = fixtures().join(fixture).join("preprocessor_config.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    ["image_mean", "image_std"].map(|key| serde_json::from_value(config[key].clone()).unwrap())
}

fn images(model: &Model, case: &Case) -> Vec<ImageFeatures> {
    model.encode_images(&patches(model, case)).unwrap()
}

fn furthest(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let distance = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    distance.max(0).unwrap().to_scalar().unwrap()
}

fn rows(x: &Tensor, rows: &[usize]) -> Tensor {
    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    let rows = Tensor::new(rows, &Device::Cpu).unwrap();
    x.index_select(&rows, 0).unwrap()
}

fn feed(
    model: &Model,
    sequence: &mut Sequence,
    tokens: &[u32],
    images: &[ImageFeatures],
) -> Tensor {
    let mut step = [SequenceStep {
        sequence,
        tokens,
        images,
        logits: 0..tokens.len(),
    }];
    model.forward(&mut step).unwrap().remove(0)
}

/// Logits of every token of a case's prompt.
fn prompt_logits(model: &Model, case: &Case) -> Tensor {
    let images = images(model, case);
    feed(
        model,
        &mut new_sequence(model, None),
        &case.token_ids,
        &images,
    )
}

fn last_row(logits: &Tensor) -> Vec<f32> {
    let last = logits.dim(0).unwrap() - 1;
    logits.get(last).unwrap().to_vec1().unwrap()
}

fn best(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.unwrap() as u32
}

fn log_probability(logits: &[f32], token: u32) -> f32 {
    logits[token as usize] - labeler_tui::vlm::nn::simd::log_sum_exp(logits)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Tolerance for the same sums in a different order.
const SAME: f32 = 5e-5;
