//! Labels through any server with the OpenAI chat API: vLLM, SGLang, llama.cpp and others.

mod align;
mod chat;
mod check;
mod completion;
mod conformance;
mod http;
mod pool;
mod proxy;
mod wire;

pub use chat::{ChatAnswer, ChatClient, ChatTurn};
pub use check::{EndpointReport, check};
pub use completion::read_answer;
pub use http::{RetryPolicy, base_url};

use super::{
    Answer, Jobs, LabelEvent, LabelRequest, Labeler, ModelInfo, Pull, RemoteCounts, RequestedPause,
};
use crate::error::Result;
use crate::labeler::options::RemoteOptions;
use crate::record::{FailureDetail, Field, Parsed, ServerError};
use crate::text::{Phrase, clean_text, shortened};
use conformance::Conformance;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{AnswerLimits, Http, describe_error, read_body};
use pool::{Endpoint, ServerPool};
use std::cell::RefCell;
use std::time::{Duration, Instant};
use wire::{RefusedFeature, ServerAgreement};

/// How often a run checks for new requests and for cancellation while requests are in flight.
const TICK: Duration = Duration::from_millis(20);
/// Longest shown target of a redirect in characters.
const MAX_LOCATION_CHARS: usize = 200;
/// Hint about servers that refuse every item.
const REFUSED_HINT: Phrase = Phrase::new(
    "check that the URL ends in the API's version, as in http://host:8000/v1, that LABELER_API_KEY \
     is the server's key, and that the server lists --model: run `labeler-tui doctor --endpoint URL`",
    "URL이 http://host:8000/v1처럼 API의 버전으로 끝나는지, LABELER_API_KEY가 서버의 키인지, 서버에 \
     --model이 있는지 확인하세요: `labeler-tui doctor --endpoint URL`",
);
/// Hint about servers that answer no item.
const UNUSABLE_HINT: Phrase = Phrase::new(
    "no item got a usable answer: check that the URL is that of an OpenAI-compatible API and ends \
     in its version, as in http://host:8000/v1, and that no login page or proxy is in between: run \
     `labeler-tui doctor --endpoint URL`; for a slow server lower --concurrency",
    "쓸 수 있는 답이 하나도 없습니다. URL이 OpenAI 호환 API이고 http://host:8000/v1처럼 버전으로 \
     끝나는지, 사이에 로그인 페이지나 프록시가 없는지 확인하세요: \
     `labeler-tui doctor --endpoint URL`. 느린 서버라면 --concurrency를 줄이세요",
);
/// Hint about servers that have answered items and do no longer.
const LOST_HINT: Phrase = Phrase::new(
    "the server answered before: check its state, the key and its credit, then start again; \
     finished items are saved and the others wait",
    "전에는 답하던 서버입니다. 서버의 상태와 키, 잔액을 확인한 뒤 다시 시작하세요. 끝난 항목은 \
     저장되었고 나머지는 기다립니다",
);

pub struct RemoteLabeler {
    options: RemoteOptions,
    retry: RetryPolicy,
    http: Http,
    pool: ServerPool,
    conformance: RefCell<Conformance>,
    counts: RefCell<RemoteCounts>,
}

impl RemoteLabeler {
    /// # Errors
    /// With `--offline`, for an invalid URL, for a key that cannot be sent in a header, for an
    /// untrusted certificate, and without `--wait` if no server is reachable.
    pub fn new(options: RemoteOptions, retry: RetryPolicy) -> Result<Self> {
        let http = Http::new(&options, &retry)?;
        http.check_servers(options.wait)?;
        Ok(Self {
            pool: ServerPool::new(http.urls.clone(), options.concurrency, &retry),
            http,
            conformance: RefCell::new(Conformance::new()?),
            counts: RefCell::default(),
            options,
            retry,
        })
    }

    /// Labels one item, with retries.
    async fn label(&self, request: LabelRequest) -> LabelEvent {
        let ticket = request.ticket;
        match self.answer(&request).await {
            Ok(answer) => LabelEvent::Done {
                ticket,
                answer: Box::new(answer),
            },
            Err(detail) => LabelEvent::Failed { ticket, detail },
        }
    }

    async fn answer(&self, request: &LabelRequest) -> Result<Answer, FailureDetail> {
        let png = picture_url(request)?;
        let mut tries = Tries {
            labeler: self,
            request,
            broken: 0,
            queued: 0,
            reduced: None,
        };
        loop {
            let Some(lease) = self.pool.choose().await else {
                let servers = Vec::new();
                let none = FailureDetail::AllServersRefused { servers };
                return Err(self.pool.all_excluded().unwrap_or(none));
            };
            let endpoint = lease.endpoint;
            let agreement = tries.agreement(endpoint);
            let body = wire::request_body(&self.options.model, request, png.as_deref(), agreement);
            // Only the serialized body is kept in memory during the request.
            let body = body.to_string();
            let limits = self.retry.answer_limits(request.max_new_tokens);
            let reply = self.send(endpoint, body, agreement, limits).await;
            if matches!(reply, ServerReply::Answer(_)) {
                self.pool.labeled(&lease);
            }
            drop(lease);
            let pause = match tries.handle(endpoint, agreement, reply).await? {
                AfterReply::Done(answer) => return Ok(*answer),
                AfterReply::Retry { pause } => pause,
            };
            self.counts.borrow_mut().retries += 1;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Marks the tokens that the grammar forced, whose probabilities say nothing about the model.
    fn mark_forced(&self, request: &LabelRequest, answer: &mut Answer, agreement: ServerAgreement) {
        if answer.tokens.is_empty() || agreement.format == wire::SchemaFormat::Plain {
            return;
        }
        let reading = self
            .conformance
            .borrow_mut()
            .read(&request.schema, &answer.text);
        match reading {
            Ok(reading) => {
                answer.counts.forced = reading.mark_forced(&mut answer.tokens);
            }
            Err(error) => tracing::warn!(%error, "cannot check the answer against its schema"),
        }
    }

    /// Whether the answer contains the key, possibly JSON-escaped.
    fn repeats_key(&self, text: &str, parsed: Option<&Parsed>) -> bool {
        let contains = |text: &str| self.http.contains_key(text);
        let in_record = |parsed: &Parsed| {
            let mut values = Field::ALL
                .iter()
                .flat_map(|&field| parsed.labels.values(field));
            values.any(|value| contains(value))
        };
        contains(text) || parsed.is_some_and(in_record)
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        body: String,
        agreement: ServerAgreement,
        limits: AnswerLimits,
    ) -> ServerReply {
        {
            let mut counts = self.counts.borrow_mut();
            counts.requests += 1;
            counts.bytes_sent += body.len() as u64;
        }
        let start = Instant::now();
        let sent = self
            .http
            .client(&endpoint.url)
            .post(format!("{}/chat/completions", endpoint.url))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(self.retry.request_timeout)
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return ServerReply::Unreachable(describe_error(&error));
            }
            Err(error) => return ServerReply::Broken(describe_error(&error)),
        };
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name)?.to_str().ok();
        let after = header(reqwest::header::RETRY_AFTER).and_then(wire::retry_after);
        let redirect = redirect(&response);
        let on_slow = |bytes| self.pool.slow_answer(endpoint, bytes, start.elapsed());
        let bytes = match read_body(response, limits, on_slow).await {
            Ok(bytes) => bytes,
            Err(why) => return ServerReply::Broken(why),
        };
        self.counts.borrow_mut().bytes_received += bytes.len() as u64;
        match status {
            200..=299 => match read_answer(&bytes, start.elapsed()) {
                Ok(answer) => {
                    let mut counts = self.counts.borrow_mut();
                    counts.prompt_tokens += answer.counts.prompt as u64;
                    counts.new_tokens += answer.counts.generated as u64;
                    ServerReply::Answer(Box::new(answer))
                }
                Err(why) => ServerReply::Broken(why),
            },
            429 if !wire::is_out_of_credit(&bytes) => ServerReply::RateLimited { status, after },
            503 if after.is_some() => ServerReply::RateLimited { status, after },
            // Not 501: a retry cannot help if a feature is not implemented.
            408 | 409 | 500 | 502..=599 => ServerReply::Broken(ServerError::Status {
                status,
                message: wire::server_message(&String::from_utf8_lossy(&bytes)),
            }),
            300..=399 => ServerReply::Refused {
                status,
                why: redirect,
                refusal: RefusedFeature::Other,
            },
            _ => {
                let body = String::from_utf8_lossy(&bytes);
                ServerReply::Refused {
                    status,
                    why: ServerError::Answered {
                        status,
                        message: wire::server_message(&body),
                    },
                    refusal: wire::refusal(status, &body, agreement),
                }
            }
        }
    }

    /// Delay before a retry: doubles each time, with jitter between half and all of it, so that many
    /// requests are not repeated at the same moment.
    fn backoff(&self, retry: u32) -> Duration {
        let doubled = self
            .retry
            .backoff
            .saturating_mul(1 << retry.saturating_sub(1).min(16))
            .min(self.retry.max_backoff);
        doubled.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }
}

/// The picture of a request as a data URL.
fn picture_url(request: &LabelRequest) -> Result<Option<String>, FailureDetail> {
    let url = request.picture.as_deref().map(wire::data_url);
    url.transpose().map_err(|error| FailureDetail::ModelFailed {
        why: format!("cannot encode: {error}"),
    })
}

/// What comes after a server's reply to a request for an item.
enum AfterReply {
    Done(Box<Answer>),
    Retry { pause: Duration },
}

impl AfterReply {
    const RETRY_NOW: Self = Self::Retry {
        pause: Duration::ZERO,
    };
}

/// The tries of one item.
struct Tries<'a> {
    labeler: &'a RemoteLabeler,
    request: &'a LabelRequest,
    /// How many times a server has failed.
    broken: u32,
    /// How many times a server was too busy.
    queued: u32,
    /// The reduced agreement for this item, and its server.
    reduced: Option<(&'a Endpoint, ServerAgreement)>,
}

impl<'a> Tries<'a> {
    fn agreement(&self, endpoint: &Endpoint) -> ServerAgreement {
        self.reduced
            .filter(|(at, _)| std::ptr::eq(*at, endpoint))
            .map_or(endpoint.agreement(), |(_, reduced)| reduced)
    }

    /// Handles a reply to a request with this agreement.
    async fn handle(
        &mut self,
        endpoint: &'a Endpoint,
        agreement: ServerAgreement,
        reply: ServerReply,
    ) -> Result<AfterReply, FailureDetail> {
        let RemoteLabeler { pool, http, .. } = self.labeler;
        match reply {
            ServerReply::Answer(answer) => self.answered(endpoint, agreement, answer),
            ServerReply::Refused {
                status,
                why,
                refusal,
            } => {
                pool.answered(endpoint);
                if let Some(reduced) = pool.reduce_agreement(endpoint, agreement, refusal) {
                    self.reduced = Some((endpoint, reduced));
                    return Ok(AfterReply::RETRY_NOW);
                }
                let why = http.describe(&endpoint.url, why);
                let about_server = wire::is_about_server(status);
                match pool.is_item_error(endpoint, about_server, &why).await {
                    true => Err(FailureDetail::ServerRefused {
                        url: endpoint.url.clone(),
                        why,
                    }),
                    false => Ok(AfterReply::RETRY_NOW),
                }
            }
            ServerReply::RateLimited { status, after } => {
                pool.answered(endpoint);
                self.rate_limited(endpoint, status, after)
            }
            ServerReply::Unreachable(why) => {
                // Pauses the run and does not count as a failed try of the item.
                pool.record_unreachable(endpoint, &http.describe(&endpoint.url, why));
                Ok(AfterReply::RETRY_NOW)
            }
            ServerReply::Broken(why) => {
                let why = http.describe(&endpoint.url, why);
                self.failed(endpoint, why).await
            }
        }
    }

    /// Accepts an answer, unless another agreement may give a better one.
    fn answered(
        &mut self,
        endpoint: &'a Endpoint,
        agreement: ServerAgreement,
        mut answer: Box<Answer>,
    ) -> Result<AfterReply, FailureDetail> {
        let RemoteLabeler { pool, .. } = self.labeler;
        let parsed = crate::record::parse(&answer.text);
        if (self.labeler).repeats_key(&answer.text, parsed.as_ref().ok()) {
            let url = endpoint.url.clone();
            return Err(FailureDetail::ServerRepeatsKey { url });
        }
        let is_record = answer.truncated || parsed.is_ok();
        if !is_record
            && let Some(reduced) =
                pool.reduce_agreement(endpoint, agreement, RefusedFeature::Ignored)
        {
            self.reduced = Some((endpoint, reduced));
            return Ok(AfterReply::RETRY_NOW);
        }
        let with_logprobs = !answer.tokens.is_empty() || answer.text.is_empty();
        let is_complete = is_record && !answer.truncated;
        pool.record_answer(endpoint, agreement, is_complete, with_logprobs);
        self.labeler
            .mark_forced(self.request, &mut answer, agreement);
        Ok(AfterReply::Done(answer))
    }

    fn rate_limited(
        &mut self,
        endpoint: &Endpoint,
        status: u16,
        after: Option<RequestedPause>,
    ) -> Result<AfterReply, FailureDetail> {
        let RemoteLabeler { pool, retry, .. } = self.labeler;
        self.queued += 1;
        if self.queued > retry.max_rate_limited {
            return Err(FailureDetail::ServerBusy {
                url: endpoint.url.clone(),
                status,
                times: self.queued,
            });
        }
        pool.rate_limited(endpoint, status, self.queued, after);
        let after = after.map_or(Duration::ZERO, |pause| pause.wait);
        Ok(AfterReply::Retry {
            pause: after.max(self.labeler.backoff(self.queued)),
        })
    }

    async fn failed(
        &mut self,
        endpoint: &Endpoint,
        why: ServerError,
    ) -> Result<AfterReply, FailureDetail> {
        let RemoteLabeler { pool, retry, .. } = self.labeler;
        self.broken += 1;
        let is_excluded = pool
            .record_failure(endpoint, self.request.ticket, &why)
            .await;
        match is_excluded {
            true => Ok(AfterReply::RETRY_NOW),
            false if self.broken >= retry.tries => Err(FailureDetail::ServerFailed {
                url: endpoint.url.clone(),
                why,
                times: self.broken,
            }),
            false => Ok(AfterReply::Retry {
                pause: self.labeler.backoff(self.broken),
            }),
        }
    }
}

/// Describes where a response redirects to.
fn redirect(response: &reqwest::Response) -> ServerError {
    let Some(location) = response.headers().get(reqwest::header::LOCATION) else {
        return ServerError::RedirectsNowhere;
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let to = clean_text(&shortened(&location, MAX_LOCATION_CHARS));
    let from = response.url();
    match from.join(&location) {
        Ok(target) if http::is_same_host(from, &target) => ServerError::RedirectsInCircle { to },
        _ => ServerError::Redirects { to },
    }
}

enum ServerReply {
    Answer(Box<Answer>),
    /// A retry helps only with a reduced agreement.
    Refused {
        status: u16,
        why: ServerError,
        refusal: RefusedFeature,
    },
    RateLimited {
        status: u16,
        after: Option<RequestedPause>,
    },
    Broken(ServerError),
    /// Cannot connect.
    Unreachable(ServerError),
}

/// Last reported state of the servers.
#[derive(PartialEq)]
struct ReportedState {
    agreed: String,
    waiting: bool,
    counts: RemoteCounts,
}

impl RemoteLabeler {
    /// What to do about servers that are all excluded.
    fn excluded_hint(&self, refused: &FailureDetail) -> Phrase {
        match refused {
            _ if self.pool.has_answered() => LOST_HINT,
            FailureDetail::AllServersRefused { servers }
                if servers.iter().all(|(_, why)| why.is_refusal()) =>
            {
                REFUSED_HINT
            }
            _ => UNUSABLE_HINT,
        }
    }

    fn report(&self, reported: &mut ReportedState, jobs: &mut dyn Jobs) {
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

    fn state(&self) -> ReportedState {
        ReportedState {
            agreed: self.pool.agreement_summary(),
            waiting: self.pool.all_unavailable(),
            counts: *self.counts.borrow(),
        }
    }
}

impl Labeler for RemoteLabeler {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.options.model.clone(),
            device: self.options.endpoints.join(", "),
            detail: self.pool.agreement_summary(),
            slots: self.options.concurrency,
            memory: None,
        }
    }

    fn run(&mut self, jobs: &mut dyn Jobs) -> Result<()> {
        let this = &*self;
        let mut in_flight = FuturesUnordered::new();
        let watch = this
            .pool
            .watch(this.retry.max_backoff, |url| this.http.answers(url));
        tokio::pin!(watch);
        let mut open = true;
        let mut reported = this.state();
        jobs.push(LabelEvent::Counts(reported.counts));
        for notice in this.http.notices() {
            jobs.push(LabelEvent::Notice(notice));
        }
        loop {
            let room = this.pool.room();
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
            if let Some(refused) = this.pool.all_excluded() {
                let hint = this.excluded_hint(&refused);
                return Err(refused.into_error().with_said_hint(hint));
            }
            if let Some(event) = event {
                jobs.push(event);
            }
        }
    }
}
