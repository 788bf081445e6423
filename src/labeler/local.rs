//! Runs the model in this process: passes requests to the generator and collects its answers.

use super::requests::RequestBuilder;
use super::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, Loading, MAX_URGENT, ModelInfo, ModelMemory,
    ModelNotice, OnLoad, Pull, TokenInfo,
};
use crate::error::{Error, ErrorKind, Result};
use crate::record::FailureDetail;
use crate::threads;
use crate::vlm::checkpoint::files::Gate;
use crate::vlm::open::{OnOpening, Opened, Opening};
use crate::vlm::{
    self, FinishReason, GenerateEvent, GeneratedToken, Generator, GeneratorOptions, LoadStage,
    MemoryCap, Model, ModelOptions, StreamDecoder, Tokenizer, checkpoint, device, models,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
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
struct RunningGeneration {
    tokens: Vec<TokenInfo>,
    decoder: StreamDecoder,
    text: String,
}

impl RunningGeneration {
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
        if let Some(notice) = self.notice.take() {
            jobs.push(LabelEvent::ModelNotice(notice));
        }
        let options = GeneratorOptions {
            slots: self.info.slots,
            step_tokens: self.step_tokens,
            cache_bytes: self.kv_bytes,
        };
        let mut run = Run {
            tokenizer: self.requests.tokenizer().clone(),
            model: &self.model,
            requests: &mut self.requests,
            generator: Generator::new(&self.model, options),
            generations: BTreeMap::new(),
            is_cache_checked: false,
            jobs,
        };
        let mut is_cap_reported = false;
        let mut last_report = Instant::now();
        while run.fill_slots()?.is_continue() {
            run.begin_urgent()?;
            if run.jobs.cancelled() {
                break;
            }
            let events = run.generator.step();
            if let Some(cap) = run.generator.memory_cap().filter(|_| !is_cap_reported) {
                is_cap_reported = true;
                run.report_cap(cap, &options);
            }
            for event in events {
                run.handle(event);
            }
            if last_report.elapsed() >= PARTIAL_INTERVAL {
                last_report = Instant::now();
                run.report_partial_texts();
            }
        }
        Ok(())
    }
}

/// Requests in flight between the engine and the generator.
struct Run<'a> {
    model: &'a Model,
    tokenizer: Tokenizer,
    requests: &'a mut RequestBuilder,
    generator: Generator<'a>,
    /// By ticket.
    generations: BTreeMap<u64, RunningGeneration>,
    /// Whether the KV cache has room for requests like the first one.
    is_cache_checked: bool,
    jobs: &'a mut dyn Jobs,
}

impl Run<'_> {
    /// Begins a request in every free slot. Breaks when no more requests will come and all are
    /// answered, or when the run is canceled.
    fn fill_slots(&mut self) -> Result<ControlFlow<()>> {
        while self.generator.free_slots() > 0 {
            let is_idle = self.generator.is_idle();
            match self.jobs.pull(is_idle) {
                Pull::Request(request) => self.begin(&request)?,
                Pull::Closed if is_idle => return Ok(ControlFlow::Break(())),
                Pull::Empty | Pull::Closed => break,
                Pull::Cancelled => return Ok(ControlFlow::Break(())),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Begins urgent requests, which need no free slot; the other answers pause.
    fn begin_urgent(&mut self) -> Result<()> {
        while self.generator.urgent() < MAX_URGENT
            && let Some(request) = self.jobs.pull_urgent()
        {
            self.begin(&request)?;
        }
        Ok(())
    }

    /// Begins a request.
    ///
    /// # Errors
    /// If it is the first and the KV cache has room for none.
    fn begin(&mut self, request: &LabelRequest) -> Result<()> {
        match self.requests.request(self.model, request) {
            Ok(generate_request) => {
                if !self.is_cache_checked {
                    self.generator.check_cache(&generate_request)?;
                    self.is_cache_checked = true;
                }
                let generation = RunningGeneration {
                    tokens: Vec::new(),
                    decoder: self.tokenizer.decoder(),
                    text: String::new(),
                };
                self.generations.insert(generate_request.ticket, generation);
                self.generator.add(generate_request);
            }
            Err(error) => self.fail(request.ticket, error),
        }
        Ok(())
    }

    fn handle(&mut self, event: GenerateEvent) {
        match event {
            GenerateEvent::Token { ticket, token } => {
                if let Some(generation) = self.generations.get_mut(&ticket) {
                    generation.add(&self.tokenizer, token);
                }
            }
            GenerateEvent::Done {
                ticket,
                reason,
                timings,
                counts,
                ..
            } => {
                if let Some(mut generation) = self.generations.remove(&ticket) {
                    generation.text.extend(generation.decoder.finish());
                    let answer = Answer {
                        text: generation.text,
                        tokens: generation.tokens,
                        truncated: reason == FinishReason::Length,
                        timings,
                        counts,
                    };
                    self.jobs.push(LabelEvent::Done {
                        ticket,
                        answer: Box::new(answer),
                    });
                }
            }
            GenerateEvent::Failed { ticket, error } => {
                self.generations.remove(&ticket);
                self.fail(ticket, error);
            }
        }
    }

    fn fail(&mut self, ticket: u64, error: Error) {
        let detail = FailureDetail::ModelFailed { why: error.cause };
        self.jobs.push(LabelEvent::Failed { ticket, detail });
    }

    /// Reports that fewer requests than slots fit into the KV cache.
    fn report_cap(&mut self, cap: MemoryCap, options: &GeneratorOptions) {
        let notice = ModelNotice::BatchCapped {
            wanted: options.slots,
            fits: cap.fits,
            allowed: options.cache_bytes as u64,
            needed: cap.needed as u64,
        };
        self.jobs.push(LabelEvent::ModelNotice(notice));
    }

    fn report_partial_texts(&mut self) {
        for (&ticket, generation) in &self.generations {
            self.jobs.push(LabelEvent::Partial {
                ticket,
                text: generation.text.clone(),
                tokens: generation.tokens.len(),
            });
        }
    }
}
