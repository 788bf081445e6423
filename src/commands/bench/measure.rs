//! Runs a workload on the generator and measures it.

use super::workload::ICONS;
use crate::commands::options::BenchOptions;
use crate::error::Result;
use crate::platform;
use crate::vlm::open::Opened;
use crate::vlm::{GenerateEvent, GenerateRequest, Generator, GeneratorOptions, StepStats};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;

#[derive(Debug, Default)]
pub struct Measurement {
    pub seconds: f64,
    /// Time to build requests from pictures and chats.
    prepare_seconds: f64,
    vision_seconds: f64,
    steps: usize,
    /// Time in the layers, split between prompts and answers.
    prompt_seconds: f64,
    answer_seconds: f64,
    prompt_rows: usize,
    answer_rows: usize,
    head_seconds: f64,
    /// Steps without prompt tokens, by the number of sequences: steps, seconds, tokens.
    decode: BTreeMap<usize, (usize, f64, usize)>,
    sampling_seconds: f64,
    prompt_tokens: usize,
    shared_tokens: usize,
    new_tokens: usize,
    forced_tokens: usize,
    /// When each icon was done, in seconds from the start.
    done_at: Vec<f64>,
}

/// Runs the requests, each as soon as a slot is free.
pub fn measure(
    opened: &Opened,
    options: GeneratorOptions,
    requests: impl Iterator<Item = Result<GenerateRequest>>,
) -> Result<Measurement> {
    let mut requests = requests.fuse();
    let mut generator = Generator::new(&opened.model, options);
    let mut measured = Measurement::default();
    let began = Instant::now();
    loop {
        let preparing = Instant::now();
        while generator.free_slots() > 0
            && let Some(request) = requests.next()
        {
            generator.add(request?);
        }
        measured.prepare_seconds += preparing.elapsed().as_secs_f64();
        if generator.is_idle() {
            break;
        }
        for event in generator.step() {
            match event {
                GenerateEvent::Token { token, .. } => {
                    measured.new_tokens += 1;
                    measured.forced_tokens += usize::from(token.forced);
                }
                GenerateEvent::Done { counts, .. } => {
                    measured.prompt_tokens += counts.prompt;
                    measured.shared_tokens += counts.shared;
                    measured.done_at.push(began.elapsed().as_secs_f64());
                }
                GenerateEvent::Failed { error, .. } => return Err(error),
            }
        }
        measured.add_step(generator.last_step());
    }
    measured.seconds = began.elapsed().as_secs_f64();
    Ok(measured)
}

impl Measurement {
    fn add_step(&mut self, step: &StepStats) {
        let forward = step.forward.as_secs_f64();
        let head = step.head.as_secs_f64();
        let sampling = step.sampling.as_secs_f64();
        self.steps += 1;
        self.vision_seconds += step.vision.as_secs_f64();
        self.head_seconds += head;
        self.sampling_seconds += sampling;
        self.prompt_rows += step.prompt_tokens;
        self.answer_rows += step.answer_tokens;
        // The time of the step is split by the number of tokens.
        let all = (step.prompt_tokens + step.answer_tokens).max(1) as f64;
        self.prompt_seconds += forward * step.prompt_tokens as f64 / all;
        self.answer_seconds += forward * step.answer_tokens as f64 / all;
        if step.prompt_tokens == 0 && step.answer_tokens > 0 {
            let entry = self.decode.entry(step.sequences).or_default();
            entry.0 += 1;
            entry.1 += forward + head + sampling;
            entry.2 += step.answer_tokens;
        }
    }

    pub fn report(
        &self,
        options: &BenchOptions,
        opened: &Opened,
        batch_size: usize,
        distinct: usize,
    ) -> serde_json::Value {
        let rate = |count: usize, seconds: f64| (seconds > 0.0).then(|| count as f64 / seconds);
        let decode = self
            .decode
            .values()
            .fold((0.0, 0), |sum, (_, seconds, tokens)| {
                (sum.0 + seconds, sum.1 + tokens)
            });
        let steps: serde_json::Map<String, serde_json::Value> = self
            .decode
            .iter()
            .map(|(batch, (steps, seconds, _))| {
                (batch.to_string(), (seconds / *steps as f64).into())
            })
            .collect();
        let shared_prompt = self.shared_prompt_seconds();
        json!({
            "model": opened.name,
            "device": opened.device,
            "weights": opened.detail,
            "icons": options.icons.unwrap_or(ICONS),
            "distinct_icons": distinct,
            "batch_size": batch_size,
            "new_tokens": options.new_tokens,
            "prompt_tokens": self.prompt_tokens,
            "shared_prompt_tokens": self.shared_tokens,
            "load_seconds": opened.load_seconds,
            "peak_resident_bytes": platform::peak_resident_memory(),
            "seconds": self.seconds,
            "vision_seconds": self.vision_seconds,
            "head_seconds": self.head_seconds,
            "sampling_seconds": self.sampling_seconds,
            "prefill_tokens_per_second": rate(self.prompt_rows, self.prompt_seconds),
            "decode_tokens_per_second": rate(decode.1, decode.0),
            "seconds_per_step_by_batch": steps,
            "icons_per_minute": rate(60 * self.done_at.len(), self.seconds),
            "shared_prompt_seconds": shared_prompt,
            "icons_per_minute_after_shared_prompt": rate(
                60 * self.done_at.len(),
                self.seconds - shared_prompt,
            ),
            "weight_bytes_per_step": opened.model.step_bytes(),
        })
    }

    /// The report of a run with known answers.
    pub fn replay_report(&self, opened: &Opened, batch_size: usize) -> serde_json::Value {
        let records = self.done_at.len();
        let per_record = |count: usize| count as f64 / records.max(1) as f64;
        let timed = [
            ("preparing", self.prepare_seconds),
            ("vision", self.vision_seconds),
            ("prompts", self.prompt_seconds),
            ("answers", self.answer_seconds),
            ("head", self.head_seconds),
            ("grammar", self.sampling_seconds),
        ];
        let rest = self.seconds - timed.iter().map(|(_, seconds)| seconds).sum::<f64>();
        let shares = timed.into_iter().chain([("the rest", rest)]);
        let shares: serde_json::Map<String, serde_json::Value> = shares
            .map(|(stage, seconds)| (stage.to_owned(), json!(seconds / self.seconds)))
            .collect();
        json!({
            "model": opened.name,
            "device": opened.device,
            "weights": opened.detail,
            "batch_size": batch_size,
            "records": records,
            "seconds": self.seconds,
            "records_per_minute": 60.0 * records as f64 / self.seconds,
            "rows_per_record": per_record(self.prompt_rows + self.answer_rows - self.prefix_rows()),
            "rows_of": {
                "prompts": per_record(self.prompt_rows - self.prefix_rows()),
                "answers": per_record(self.answer_rows),
            },
            "tokens_per_record": {
                "chosen": per_record(self.new_tokens - self.forced_tokens),
                "forced": per_record(self.forced_tokens),
            },
            "steps_per_record": per_record(self.steps),
            "share_of_time": shares,
            "load_seconds": opened.load_seconds,
            "peak_resident_bytes": platform::peak_resident_memory(),
            "weight_bytes_per_step": opened.model.step_bytes(),
        })
    }

    /// Time in the layers for the shared prefix, as its share of all prompt rows.
    fn shared_prompt_seconds(&self) -> f64 {
        self.prompt_seconds * self.prefix_rows() as f64 / self.prompt_rows.max(1) as f64
    }

    /// Rows of the shared prefix, which is computed once.
    fn prefix_rows(&self) -> usize {
        self.shared_tokens / self.done_at.len().max(1)
    }
}
