//! Runs the model in this process: passes requests to the generator and collects its answers.

use super::requests::RequestBuilder;
use super::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, Loading, MAX_URGENT, ModelInfo, ModelMemory,
    ModelNotice, OnLoad, Pull, TokenInfo,
};
use crate::error::{ErrorKind, Result};
use crate::record::FailureDetail;
use crate::settings::ModelOptions;
use crate::threads;
use crate::vlm::checkpoint::files::Gate;
use crate::vlm::open::{OnOpening, Opened, Opening};
use crate::vlm::{
    self, FinishReason, GenerateEvent, GeneratedToken, Generator, GeneratorOptions, LoadStage,
    Model, StreamDecoder, Tokenizer, checkpoint, device, models,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Minimum interval between reports of the text generated so far.
const PARTIAL_INTERVAL: Duration = Duration::from_millis(150);

pub struct Local {
    model: Model,
    requests: RequestBuilder,
    info: ModelInfo,
    /// Size limit of the KV cache.
    kv_bytes: usize,
    step_tokens: usize,
    /// Reported once.
    notice: Option<ModelNotice>,
}

/// Checks the device and the checkpoint without downloading anything. Asks the hub only about a
/// checkpoint that is not complete here.
pub fn check(options: &ModelOptions) -> Result<()> {
    device::check(&options.device)?;
    let only_here = ModelOptions {
        offline: true,
        ..options.clone()
    };
    let gate = Gate {
        config: &models::refusals,
        ..Gate::OPEN
    };
    match checkpoint::find(&only_here, &gate, Arc::new(|_| {})) {
        Err(error) if error.kind == ErrorKind::Network && !options.offline => {
            checkpoint::check_hub(options)
        }
        found => found.map(|_| ()),
    }
}

impl Local {
    /// Finds the checkpoint, downloads it if allowed, and loads it.
    pub fn load(options: ModelOptions, on_load: &mut OnLoad) -> Result<Self> {
        let opened = open(&options, on_load)?;
        let slots = opened.slots(options.batch_size);
        let requests = RequestBuilder::new(opened.tokenizer)?;
        Ok(Self {
            info: ModelInfo {
                name: opened.name,
                device: opened.device,
                detail: opened.detail,
                slots,
                memory: Some(ModelMemory {
                    weights: opened.weight_bytes,
                    caches: opened.kv_bytes,
                    free: opened.free_bytes,
                }),
            },
            notice: opened.accelerator_error.map(ModelNotice::NoAccelerator),
            kv_bytes: opened.kv_bytes as usize,
            step_tokens: opened.step_tokens,
            model: opened.model,
            requests,
        })
    }
}

/// Opens the model on a separate thread, because downloads report progress from any thread but
/// `on_load` must be called on this one.
fn open(options: &ModelOptions, on_load: &mut OnLoad) -> Result<Opened> {
    on_load(Loading::Load, None);
    let (report, openings) = crossbeam_channel::unbounded();
    std::thread::scope(|scope| {
        let opening = threads::spawn_scoped(scope, "loading", move || {
            let report: OnOpening = Arc::new(move |opening| {
                // Cannot fail: the receiver outlives this thread.
                let _ = report.send(opening);
            });
            vlm::open::open(options, &report)
        })?;
        for opening in openings {
            let (stage, done) = match opening {
                Opening::Download(file) if file.total == 0 => (Loading::Download, None),
                Opening::Download(file) => (
                    Loading::Download,
                    Some(file.done as f32 / file.total as f32),
                ),
                Opening::Load(LoadStage::Quantize, done) => (Loading::Quantize, Some(done)),
                Opening::Load(LoadStage::Vision, done) => (Loading::Load, Some(done * 0.5)),
                Opening::Load(LoadStage::Text, done) => (Loading::Load, Some(0.5 + done * 0.5)),
            };
            on_load(stage, done);
        }
        match opening.join() {
            Ok(opened) => opened,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// One answer being generated.
struct Generation {
    tokens: Vec<TokenInfo>,
    decoder: StreamDecoder,
    text: String,
}

impl Generation {
    fn add(&mut self, tokenizer: &Tokenizer, token: GeneratedToken) {
        self.tokens.push(TokenInfo {
            bytes: tokenizer.bytes(token.id).to_vec(),
            logprob: token.logprob,
            forced: token.forced,
        });
        self.text.extend(self.decoder.push(token.id));
    }
}

impl Labeler for Local {
    fn info(&self) -> ModelInfo {
        self.info.clone()
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        let Self {
            model,
            requests,
            info,
            kv_bytes,
            step_tokens,
            notice,
            ..
        } = self;
        let tokenizer = requests.tokenizer().clone();
        if let Some(notice) = notice.take() {
            jobs.push(LabelEvent::ModelNotice(notice));
        }
        let mut generator = Generator::new(
            model,
            GeneratorOptions {
                slots: info.slots,
                step_tokens: *step_tokens,
                cache_bytes: *kv_bytes,
            },
        );
        let mut generations: BTreeMap<u64, Generation> = BTreeMap::new();
        let mut begin = |request: &LabelRequest,
                         generator: &mut Generator,
                         generations: &mut BTreeMap<u64, Generation>,
                         jobs: &mut dyn Jobs| {
            match requests.request(model, request) {
                Ok(generate_request) => {
                    let generation = Generation {
                        tokens: Vec::new(),
                        decoder: tokenizer.decoder(),
                        text: String::new(),
                    };
                    generations.insert(generate_request.ticket, generation);
                    generator.add(generate_request);
                }
                Err(error) => jobs.push(LabelEvent::Failed {
                    ticket: request.ticket,
                    detail: FailureDetail::ModelFailed { why: error.cause },
                }),
            }
        };
        let mut capped = false;
        let mut last_report = Instant::now();
        loop {
            while generator.free_slots() > 0 {
                match jobs.pull(generator.is_idle()) {
                    Pull::Request(request) => {
                        begin(&request, &mut generator, &mut generations, jobs)
                    }
                    Pull::Closed if generator.is_idle() => return Ok(()),
                    Pull::Empty | Pull::Closed => break,
                    Pull::Cancelled => return Ok(()),
                }
            }
            // Urgent requests need no free slot; the other answers pause.
            while generator.urgent() < MAX_URGENT
                && let Some(request) = jobs.pull_urgent()
            {
                begin(&request, &mut generator, &mut generations, jobs);
            }
            if jobs.cancelled() {
                return Ok(());
            }
            let events = generator.step();
            if let Some(cap) = generator.memory_cap().filter(|_| !capped) {
                capped = true;
                jobs.push(LabelEvent::ModelNotice(ModelNotice::BatchCapped {
                    wanted: info.slots,
                    fits: cap.fits,
                    allowed: *kv_bytes as u64,
                    needed: cap.needed as u64,
                }));
            }
            for event in events {
                match event {
                    GenerateEvent::Token { ticket, token } => {
                        if let Some(generation) = generations.get_mut(&ticket) {
                            generation.add(&tokenizer, token);
                        }
                    }
                    GenerateEvent::Done {
                        ticket,
                        reason,
                        timings,
                        counts,
                        ..
                    } => {
                        if let Some(mut generation) = generations.remove(&ticket) {
                            generation.text.extend(generation.decoder.finish());
                            let answer = Answer {
                                text: generation.text,
                                tokens: generation.tokens,
                                truncated: reason == FinishReason::Length,
                                timings,
                                counts,
                            };
                            jobs.push(LabelEvent::Done {
                                ticket,
                                answer: Box::new(answer),
                            });
                        }
                    }
                    GenerateEvent::Failed { ticket, error } => {
                        generations.remove(&ticket);
                        let detail = FailureDetail::ModelFailed { why: error.cause };
                        jobs.push(LabelEvent::Failed { ticket, detail });
                    }
                }
            }
            if last_report.elapsed() >= PARTIAL_INTERVAL {
                last_report = Instant::now();
                for (&ticket, generation) in &generations {
                    jobs.push(LabelEvent::Partial {
                        ticket,
                        text: generation.text.clone(),
                        tokens: generation.tokens.len(),
                    });
                }
            }
        }
    }
}
