//! Compares the estimated working memory of a step with its measured peak.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "common/memory.rs"]
mod memory;
#[path = "common/run.rs"]
mod run;

use candle_core::{DType, Device};
use labeler_tui::vlm::memory::StepSize;
use labeler_tui::vlm::{
    Backend, Checkpoint, CheckpointFiles, GenerateRequest, Generator, GeneratorOptions,
    LoadOptions, Sampling,
};
use run::run_options;
use std::path::Path;
use std::sync::Arc;

const SLOTS: usize = 8;
/// Tokens per step.
const TOKENS: usize = 1024;
const PREFIX: usize = 1000;
const OWN: usize = 120;

/// Runs the accelerator backend on the CPU: a long shared prefix, prompts, answers.
#[test]
fn a_step_takes_no_more_memory_than_estimated() {
    let run = run_options(None);
    for fixture in ["flat", "windowed", "deepstack"] {
        let load = LoadOptions {
            device: Device::Cpu,
            backend: Backend::Tensors,
            dtype: DType::BF16,
            quantization: None,
            cache: None,
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let files = CheckpointFiles::folder(&folder.join(fixture)).unwrap();
        let checkpoint = Checkpoint::open(&files).unwrap();
        let size = StepSize {
            tokens: TOKENS,
            columns: PREFIX + 2 * OWN,
            answers: SLOTS,
        };
        let estimate = checkpoint.memory(&load, &run).step_bytes_for(&size, None) as usize;
        let model = checkpoint.load(&files, &load, &mut |_, _| {}).unwrap();

        let options = GeneratorOptions {
            slots: SLOTS,
            step_tokens: TOKENS,
            cache_bytes: 1 << 30,
        };
        let mut generator = Generator::new(&model, options);
        let token = |i: usize| 30 + (i * 7 % 300) as u32;
        let prefix: Arc<[u32]> = (0..PREFIX).map(token).collect();
        for ticket in 0..SLOTS {
            generator.add(GenerateRequest {
                ticket: ticket as u64,
                prefix: Arc::clone(&prefix),
                tokens: (0..OWN).map(|i| token(i + ticket)).collect(),
                images: Vec::new(),
                max_new_tokens: 8,
                sampling: Sampling::GREEDY,
                ignore_eos: true,
                keep_prompt: false,
                urgent: false,
                constraint: None,
            });
        }
        let caches =
            model.cache_bytes(2 * PREFIX) + model.batch_bytes(std::iter::repeat_n(2 * OWN, SLOTS));
        let mut peak = 0;
        while !generator.is_idle() {
            let (_, bytes) = memory::peak_of_process(|| generator.step());
            peak = peak.max(bytes);
        }
        println!("{fixture}: {peak} of {estimate}, caches {caches}");
        assert!(peak <= estimate + caches, "{fixture}: {peak} of {estimate}");
        assert!(peak * 4 > estimate, "{fixture}: {peak} of {estimate}");
    }
}
