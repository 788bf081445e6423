//! `bench`: the labeling workload with the real prompt and a fixed length of answer, timed.

mod server;
mod workload;

use super::ask::{local, open_with_bar};
use super::write_out;
use crate::error::Result;
use crate::record::Item;
use crate::settings::{BenchOptions, LabelerOptions, ModelOptions};
use crate::text::{for_json, for_lines};
use crate::vlm::open::Opened;
use crate::vlm::{GenerateEvent, GenerateRequest, Generator, GeneratorOptions, Sampling};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use workload::{items, peak_resident_bytes, prompter, question};

/// Runs the workload and writes a table, or one JSON object, to `out`.
pub fn run(options: &BenchOptions, out: &mut dyn Write) -> Result<()> {
    let report = match &options.labeler {
        LabelerOptions::Remote(server) => server::report(options, server)?,
        labeler => in_process(options, local(labeler)?)?,
    };
    let text = match options.json {
        true => for_json(&report.to_string()),
        false => for_lines(&table(&report)),
    };
    write_out(out, format!("{text}\n").as_bytes())
}

fn in_process(options: &BenchOptions, model: &ModelOptions) -> Result<serde_json::Value> {
    let items = items(options)?;
    let opened = open_with_bar(model)?;
    let requests = requests(options, &opened, &items)?;
    let measured = measure(
        &opened,
        GeneratorOptions {
            slots: model.batch_size,
            step_tokens: opened.model.step_tokens(),
            cache_bytes: opened.kv_bytes as usize,
        },
        requests,
    )?;
    Ok(measured.report(options, &opened, model.batch_size, items.len()))
}

fn requests(
    options: &BenchOptions,
    opened: &Opened,
    items: &[Item],
) -> Result<Vec<GenerateRequest>> {
    let prompter = prompter(&opened.name)?;
    let mut shared: Option<Arc<[u32]>> = None;
    let mut requests = Vec::with_capacity(options.icons);
    for (ticket, item) in (0..options.icons as u64).zip(items.iter().cycle()) {
        let (picture, chat) = question(&prompter, item)?;
        let image = opened
            .model
            .preprocess(&picture)
            .map_err(|error| error.context(&item.image_path))?;
        let images = vec![image];
        let tokens = opened
            .model
            .chat_tokens(&opened.tokenizer, &chat, &images)?;
        let (prefix, rest) = tokens.ids.split_at(tokens.shared_prefix_len);
        let prefix = match &shared {
            Some(shared) if **shared == *prefix => shared.clone(),
            _ => shared.insert(prefix.into()).clone(),
        };
        requests.push(GenerateRequest {
            ticket,
            prefix,
            tokens: rest.to_vec(),
            images,
            max_new_tokens: options.new_tokens,
            sampling: Sampling::GREEDY,
            ignore_eos: true,
            keep_prompt: false,
            constraint: None,
        });
    }
    Ok(requests)
}

#[derive(Debug, Default)]
struct Measured {
    seconds: f64,
    vision_seconds: f64,
    /// Steps that held any prompt: seconds and prompt tokens.
    prefill: (f64, usize),
    /// Steps without a prompt, by the number of answers in them: steps, seconds, tokens.
    decode: BTreeMap<usize, (usize, f64, usize)>,
    sampling_seconds: f64,
    prompt_tokens: usize,
    shared_tokens: usize,
    new_tokens: usize,
    /// Seconds from the start to the end of each icon, in the order they ended.
    done_at: Vec<f64>,
}

fn measure(
    opened: &Opened,
    options: GeneratorOptions,
    requests: Vec<GenerateRequest>,
) -> Result<Measured> {
    let mut generator = Generator::new(&opened.model, options);
    for request in requests {
        generator.add(request);
    }
    let mut measured = Measured::default();
    let began = Instant::now();
    while !generator.is_idle() {
        for event in generator.step() {
            match event {
                GenerateEvent::Token { .. } => measured.new_tokens += 1,
                GenerateEvent::Done { counts, .. } => {
                    measured.prompt_tokens += counts.prompt;
                    measured.shared_tokens += counts.shared;
                    measured.done_at.push(began.elapsed().as_secs_f64());
                }
                GenerateEvent::Failed { error, .. } => return Err(error),
            }
        }
        let step = generator.last_step();
        let forward = step.forward.as_secs_f64();
        measured.vision_seconds += step.vision.as_secs_f64();
        measured.sampling_seconds += step.sampling.as_secs_f64();
        if step.prompt_tokens > 0 {
            // Answers share this step; their part of it is that of their tokens.
            let all = (step.prompt_tokens + step.answer_tokens) as f64;
            measured.prefill.0 += forward * step.prompt_tokens as f64 / all;
            measured.prefill.1 += step.prompt_tokens;
        } else if step.answer_tokens > 0 {
            let entry = measured.decode.entry(step.sequences).or_default();
            entry.0 += 1;
            entry.1 += forward + step.sampling.as_secs_f64();
            entry.2 += step.answer_tokens;
        }
    }
    measured.seconds = began.elapsed().as_secs_f64();
    Ok(measured)
}

impl Measured {
    fn report(
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
        serde_json::json!({
            "model": opened.name,
            "device": opened.device,
            "weights": opened.detail,
            "icons": options.icons,
            "distinct_icons": distinct,
            "batch_size": batch_size,
            "new_tokens": options.new_tokens,
            "prompt_tokens": self.prompt_tokens,
            "shared_prompt_tokens": self.shared_tokens,
            "load_seconds": opened.load_seconds,
            "peak_resident_bytes": peak_resident_bytes(),
            "seconds": self.seconds,
            "vision_seconds": self.vision_seconds,
            "sampling_seconds": self.sampling_seconds,
            "prefill_tokens_per_second": rate(self.prefill.1, self.prefill.0),
            "decode_tokens_per_second": rate(decode.1, decode.0),
            "seconds_per_step_by_batch": steps,
            "icons_per_minute": rate(60 * self.done_at.len(), self.seconds),
            "weight_bytes_per_step": opened.model.step_bytes(),
        })
    }
}

/// The report as lines of a name and a value.
fn table(report: &serde_json::Value) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        let shown = name.replace('_', " ");
        match value {
            serde_json::Value::Object(steps) => {
                rows.extend(steps.iter().map(|(batch, seconds)| {
                    let seconds = seconds.as_f64().unwrap_or_default();
                    (
                        format!("seconds a step, batch {batch}"),
                        format!("{seconds:.4}"),
                    )
                }));
            }
            serde_json::Value::String(text) => rows.push((shown, text.clone())),
            serde_json::Value::Null => rows.push((shown, "unknown".to_owned())),
            value if name.contains("bytes") => {
                let gib = value.as_f64().unwrap_or_default() / f64::from(1 << 30);
                rows.push((shown.replace(" bytes", ""), format!("{gib:.2} GiB")));
            }
            value if value.is_f64() => {
                let number = value.as_f64().unwrap_or_default();
                rows.push((shown, format!("{number:.2}")));
            }
            value => rows.push((shown, value.to_string())),
        }
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}
