//! `ask`: runs one chat turn and streams the answer, or prints it as JSON to compare with other
//! programs.

use super::opening::opening_bar;
use super::options::AskOptions;
use super::{write_out, write_to_reader};
use crate::error::{Error, ErrorKind, Result};
use crate::icon;
use crate::labeler::remote::{ChatClient, ChatTurn};
use crate::labeler::{LabelerOptions, RemoteOptions};
use crate::record::{Background, Chat, FailureDetail, Timings};
use crate::text::{for_json, for_line, for_stream};
use crate::vlm::open::{Opened, open};
use crate::vlm::{
    FinishReason, GenerateEvent, GenerateRequest, Generator, GeneratorOptions, ModelOptions,
    Sampling,
};
use crate::wording::Words;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs the turn and writes its answer to `out`.
pub fn run(options: &AskOptions, out: &mut dyn Write) -> Result<()> {
    let pictures = options
        .images
        .iter()
        .map(|path| read_picture(path, Background::White))
        .collect::<Result<Vec<_>>>()?;
    if let LabelerOptions::Remote(remote) = &options.labeler {
        return run_remote(options, remote, &pictures, out);
    }
    let model = local_model(&options.labeler)?;
    let opened = open_with_bar(model)?;
    let began = Instant::now();
    let images = pictures
        .iter()
        .map(|picture| opened.model.preprocess(picture))
        .collect::<Result<Vec<_>>>()?;
    let turn = Chat {
        system: options.system.clone(),
        user: options.question.clone(),
        images: images.len(),
    };
    let prompt = opened
        .model
        .chat_tokens(&opened.tokenizer, &turn, &images)?;
    let prompt = prompt.ids;
    let mut generator = Generator::new(
        &opened.model,
        GeneratorOptions {
            slots: 1,
            step_tokens: opened.step_tokens,
            cache_bytes: opened.kv_bytes as usize,
        },
    );
    generator.add(GenerateRequest {
        ticket: 0,
        prefix: Arc::from([]),
        tokens: prompt.clone(),
        images,
        max_new_tokens: options.max_new_tokens,
        sampling: Sampling {
            temperature: options.temperature,
            seed: options.seed,
        },
        ignore_eos: options.ignore_eos,
        keep_prompt: false,
        urgent: false,
        constraint: None,
    });
    let preprocess_ms = began.elapsed().as_secs_f64() * 1e3;
    let mut printer = AnswerPrinter::default();
    let mut decoder = opened.tokenizer.decoder();
    while !generator.is_idle() {
        for event in generator.step() {
            match event {
                GenerateEvent::Token { token, .. } => {
                    printer.push(token.id, token.logprob);
                    let text = decoder.push(token.id).unwrap_or_default();
                    if !printer.print(&text, options.json, out)? {
                        return Ok(());
                    }
                }
                GenerateEvent::Done {
                    reason,
                    end,
                    timings,
                    ..
                } => {
                    if let Some(end) = end {
                        printer.push(end.id, end.logprob);
                    }
                    printer.finish = Some(reason);
                    printer.timings = timings;
                }
                GenerateEvent::Failed { error, .. } => return Err(error),
            }
        }
    }
    printer.print(&decoder.finish().unwrap_or_default(), options.json, out)?;
    printer.timings.preprocess_ms += preprocess_ms;
    if options.json {
        let object = for_json(&printer.json(&prompt, &opened).to_string());
        write_out(out, format!("{object}\n").as_bytes())
    } else {
        write_out(out, b"\n")
    }
}

/// Runs the turn on a server, which does not return token ids.
fn run_remote(
    options: &AskOptions,
    remote: &RemoteOptions,
    pictures: &[icon::Picture],
    out: &mut dyn Write,
) -> Result<()> {
    let began = Instant::now();
    let turn = ChatTurn {
        system: options.system.as_deref(),
        pictures,
        user: &options.question,
        max_new_tokens: options.max_new_tokens,
        temperature: options.temperature,
        seed: options.seed,
        ignore_eos: options.ignore_eos,
    };
    let chats = ChatClient::new(remote)?;
    for notice in chats.notices() {
        // A notice that cannot be printed is not worth an error.
        let notice = for_line(&Words::ENGLISH.server_notice(&notice));
        let _ = writeln!(std::io::stderr(), "{notice}");
    }
    let answer = chats.ask(&turn)?;
    let line = match options.json {
        true => for_json(
            &serde_json::json!({
                "prompt_token_ids": null,
                "token_ids": null,
                "logprobs": answer.logprobs,
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "timings": {"seconds": began.elapsed().as_secs_f64()},
            })
            .to_string(),
        ),
        false => for_stream(&answer.text),
    };
    write_out(out, format!("{line}\n").as_bytes())
}

#[derive(Default)]
struct AnswerPrinter {
    ids: Vec<u32>,
    logprobs: Vec<Option<f32>>,
    text: String,
    finish: Option<FinishReason>,
    timings: Timings,
}

impl AnswerPrinter {
    fn push(&mut self, id: u32, logprob: Option<f32>) {
        self.ids.push(id);
        self.logprobs.push(logprob);
    }

    /// Adds `text` to the answer and prints it, except with `--json`. Returns whether the reader is
    /// still there.
    fn print(&mut self, text: &str, json: bool, out: &mut dyn Write) -> Result<bool> {
        self.text.push_str(text);
        if json || text.is_empty() {
            return Ok(true);
        }
        write_to_reader(out, for_stream(text).as_bytes())
    }

    fn json(&self, prompt: &[u32], opened: &Opened) -> serde_json::Value {
        let rate = |tokens: usize, ms: f64| (ms > 0.0).then(|| tokens as f64 * 1e3 / ms);
        let timings = &self.timings;
        serde_json::json!({
            "prompt_token_ids": prompt,
            "token_ids": self.ids,
            "logprobs": self.logprobs,
            "text": self.text,
            "finish_reason": match self.finish {
                Some(FinishReason::Length) => "length",
                _ => "stop",
            },
            "timings": {
                "load_seconds": opened.load_seconds,
                "preprocess_ms": timings.preprocess_ms,
                "vision_ms": timings.vision_ms,
                "prefill_ms": timings.prefill_ms,
                "decode_ms": timings.decode_ms,
                "prefill_tokens_per_second": rate(prompt.len(), timings.prefill_ms),
                "decode_tokens_per_second":
                    rate(self.ids.len().saturating_sub(1), timings.decode_ms),
            },
        })
    }
}

/// Reads an image file and prepares it as models see it.
pub(super) fn read_picture(path: &Path, background: Background) -> Result<icon::Picture> {
    let about = |detail: FailureDetail| detail.into_error().context(path.display());
    let bytes = crate::source::image_bytes(&path.to_owned().into())
        .map_err(|failure| failure.detail.into_error())?;
    let icon = icon::decode(&bytes).map_err(about)?;
    Ok(icon::picture(&icon, 1, background))
}

/// The options of the model to run in this process.
pub(crate) fn local_model(labeler: &LabelerOptions) -> Result<&ModelOptions> {
    match labeler {
        LabelerOptions::Local(model) => Ok(model),
        LabelerOptions::Remote(_) | LabelerOptions::None => Err(Error::new(
            ErrorKind::Usage,
            "there is no model to run in this process",
        )),
    }
}

/// Opens the model with a progress bar on standard error, if that is a terminal.
pub(crate) fn open_with_bar(options: &ModelOptions) -> Result<Opened> {
    let (bar, on_opening) = opening_bar()?;
    let opened = open(options, &on_opening);
    bar.finish_and_clear();
    opened
}
