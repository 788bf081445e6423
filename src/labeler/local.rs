//! Runs the model in process: turns chats into tokens, pictures into patches, and the answer's
//! schema into a grammar that constrains the generator.

use super::grammar::{Grammar, GrammarCompiler};
use super::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, Loading, ModelInfo, ModelMemory, ModelNotice,
    OnLoad, Pull, TokenInfo,
};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::ModelOptions;
use crate::threads;
use crate::vlm::checkpoint::files::Gate;
use crate::vlm::open::{OnOpening, Opened, Opening};
use crate::vlm::{
    self, Constraint, FinishReason, GenerateEvent, GenerateRequest, GeneratedToken, Generator,
    GeneratorOptions, LoadStage, Model, StreamDecoder, Tokenizer, checkpoint, models,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shortest time between two reports of the text being generated.
const PARTIAL: Duration = Duration::from_millis(150);

pub struct Local {
    model: Model,
    requests: RequestBuilder,
    options: ModelOptions,
    info: ModelInfo,
    /// The most that keys and values may take.
    kv_bytes: usize,
    /// To be told once.
    notice: Option<ModelNotice>,
}

/// Looks for the checkpoint on this machine. One that only the hub could have may be there; any
/// other that cannot be used is an error.
pub fn check(options: &ModelOptions) -> Result<()> {
    let only_here = ModelOptions {
        offline: true,
        ..options.clone()
    };
    let gate = Gate {
        config: &models::refusals,
        ..Gate::OPEN
    };
    match checkpoint::find(&only_here, &gate, Arc::new(|_| {})) {
        Err(error) if error.kind == ErrorKind::Network && !options.offline => Ok(()),
        found => found.map(|_| ()),
    }
}

/// Turns requests into those of the generator.
struct RequestBuilder {
    tokenizer: Tokenizer,
    compiler: GrammarCompiler,
    /// The beginning that the last prompt shares with others; the same for nearly all.
    prefix: Arc<[u32]>,
}

impl Local {
    /// Finds the checkpoint, downloads it where that is allowed, and loads it.
    pub fn load(options: ModelOptions, on_load: &mut OnLoad) -> Result<Self> {
        let opened = open(&options, on_load)?;
        let compiler = GrammarCompiler::new(&opened.tokenizer.grammar_env()?)?;
        Ok(Self {
            info: ModelInfo {
                name: opened.name,
                device: opened.device,
                detail: opened.detail,
                slots: options.batch_size,
                memory: Some(ModelMemory {
                    weights: opened.weight_bytes,
                    caches: opened.kv_bytes,
                    free: opened.free_bytes,
                }),
            },
            notice: opened.missing.map(ModelNotice::NoAccelerator),
            kv_bytes: opened.kv_bytes as usize,
            model: opened.model,
            requests: RequestBuilder {
                tokenizer: opened.tokenizer,
                compiler,
                prefix: Arc::from([]),
            },
            options,
        })
    }
}

/// Opens the model on a thread of its own: downloads report from any thread, `on_load` must be
/// called on this one.
fn open(options: &ModelOptions, on_load: &mut OnLoad) -> Result<Opened> {
    on_load(Loading::Load, None);
    let (report, openings) = crossbeam_channel::unbounded();
    std::thread::scope(|scope| {
        let opening = threads::spawn_scoped(scope, "loading", move || {
            let report: OnOpening = Arc::new(move |opening| {
                // The receiver outlives this thread.
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

impl RequestBuilder {
    fn request(&mut self, model: &Model, request: &LabelRequest) -> Result<GenerateRequest> {
        let images = request
            .picture
            .iter()
            .map(|picture| model.preprocess(picture))
            .collect::<Result<Vec<_>>>()?;
        let mut chat = model.chat_tokens(&self.tokenizer, &request.chat, &images)?;
        let tokens = chat.ids.split_off(chat.shared_prefix_len);
        if *self.prefix != *chat.ids {
            self.prefix = Arc::from(chat.ids);
        }
        let grammar = self.compiler.compile(&request.schema)?;
        Ok(GenerateRequest {
            ticket: request.ticket,
            prefix: Arc::clone(&self.prefix),
            tokens,
            images,
            max_new_tokens: request.max_new_tokens,
            sampling: request.sampling,
            ignore_eos: false,
            keep_prompt: request.keep_prompt,
            constraint: Some(Box::new(AnswerConstraint {
                grammar,
                forced: VecDeque::new(),
                mask: Vec::new(),
            })),
        })
    }
}

/// The grammar of one answer, as the generator consults it.
struct AnswerConstraint {
    grammar: Grammar,
    /// Consumed by the grammar already, not yet by the generator.
    forced: VecDeque<u32>,
    mask: Vec<u32>,
}

impl Constraint for AnswerConstraint {
    fn forced(&mut self) -> Result<Vec<u32>> {
        if self.forced.is_empty() {
            self.forced.extend(self.grammar.forced());
        }
        Ok(self.forced.iter().copied().collect())
    }

    fn allowed(&mut self) -> Result<&[u32]> {
        let mask = self.grammar.mask()?;
        self.mask.clear();
        self.mask.extend_from_slice(mask.as_slice());
        Ok(&self.mask)
    }

    fn advance(&mut self, token: u32) -> Result<()> {
        match self.forced.pop_front() {
            Some(forced) if forced == token => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Internal,
                "the answer left the grammar's forced tokens",
            )),
            None => self.grammar.advance(token),
        }
    }

    fn finished(&self) -> bool {
        self.forced.is_empty() && self.grammar.is_finished()
    }
}

/// One answer being generated.
struct Writing {
    tokens: Vec<TokenInfo>,
    decoder: StreamDecoder,
    text: String,
}

impl Writing {
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
            options,
            kv_bytes,
            notice,
            ..
        } = self;
        if let Some(notice) = notice.take() {
            jobs.push(LabelEvent::ModelNotice(notice));
        }
        let mut generator = Generator::new(
            model,
            GeneratorOptions {
                slots: options.batch_size,
                step_tokens: model.step_tokens(),
                cache_bytes: *kv_bytes,
            },
        );
        let mut writings: BTreeMap<u64, Writing> = BTreeMap::new();
        let mut capped = false;
        let mut reported = Instant::now();
        loop {
            while generator.free_slots() > 0 {
                match jobs.pull(generator.is_idle()) {
                    Pull::Request(request) => match requests.request(model, &request) {
                        Ok(asked) => {
                            let writing = Writing {
                                tokens: Vec::new(),
                                decoder: requests.tokenizer.decoder(),
                                text: String::new(),
                            };
                            writings.insert(asked.ticket, writing);
                            generator.add(asked);
                        }
                        Err(error) => jobs.push(LabelEvent::Failed {
                            ticket: request.ticket,
                            error,
                        }),
                    },
                    Pull::Closed if generator.is_idle() => return Ok(()),
                    Pull::Empty | Pull::Closed => break,
                    Pull::Cancelled => return Ok(()),
                }
            }
            if jobs.cancelled() {
                return Ok(());
            }
            let events = generator.step();
            if let Some(cap) = generator.cap().filter(|_| !capped) {
                capped = true;
                jobs.push(LabelEvent::ModelNotice(ModelNotice::BatchCapped {
                    wanted: options.batch_size,
                    fits: cap.fits,
                    allowed: *kv_bytes as u64,
                    needed: cap.needed as u64,
                }));
            }
            for event in events {
                match event {
                    GenerateEvent::Token { ticket, token } => {
                        if let Some(writing) = writings.get_mut(&ticket) {
                            writing.add(&requests.tokenizer, token);
                        }
                    }
                    GenerateEvent::Done {
                        ticket,
                        reason,
                        timings,
                        counts,
                        ..
                    } => {
                        if let Some(mut writing) = writings.remove(&ticket) {
                            writing.text.extend(writing.decoder.finish());
                            let answer = Answer {
                                text: writing.text,
                                tokens: writing.tokens,
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
                        writings.remove(&ticket);
                        jobs.push(LabelEvent::Failed { ticket, error });
                    }
                }
            }
            if reported.elapsed() >= PARTIAL
                && let Some((&ticket, writing)) = writings.first_key_value()
            {
                reported = Instant::now();
                jobs.push(LabelEvent::Partial {
                    ticket,
                    text: writing.text.clone(),
                });
            }
        }
    }
}
