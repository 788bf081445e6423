//! Benchmarks of the hot spots of labeling. Run all with `cargo bench`, or one with
//! `cargo bench -- attention`.
//!
//! Shapes are those of the default model, Qwen2-VL-2B. Compare only results from the same machine
//! and day.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use labeler_tui::icon::{Picture, resize_bicubic};
use labeler_tui::source::{GroupEvent, SourceKind, SourceOptions, group, open};
use labeler_tui::vlm::nn::Backend;
use labeler_tui::vlm::nn::attention::attend;
use labeler_tui::vlm::nn::batch::Batch;
use labeler_tui::vlm::nn::int8::{Bits, Int8Matrix};
use labeler_tui::vlm::nn::kv::layout::{CacheSpec, HeadShape};
use labeler_tui::vlm::nn::kv::sequence::{Sequence, Span};
use labeler_tui::vlm::nn::output::EpilogueArgs;
use labeler_tui::vlm::nn::rope::Angles;
use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

const HIDDEN: usize = 1536;
const FEED_FORWARD: usize = 8960;
const HEADS: HeadShape = HeadShape {
    heads: 12,
    kv_heads: 2,
    head_dim: 128,
};

fn random(shape: (usize, usize)) -> Tensor {
    Tensor::rand(-1f32, 1f32, shape, &Device::Cpu).unwrap()
}

/// The int8 product of the widest layer, for one token, for a step of 32 sequences and for a prompt.
fn kernels(c: &mut Criterion) {
    let weights: Vec<Vec<f32>> = random((FEED_FORWARD, HIDDEN)).to_vec2().unwrap();
    let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&weights[row]);
    let mut bench = c.benchmark_group("int8 product");
    for (name, dtype) in [("8 bits", GgmlDType::Q8_0), ("4 bits", GgmlDType::Q4K)] {
        let Some(bits) = Bits::of(dtype) else {
            eprintln!("{name}: no kernel for this processor");
            continue;
        };
        let matrix = Int8Matrix::pack((FEED_FORWARD, HIDDEN), bits, &read).unwrap();
        for tokens in [1, 32, 512] {
            let x = random((tokens, HIDDEN));
            bench.throughput(Throughput::Elements(tokens as u64));
            bench.bench_function(format!("{name}, {tokens} tokens"), |b| {
                b.iter(|| {
                    matrix
                        .forward(black_box(&x), EpilogueArgs::default())
                        .unwrap()
                });
            });
        }
    }
}

/// Attention of one layer: 32 sequences decode one token each after a prompt of 300.
fn attention(c: &mut Criterion) {
    const SEQUENCES: usize = 32;
    const PROMPT: usize = 300;
    let spec = Arc::new(CacheSpec {
        layers: 1,
        shape: HEADS,
        backend: Backend::Slices,
        device: Device::Cpu,
        dtype: DType::F32,
    });
    let half = HEADS.head_dim / 2;
    let angles = |tokens: usize| {
        let angles = vec![0.5; tokens * half];
        Angles::new(&angles, half, DType::F32)
    };
    let width = (HEADS.heads + 2 * HEADS.kv_heads) * HEADS.head_dim;
    let prompt = random((PROMPT, width));
    let step = random((SEQUENCES, width));
    let prompt_angles = angles(PROMPT);
    let step_angles = angles(SEQUENCES);
    let filled = || {
        let mut sequences: Vec<Sequence> = Vec::new();
        for _ in 0..SEQUENCES {
            let mut sequence = Sequence::new(&spec, None, None).unwrap();
            let span = Span {
                sequence: &mut sequence,
                rows: 0..PROMPT,
            };
            let mut batch = Batch::new(&spec, vec![span]).unwrap();
            attend(&prompt, 0, &prompt_angles, &mut batch).unwrap();
            sequences.push(sequence);
        }
        sequences
    };
    let mut bench = c.benchmark_group("attention");
    bench.throughput(Throughput::Elements(SEQUENCES as u64));
    bench.sample_size(20);
    bench.bench_function("32 sequences after 300 tokens", |b| {
        b.iter_batched(
            filled,
            |mut sequences| {
                let spans = sequences.iter_mut().enumerate();
                let spans: Vec<Span> = spans
                    .map(|(row, sequence)| Span {
                        sequence,
                        rows: row..row + 1,
                    })
                    .collect();
                let mut batch = Batch::new(&spec, spans).unwrap();
                attend(black_box(&step), 0, &step_angles, &mut batch).unwrap()
            },
            BatchSize::LargeInput,
        );
    });
}

/// An icon of 32 x 32, upscaled as by `--upscale 2` and the model's own resize.
fn resize(c: &mut Criterion) {
    let icon = Picture {
        width: 32,
        height: 32,
        rgb: (0..32 * 32 * 3).map(|i| (i * 37 % 251) as u8).collect(),
    };
    c.bench_function("resize 32 to 112 px", |b| {
        b.iter(|| resize_bicubic(black_box(&icon), 112, 112));
    });
}

/// Reads and groups a manifest of 20,000 lines and 2,000 images.
fn sources(c: &mut Criterion) {
    const ROWS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for row in 0..ROWS {
        let image = row % 2_000;
        writeln!(
            lines,
            r#"{{"image_path":"{image}.png","image_sha256":"{image:064x}","item_name":"이름 {row}","source_type":"cash"}}"#
        )
        .unwrap();
    }
    let path = dir.path().join("items.jsonl");
    std::fs::write(&path, lines).unwrap();
    let mut bench = c.benchmark_group("source");
    bench.throughput(Throughput::Elements(ROWS));
    bench.sample_size(10);
    bench.bench_function("20,000 lines", |b| {
        b.iter(|| {
            let source = open(&SourceOptions::new(SourceKind::Manifest(path.clone()))).unwrap();
            let mut groups = 0u64;
            group(source, None, &mut |event| {
                groups += u64::from(matches!(event, GroupEvent::New(_)));
                ControlFlow::Continue(())
            })
            .unwrap();
            groups
        });
    });
}

criterion_group!(speed, kernels, attention, resize, sources);
criterion_main!(speed);
