//! What a step is said to take, beside what it does take.

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
/// Tokens of a step.
const TOKENS: usize = 1024;
const PREFIX: usize = 1000;
const OWN: usize = 120;

/// Steps as an accelerator computes them, on the CPU: a long shared prefix, prompts, answers.
#[test]
fn a_step_takes_no_more_than_is_set_aside_for_it() {
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
        let said = checkpoint.memory(&load, &run).bytes_of(&size, None) as usize;
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
        let mut most = 0;
        while !generator.is_idle() {
            let (_, taken) = memory::peak_of_process(|| generator.step());
            most = most.max(taken);
        }
        println!("{fixture}: {most} of {said}, caches {caches}");
        assert!(most <= said + caches, "{fixture}: {most} of {said}");
        assert!(most * 4 > said, "{fixture}: {most} of {said}");
    }
}
