//! `bench`: times the labeling workload with the real prompt, on answers of a fixed length or on
//! the records of a file.

mod measure;
mod replay;
mod retry;
mod server;
mod workload;

use super::ask::{local_model, open_with_bar};
use super::write_out;
use crate::commands::options::BenchOptions;
use crate::error::Result;
use crate::labeler::LabelerOptions;
use crate::record::Item;
use crate::text::{for_json, for_lines};
use crate::vlm::open::Opened;
use crate::vlm::{GenerateRequest, GeneratorOptions, ModelOptions, Sampling};
use measure::measure;
use std::io::Write;
use std::sync::Arc;
use workload::{ICONS, items, prompter, question};

/// Runs the workload and writes a table, or one JSON object, to `out`.
pub fn run(options: &BenchOptions, out: &mut dyn Write) -> Result<()> {
    let report = match &options.labeler {
        LabelerOptions::Remote(server) => server::report(options, server)?,
        labeler => in_process(options, local_model(labeler)?)?,
    };
    let text = match options.json {
        true => for_json(&report.to_string()),
        false => for_lines(&table(&report)),
    };
    write_out(out, format!("{text}\n").as_bytes())
}

fn in_process(options: &BenchOptions, model: &ModelOptions) -> Result<serde_json::Value> {
    let limits = |opened: &Opened| GeneratorOptions {
        slots: opened.slots(model.batch_size),
        step_tokens: opened.step_tokens,
        cache_bytes: opened.kv_bytes as usize,
    };
    if let Some(file) = &options.replay {
        let records = replay::read(options, file)?;
        let opened = open_with_bar(model)?;
        return replay::run(options, &opened, limits(&opened), &records);
    }
    let items = items(options)?;
    let opened = open_with_bar(model)?;
    let slots = limits(&opened).slots;
    let icons = options.icons.unwrap_or(ICONS);
    let workload = requests(options, &opened, &items, icons)?;
    let measured = measure(&opened, limits(&opened), workload.into_iter().map(Ok))?;
    let mut report = measured.report(options, &opened, slots, items.len());
    if options.retry {
        let requests = requests(options, &opened, &items, slots + retry::RETRIES)?;
        report["retry"] = retry::measure(&opened, limits(&opened), requests)?;
    }
    Ok(report)
}

fn requests(
    options: &BenchOptions,
    opened: &Opened,
    items: &[Item],
    icons: usize,
) -> Result<Vec<GenerateRequest>> {
    let prompter = prompter(&opened.name, options.prompt.as_deref())?;
    let mut shared: Option<Arc<[u32]>> = None;
    let mut requests = Vec::with_capacity(icons);
    for (ticket, item) in (0..icons as u64).zip(items.iter().cycle()) {
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
            urgent: false,
            constraint: None,
        });
    }
    Ok(requests)
}

/// Formats the report as lines of a name and a value.
fn table(report: &serde_json::Value) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        let shown = name.replace('_', " ");
        match value {
            serde_json::Value::Object(parts) => rows.extend(parts.iter().map(|(part, value)| {
                if let Some(count) = value.as_u64() {
                    return (format!("{shown}, {part}"), count.to_string());
                }
                let value = value.as_f64().unwrap_or_default();
                match name.as_str() {
                    "seconds_per_step_by_batch" => (
                        format!("seconds per step, batch {part}"),
                        format!("{value:.4}"),
                    ),
                    "share_of_time" => (
                        format!("share of {part}"),
                        format!("{:.1} %", 100.0 * value),
                    ),
                    _ => (format!("{shown}, {part}"), format!("{value:.1}")),
                }
            })),
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
