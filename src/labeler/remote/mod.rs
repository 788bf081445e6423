//! Labels through any server that speaks the OpenAI chat API: vLLM, SGLang, llama.cpp and others.

mod align;
mod chat;
mod check;
mod completion;
mod conformance;
mod http;
mod pool;
mod proxy;
mod wire;

pub use chat::{ChatAnswer, ChatTurn, Chats};
pub use check::{EndpointReport, check};
pub use completion::read_answer;
pub use http::{Patience, base_url};

use super::{Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, RemoteCounts};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Field, Parsed};
use crate::settings::RemoteOptions;
use conformance::Conformance;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Http, error_words, longest_answer, read_body};
use pool::{Endpoint, Pool};
use std::cell::RefCell;
use std::time::{Duration, Instant};
use wire::{Agreement, Refusal};

/// How often a run looks for new work and for a cancellation while requests are in flight.
const TICK: Duration = Duration::from_millis(20);
/// What to do about servers that refuse every item.
const BARRED: &str = "the address of an API ends in its version, as in http://host:8000/v1; \
    LABELER_API_KEY is the server's key and --model a model that it lists; \
    `labeler-tui doctor --endpoint URL` asks it";

pub struct RemoteLabeler {
    options: RemoteOptions,
    patience: Patience,
    http: Http,
    pool: Pool,
    conformance: RefCell<Conformance>,
    counts: RefCell<RemoteCounts>,
}

impl RemoteLabeler {
    /// # Errors
    /// With `--offline`, for an invalid address, for a key that no header can carry, for a
    /// certificate that is not trusted, and without `--wait` where no server is there.
    pub fn new(options: RemoteOptions, patience: Patience) -> Result<Self> {
        let http = Http::new(&options, &patience)?;
        http.first_look(options.wait)?;
        Ok(Self {
            pool: Pool::new(http.urls.clone(), patience.backoff),
            http,
            conformance: RefCell::new(Conformance::new()?),
            counts: RefCell::default(),
            options,
            patience,
        })
    }

    /// Labels one item, with all the repetitions that it may need.
    async fn label(&self, request: LabelRequest) -> LabelEvent {
        let ticket = request.ticket;
        match self.answer(&request).await {
            Ok(answer) => LabelEvent::Done {
                ticket,
                answer: Box::new(answer),
            },
            Err(words) => LabelEvent::Failed {
                ticket,
                error: Error::new(ErrorKind::Network, self.http.without_key(&words)),
            },
        }
    }

    async fn answer(&self, request: &LabelRequest) -> Result<Answer, String> {
        let png = match &request.picture {
            Some(picture) => {
                Some(wire::data_url(picture).map_err(|error| format!("cannot encode: {error}"))?)
            }
            None => None,
        };
        let (mut broken, mut queued) = (0, 0);
        // The agreement under which this item is asked for less, and at which server.
        let mut less: Option<(&Endpoint, Agreement)> = None;
        loop {
            let Some(turn) = self.pool.choose().await else {
                return Err(self.pool.all_barred().unwrap_or_default());
            };
            let endpoint = turn.endpoint;
            let asked = less
                .filter(|(at, _)| std::ptr::eq(*at, endpoint))
                .map_or(endpoint.agreement(), |(_, less)| less);
            let body = wire::request_body(&self.options.model, request, png.as_deref(), asked);
            // Only its text is kept in memory while the server thinks.
            let body = body.to_string();
            let limit = longest_answer(request.max_new_tokens);
            let outcome = self.send(endpoint, body, asked, limit).await;
            if matches!(outcome, ServerReply::Answer(_)) {
                self.pool.labeled(endpoint);
            }
            drop(turn);
            let wait = match outcome {
                ServerReply::Answer(mut answer) => {
                    self.pool.answered(endpoint);
                    let parsed = crate::record::parse(&answer.text);
                    if self.repeats_key(&answer.text, parsed.as_ref().ok()) {
                        return Err(format!("{} repeats the key in its answer", endpoint.url));
                    }
                    let record = answer.truncated || parsed.is_ok();
                    if !record
                        && let Some(agreement) =
                            self.pool.ask_for_less(endpoint, asked, Refusal::Ignored)
                    {
                        less = Some((endpoint, agreement));
                        self.counts.borrow_mut().retries += 1;
                        continue;
                    }
                    let probable = !answer.tokens.is_empty() || answer.text.is_empty();
                    let whole_record = record && !answer.truncated;
                    self.pool.kept(endpoint, asked, whole_record, probable);
                    self.mark_forced(request, &mut answer, asked);
                    return Ok(*answer);
                }
                ServerReply::Refused {
                    status,
                    words,
                    refusal,
                } => {
                    self.pool.answered(endpoint);
                    let words = self.http.words(&endpoint.url, &words);
                    match self.pool.ask_for_less(endpoint, asked, refusal) {
                        Some(agreement) => less = Some((endpoint, agreement)),
                        None => {
                            let about_server = wire::is_about_server(status);
                            let own = self.pool.is_items_own(endpoint, about_server, &words);
                            if own.await {
                                return Err(format!("{} {words}", endpoint.url));
                            }
                        }
                    }
                    Duration::ZERO
                }
                ServerReply::Later { status, after } => {
                    self.pool.answered(endpoint);
                    queued += 1;
                    if queued > self.patience.queuing {
                        return Err(format!("{} answered {status} {queued} times", endpoint.url));
                    }
                    let after = after.unwrap_or_default();
                    self.pool.asked_to_wait(endpoint, after);
                    after.max(self.backoff(queued))
                }
                ServerReply::Gone(words) => {
                    // It pauses the run; it does not use up an item's tries.
                    let words = self.http.words(&endpoint.url, &words);
                    self.pool.gone(endpoint, &words);
                    Duration::ZERO
                }
                ServerReply::Broken(words) => {
                    let words = self.http.words(&endpoint.url, &words);
                    self.pool.broke(endpoint, &words);
                    broken += 1;
                    if broken >= self.patience.tries {
                        return Err(format!("{}: {words}, {broken} times", endpoint.url));
                    }
                    self.backoff(broken)
                }
            };
            self.counts.borrow_mut().retries += 1;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Marks the tokens that the grammar left no choice: their probability says nothing about the
    /// model.
    fn mark_forced(&self, request: &LabelRequest, answer: &mut Answer, asked: Agreement) {
        if answer.tokens.is_empty() || asked.format == wire::Format::Plain {
            return;
        }
        let read = self
            .conformance
            .borrow_mut()
            .read(&request.schema, &answer.text);
        match read {
            Ok(read) => {
                answer.counts.forced = read.mark(&mut answer.tokens);
            }
            Err(error) => tracing::warn!(%error, "the answer's grammar cannot be read"),
        }
    }

    /// Whether the key would get into a record, perhaps behind JSON's escapes.
    fn repeats_key(&self, text: &str, parsed: Option<&Parsed>) -> bool {
        let holds = |text: &str| self.http.holds_key(text);
        let of_record = |parsed: &Parsed| {
            let mut values = Field::ALL
                .iter()
                .flat_map(|&field| parsed.labels.values(field));
            values.any(|value| holds(value))
        };
        holds(text) || parsed.is_some_and(of_record)
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        body: String,
        asked: Agreement,
        limit: usize,
    ) -> ServerReply {
        {
            let mut counts = self.counts.borrow_mut();
            counts.requests += 1;
            counts.bytes_sent += body.len() as u64;
        }
        let begun = Instant::now();
        let sent = self
            .http
            .client(&endpoint.url)
            .post(format!("{}/chat/completions", endpoint.url))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(self.patience.answer)
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_connect() => return ServerReply::Gone(error_words(&error)),
            Err(error) => return ServerReply::Broken(error_words(&error)),
        };
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name)?.to_str().ok();
        let after = header(reqwest::header::RETRY_AFTER).and_then(wire::retry_after);
        let location = header(reqwest::header::LOCATION).map(str::to_owned);
        let bytes = match read_body(response, limit).await {
            Ok(bytes) => bytes,
            Err(words) => return ServerReply::Broken(words),
        };
        self.counts.borrow_mut().bytes_received += bytes.len() as u64;
        match status {
            200..=299 => match read_answer(&bytes, begun.elapsed()) {
                Ok(answer) => {
                    let mut counts = self.counts.borrow_mut();
                    counts.prompt_tokens += answer.counts.prompt as u64;
                    counts.new_tokens += answer.counts.generated as u64;
                    ServerReply::Answer(Box::new(answer))
                }
                Err(words) => ServerReply::Broken(words),
            },
            429 => ServerReply::Later { status, after },
            503 if after.is_some() => ServerReply::Later { status, after },
            // 501: what was asked for is not built there; a retry cannot fix that.
            408 | 409 | 500 | 502..=599 => ServerReply::Broken(format!(
                "status {status}: {}",
                wire::server_words(&String::from_utf8_lossy(&bytes))
            )),
            300..=399 => ServerReply::Refused {
                status,
                words: format!(
                    "redirects to {}, which is not followed to another host",
                    location.as_deref().unwrap_or("nowhere")
                ),
                refusal: Refusal::Other,
            },
            _ => {
                let body = String::from_utf8_lossy(&bytes);
                ServerReply::Refused {
                    status,
                    words: format!("answered {status}: {}", wire::server_words(&body)),
                    refusal: wire::refusal(status, &body, asked),
                }
            }
        }
    }

    /// Doubles with each repetition; between half and the whole of it, so that many requests do
    /// not come back together.
    fn backoff(&self, repetition: u32) -> Duration {
        let doubled = self
            .patience
            .backoff
            .saturating_mul(1 << repetition.saturating_sub(1).min(16))
            .min(self.patience.longest_backoff);
        doubled.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }
}

enum ServerReply {
    Answer(Box<Answer>),
    /// A retry cannot fix it, unless less is asked for.
    Refused {
        status: u16,
        words: String,
        refusal: Refusal,
    },
    Later {
        status: u16,
        after: Option<Duration>,
    },
    Broken(String),
    /// There is no connection.
    Gone(String),
}

/// The state of the servers as it was last reported.
#[derive(PartialEq)]
struct Reported {
    agreed: String,
    waiting: bool,
    counts: RemoteCounts,
}

impl RemoteLabeler {
    fn report(&self, reported: &mut Reported, jobs: &mut dyn Jobs) {
        for notice in self.pool.take_notices() {
            jobs.push(LabelEvent::Notice(notice));
        }
        let now = self.state();
        if now.agreed != reported.agreed {
            jobs.push(LabelEvent::Changed(self.info()));
        }
        if now.waiting != reported.waiting {
            jobs.push(LabelEvent::Waiting(now.waiting));
        }
        if now.counts != reported.counts {
            jobs.push(LabelEvent::Counts(now.counts));
        }
        *reported = now;
    }

    fn state(&self) -> Reported {
        Reported {
            agreed: self.pool.agreed(),
            waiting: self.pool.all_out(),
            counts: *self.counts.borrow(),
        }
    }
}

impl Labeler for RemoteLabeler {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.options.model.clone(),
            device: self.options.endpoints.join(", "),
            detail: self.pool.agreed(),
            slots: self.options.concurrency,
            memory: None,
        }
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        let this = &*self;
        let mut in_flight = FuturesUnordered::new();
        let watch = this
            .pool
            .watch(this.patience.longest_backoff, |url| this.http.answers(url));
        tokio::pin!(watch);
        let mut open = true;
        let mut reported = this.state();
        jobs.push(LabelEvent::Counts(reported.counts));
        for notice in this.http.notices() {
            jobs.push(LabelEvent::Notice(notice));
        }
        loop {
            // While no server answers, more items would only wait.
            let room = match this.pool.all_out() {
                true => 1,
                false => this.options.concurrency.max(1),
            };
            while open && in_flight.len() < room {
                match jobs.pull(in_flight.is_empty()) {
                    Pull::Request(request) => in_flight.push(this.label(*request)),
                    Pull::Empty => break,
                    Pull::Closed => open = false,
                    Pull::Cancelled => return Ok(()),
                }
            }
            if jobs.cancelled() || (in_flight.is_empty() && !open) {
                return Ok(());
            }
            let event = this.http.runtime.block_on(async {
                tokio::select! {
                    event = in_flight.next(), if !in_flight.is_empty() => event,
                    () = &mut watch => None,
                    () = tokio::time::sleep(TICK) => None,
                }
            });
            this.report(&mut reported, jobs);
            if let Some(words) = this.pool.all_barred() {
                return Err(Error::new(ErrorKind::Network, words).with_hint(BARRED));
            }
            if let Some(event) = event {
                jobs.push(event);
            }
        }
    }
}
