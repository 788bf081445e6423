//! Labels through any server that speaks the OpenAI chat API: vLLM, SGLang, llama.cpp and others.

mod chat;
mod check;
mod pool;
mod wire;

pub use chat::{ChatAnswer, ChatTurn, chat};
pub use check::{EndpointReport, check};

use super::{Answer, Jobs, LabelEvent, LabelRequest, Labeler, Pull};
use crate::engine::{ModelInfo, RemoteCounts};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::settings::{RemoteOptions, Secret};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pool::{Endpoint, Pool};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How long to wait and how often to try; the defaults are for real servers.
#[derive(Debug, Clone)]
pub struct Patience {
    pub connect: Duration,
    /// Longest silence of a server within an answer. A busy CPU server thinks for minutes.
    pub silence: Duration,
    /// First wait before a repetition; doubles each time, with jitter.
    pub backoff: Duration,
    pub longest_backoff: Duration,
    /// Broken answers (5xx, 408, 409, cut connections, timeouts) that one item may meet.
    pub tries: u32,
    /// Times that one item may be told to come later (429).
    pub queueing: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(600),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            tries: 8,
            queueing: 100,
        }
    }
}

/// An answer longer than this is a fault of the server.
const LONGEST_ANSWER: usize = 16 << 20;
/// How often a run looks for new work and for a cancellation while requests are in flight.
const TICK: Duration = Duration::from_millis(20);

pub struct RemoteLabeler {
    options: RemoteOptions,
    patience: Patience,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    pool: Pool,
    counts: RefCell<RemoteCounts>,
}

impl RemoteLabeler {
    /// # Errors
    /// With `--offline`, and for an address that is none.
    pub fn new(options: RemoteOptions, patience: Patience) -> Result<Self> {
        if options.offline {
            return Err(
                Error::new(ErrorKind::Usage, "--endpoint cannot be used with --offline")
                    .with_hint("leave one of them out"),
            );
        }
        for url in &options.endpoints {
            let parsed = reqwest::Url::parse(url)
                .context(ErrorKind::Usage, format_args!("--endpoint {url}"))?;
            if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("--endpoint {url} is not an http or https address"),
                )
                .with_hint("for example http://localhost:8000/v1"));
            }
        }
        let client = http_client(options.api_key.as_ref(), &patience)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(ErrorKind::Internal, "cannot start the network's runtime")?;
        Ok(Self {
            pool: Pool::new(&options.endpoints),
            options,
            patience,
            client,
            runtime,
            counts: RefCell::default(),
        })
    }

    /// One item, through every repetition that it deserves.
    async fn label(&self, request: LabelRequest) -> LabelEvent {
        let ticket = request.ticket;
        match self.answer(&request).await {
            Ok(answer) => LabelEvent::Done {
                ticket,
                answer: Box::new(answer),
            },
            Err(words) => LabelEvent::Failed {
                ticket,
                error: Error::new(ErrorKind::Network, self.without_key(&words)),
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
        let (mut broken, mut queued, mut strict) = (0, 0, false);
        loop {
            let turn = self.pool.choose().await;
            let endpoint = turn.endpoint;
            let asked = endpoint.agreement();
            let body =
                wire::request_body(&self.options.model, request, png.as_deref(), asked, strict);
            let outcome = self.send(endpoint, &body).await;
            drop(turn);
            let wait = match outcome {
                Outcome::Answer(answer) => {
                    self.pool.answered(endpoint);
                    if asked.logprobs && answer.tokens.is_empty() && !answer.text.is_empty() {
                        self.pool.tell_without_logprobs(&endpoint.url);
                    }
                    let readable = answer.truncated || crate::record::parse(&answer.text).is_ok();
                    if readable || strict {
                        return Ok(*answer);
                    }
                    strict = true;
                    Duration::ZERO
                }
                Outcome::Refused { status, body } => {
                    self.pool.answered(endpoint);
                    let refused = wire::refusal(status, &body, asked);
                    if !self.pool.settle(endpoint, asked, refused) {
                        return Err(format!(
                            "{} answered {status}: {}",
                            endpoint.url,
                            wire::server_words(&body)
                        ));
                    }
                    Duration::ZERO
                }
                Outcome::Later { status, after } => {
                    self.pool.answered(endpoint);
                    queued += 1;
                    if queued > self.patience.queueing {
                        return Err(format!("{} answered {status} {queued} times", endpoint.url));
                    }
                    after.unwrap_or_else(|| self.backoff(queued))
                }
                Outcome::Broken { gone, words } => {
                    self.pool.broke(endpoint, gone, &self.without_key(&words));
                    // A server that is gone pauses the run; it does not use up an item's tries.
                    broken += u32::from(!gone);
                    if broken >= self.patience.tries {
                        return Err(format!("{}: {words}, {broken} times", endpoint.url));
                    }
                    if gone {
                        Duration::ZERO
                    } else {
                        self.backoff(broken)
                    }
                }
            };
            self.counts.borrow_mut().retries += 1;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn send(&self, endpoint: &Endpoint, body: &serde_json::Value) -> Outcome {
        let body = body.to_string();
        {
            let mut counts = self.counts.borrow_mut();
            counts.requests += 1;
            counts.bytes_sent += body.len() as u64;
        }
        let begun = Instant::now();
        let sent = self
            .client
            .post(format!("{}/chat/completions", endpoint.url))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Outcome::broken(&error),
        };
        let status = response.status();
        let after = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(wire::retry_after);
        let location = response
            .headers()
            .get(reqwest::header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let bytes = match read_body(response).await {
            Ok(bytes) => bytes,
            Err(outcome) => return outcome,
        };
        self.counts.borrow_mut().bytes_received += bytes.len() as u64;
        let code = status.as_u16();
        if status.is_success() {
            return match wire::read_answer(&bytes, begun.elapsed()) {
                Ok(answer) => {
                    let mut counts = self.counts.borrow_mut();
                    counts.prompt_tokens += answer.counts.prompt as u64;
                    counts.new_tokens += answer.counts.generated as u64;
                    Outcome::Answer(Box::new(answer))
                }
                Err(words) => Outcome::Broken { gone: false, words },
            };
        }
        let body = String::from_utf8_lossy(&bytes).into_owned();
        match code {
            429 => Outcome::Later {
                status: code,
                after,
            },
            503 if after.is_some() => Outcome::Later {
                status: code,
                after,
            },
            // 501: what was asked for is not built there; no repetition mends that.
            408 | 409 | 500 | 502..=599 => Outcome::Broken {
                gone: false,
                words: format!("status {code}: {}", wire::server_words(&body)),
            },
            300..=399 => Outcome::Refused {
                status: code,
                body: format!(
                    "it redirects to {}, which is not followed to another host",
                    location.unwrap_or_else(|| "nowhere".into())
                ),
            },
            _ => Outcome::Refused { status: code, body },
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

    /// A server may repeat the key in its own words; people and files do not get to see it.
    fn without_key(&self, words: &str) -> String {
        match &self.options.api_key {
            Some(key) if !key.expose().is_empty() => words.replace(key.expose(), "[key]"),
            _ => words.to_owned(),
        }
    }
}

enum Outcome {
    Answer(Box<Answer>),
    /// A 4xx that no repetition mends, unless less is asked for.
    Refused {
        status: u16,
        body: String,
    },
    Later {
        status: u16,
        after: Option<Duration>,
    },
    /// `gone`: not even a connection.
    Broken {
        gone: bool,
        words: String,
    },
}

impl Outcome {
    fn broken(error: &reqwest::Error) -> Self {
        Self::Broken {
            gone: error.is_connect(),
            words: error_words(error),
        }
    }
}

/// The innermost cause says what happened; the outer ones repeat the address.
fn error_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

async fn read_body(response: reqwest::Response) -> Result<Vec<u8>, Outcome> {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Outcome::Broken {
            gone: false,
            words: error_words(&error),
        })?;
        if bytes.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Outcome::Broken {
                gone: false,
                words: format!("an answer of over {} MiB", LONGEST_ANSWER >> 20),
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A client that sends the key, and never to another host than it was meant for.
fn http_client(key: Option<&Secret>, patience: &Patience) -> Result<reqwest::Client> {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Some(key) = key {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::Usage,
                    "LABELER_API_KEY holds characters that no header can carry",
                )
            })?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    let same_host_only = reqwest::redirect::Policy::custom(|attempt| {
        let same = attempt.previous().first().is_some_and(|first| {
            first.scheme() == attempt.url().scheme()
                && first.host_str() == attempt.url().host_str()
                && first.port_or_known_default() == attempt.url().port_or_known_default()
        });
        if same && attempt.previous().len() < 5 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    reqwest::Client::builder()
        .default_headers(headers)
        .redirect(same_host_only)
        .connect_timeout(patience.connect)
        .read_timeout(patience.silence)
        .user_agent(concat!("labeler-tui/", env!("CARGO_PKG_VERSION")))
        .build()
        .context(ErrorKind::Internal, "cannot set up HTTP")
}

async fn answers(client: &reqwest::Client, url: String) -> bool {
    // Any word of the server itself will do: many want a key or know no list of models.
    match client.get(format!("{url}/models")).send().await {
        Ok(response) => !response.status().is_server_error(),
        Err(_) => false,
    }
}

impl Labeler for RemoteLabeler {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.options.model.clone(),
            device: self.options.endpoints.join(", "),
            detail: self.pool.agreed(),
            slots: self.options.concurrency,
        }
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        let this = &*self;
        let mut in_flight = FuturesUnordered::new();
        let watch = this.pool.watch(
            this.patience.backoff,
            this.patience.longest_backoff,
            |url| answers(&this.client, url),
        );
        tokio::pin!(watch);
        let mut open = true;
        loop {
            while open && in_flight.len() < this.options.concurrency.max(1) {
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
            let event = this.runtime.block_on(async {
                tokio::select! {
                    event = in_flight.next(), if !in_flight.is_empty() => event,
                    () = &mut watch => None,
                    () = tokio::time::sleep(TICK) => None,
                }
            });
            for notice in this.pool.take_notices() {
                jobs.push(LabelEvent::Notice(notice));
            }
            if let Some(event) = event {
                jobs.push(event);
            }
        }
    }

    fn remote_counts(&self) -> Option<RemoteCounts> {
        Some(*self.counts.borrow())
    }
}
