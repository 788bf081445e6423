//! Tracks the servers of a run: load, availability, and the features that each supports.

use super::wire::{Agreement, Format, Refusal};
use crate::labeler::ServerNotice;
use crate::record::{FailureDetail, ServerFault};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Consecutive failed requests after which a server is unavailable until a probe succeeds.
const MAX_FAILURES: u32 = 3;
/// Refused items after which a server that has never answered is excluded.
const REFUSALS_TO_EXCLUDE: u32 = 8;
/// Longer requested pauses are reported to the user.
const LONG_WAIT: Duration = Duration::from_secs(30);

pub struct Endpoint {
    /// Base URL without a trailing slash, for example `http://host:8000/v1`.
    pub url: String,
    in_flight: Cell<usize>,
    failures: Cell<u32>,
    unavailable: Cell<bool>,
    agreement: Cell<Agreement>,
    /// Has answered with the schema that it was sent, so it supports schemas.
    takes_format: Cell<bool>,
    /// Has answered an item.
    has_answered: Cell<bool>,
    /// Items refused before the first answer.
    refusals: Cell<u32>,
    /// Gets no requests until it is known whether it refuses everything.
    is_suspect: Cell<bool>,
    /// Why it is excluded for good.
    excluded: RefCell<Option<ServerFault>>,
    /// End of the last reported pause.
    reported_wait: Cell<Option<Instant>>,
}

/// All servers of a run. Used on one thread only.
pub struct Pool {
    endpoints: Vec<Endpoint>,
    /// Wakes the prober.
    became_unavailable: Notify,
    /// Wakes waiting requests.
    recovered: Notify,
    /// Notified when a request has ended.
    ended: Notify,
    /// Delay before the first probe.
    first_wait: Duration,
    /// Delay before the next probe; grows until a request is answered.
    wait: Cell<Duration>,
    notices: RefCell<Vec<ServerNotice>>,
    is_without_logprobs: Cell<bool>,
}

/// Counts a request as in flight until it is dropped, even if the request is abandoned.
pub struct Lease<'a> {
    pub endpoint: &'a Endpoint,
    ended: &'a Notify,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let in_flight = &self.endpoint.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
        self.ended.notify_waiters();
    }
}

impl Endpoint {
    fn new(url: String) -> Self {
        Self {
            url,
            in_flight: Cell::new(0),
            failures: Cell::new(0),
            unavailable: Cell::new(false),
            agreement: Cell::new(Agreement::default()),
            takes_format: Cell::new(false),
            has_answered: Cell::new(false),
            refusals: Cell::new(0),
            is_suspect: Cell::new(false),
            excluded: RefCell::default(),
            reported_wait: Cell::new(None),
        }
    }

    pub fn agreement(&self) -> Agreement {
        self.agreement.get()
    }

    /// Whether it is unavailable but may recover.
    fn may_recover(&self) -> bool {
        self.unavailable.get() && !self.is_excluded()
    }

    fn is_excluded(&self) -> bool {
        self.excluded.borrow().is_some()
    }
}

impl Pool {
    /// `urls` have no trailing slash.
    pub fn new(urls: Vec<String>, first_wait: Duration) -> Self {
        Self {
            endpoints: urls.into_iter().map(Endpoint::new).collect(),
            became_unavailable: Notify::new(),
            recovered: Notify::new(),
            ended: Notify::new(),
            first_wait,
            wait: Cell::new(first_wait),
            notices: RefCell::default(),
            is_without_logprobs: Cell::new(false),
        }
    }

    /// Chooses the least busy available server; waits if there is none. `None` if all are excluded.
    pub async fn choose(&self) -> Option<Lease<'_>> {
        loop {
            let recovered = self.recovered.notified();
            if self.endpoints.iter().all(Endpoint::is_excluded) {
                return None;
            }
            let best = self
                .endpoints
                .iter()
                .filter(|endpoint| !endpoint.unavailable.get() && !endpoint.is_suspect.get())
                .min_by_key(|endpoint| endpoint.in_flight.get());
            if let Some(endpoint) = best {
                endpoint.in_flight.set(endpoint.in_flight.get() + 1);
                let ended = &self.ended;
                return Some(Lease { endpoint, ended });
            }
            recovered.await;
        }
    }

    /// Whether a refusal is about the item. A server that has not answered yet may refuse everything,
    /// and is excluded after several refusals. With `about_server` one refusal is enough, unless a
    /// request still in flight is answered.
    pub async fn is_item_error(
        &self,
        endpoint: &Endpoint,
        about_server: bool,
        why: &ServerFault,
    ) -> bool {
        if endpoint.has_answered.get() {
            return true;
        }
        endpoint.refusals.set(endpoint.refusals.get() + 1);
        if about_server {
            endpoint.is_suspect.set(true);
            loop {
                let ended = self.ended.notified();
                if endpoint.has_answered.get() {
                    return true;
                }
                if endpoint.in_flight.get() == 0 {
                    break;
                }
                ended.await;
            }
        } else if endpoint.refusals.get() < REFUSALS_TO_EXCLUDE {
            return true;
        }
        self.exclude(endpoint, why);
        false
    }

    /// Excludes a server for good.
    fn exclude(&self, endpoint: &Endpoint, why: &ServerFault) {
        let is_known = endpoint
            .excluded
            .borrow_mut()
            .replace(why.clone())
            .is_some();
        endpoint.unavailable.set(true);
        let others = self.endpoints.iter().filter(|other| !other.is_excluded());
        let others = others.count();
        if !is_known && others > 0 {
            self.report(ServerNotice::Excluded {
                url: endpoint.url.clone(),
                why: why.clone(),
                others,
            });
        }
        self.recovered.notify_waiters();
    }

    /// The reasons why all servers are excluded; `None` if one is left.
    pub fn all_excluded(&self) -> Option<FailureDetail> {
        let reason = |endpoint: &Endpoint| {
            let why = endpoint.excluded.borrow().clone()?;
            Some((endpoint.url.clone(), why))
        };
        let servers: Option<Vec<_>> = self.endpoints.iter().map(reason).collect();
        servers.map(|servers| FailureDetail::AllServersRefused { servers })
    }

    /// Records that a server has answered an item.
    pub fn labeled(&self, endpoint: &Endpoint) {
        endpoint.has_answered.set(true);
        if endpoint.is_suspect.replace(false) {
            self.recovered.notify_waiters();
        }
    }

    /// Records that a server requested a pause.
    pub fn asked_to_wait(&self, endpoint: &Endpoint, wait: Duration) {
        let now = Instant::now();
        let is_reported = endpoint
            .reported_wait
            .get()
            .is_some_and(|until| until > now);
        if wait > LONG_WAIT && !is_reported {
            endpoint.reported_wait.set(now.checked_add(wait));
            self.report(ServerNotice::RetryLater {
                url: endpoint.url.clone(),
                wait,
            });
        }
    }

    /// Records that a server has responded, if only with a refusal.
    pub fn answered(&self, endpoint: &Endpoint) {
        endpoint.failures.set(0);
        self.wait.set(self.first_wait);
    }

    /// Counts a failed request. After several in a row the server is unavailable.
    pub fn record_failure(&self, endpoint: &Endpoint, why: &ServerFault) {
        let failures = endpoint.failures.get() + 1;
        endpoint.failures.set(failures);
        if failures >= MAX_FAILURES {
            self.mark_unavailable(endpoint, why, true);
        }
    }

    /// Records that a server cannot be reached.
    pub fn record_unreachable(&self, endpoint: &Endpoint, why: &ServerFault) {
        self.mark_unavailable(endpoint, why, false);
    }

    /// Sends no requests to a server until a probe succeeds.
    fn mark_unavailable(&self, endpoint: &Endpoint, why: &ServerFault, responds: bool) {
        if endpoint.unavailable.replace(true) {
            return;
        }
        let others = self
            .endpoints
            .iter()
            .filter(|other| !other.unavailable.get());
        self.report(ServerNotice::Unavailable {
            url: endpoint.url.clone(),
            why: why.clone(),
            responds,
            others: others.count(),
        });
        self.became_unavailable.notify_one();
    }

    pub fn all_unavailable(&self) -> bool {
        self.endpoints
            .iter()
            .all(|endpoint| endpoint.unavailable.get())
    }

    fn recover(&self, endpoint: &Endpoint) {
        endpoint.unavailable.set(false);
        // On trial: the next failed request makes it unavailable again.
        endpoint.failures.set(MAX_FAILURES - 1);
        let url = endpoint.url.clone();
        self.report(ServerNotice::Recovered { url });
        self.recovered.notify_waiters();
    }

    /// Probes unavailable servers for the duration of the run. `probe` returns whether one responds.
    pub async fn watch<F: Future<Output = bool>>(
        &self,
        longest_wait: Duration,
        probe: impl Fn(String) -> F,
    ) {
        loop {
            let notified = self.became_unavailable.notified();
            if !self.endpoints.iter().any(Endpoint::may_recover) {
                notified.await;
            }
            let wait = self.wait.get();
            self.wait.set((wait * 2).min(longest_wait));
            tokio::time::sleep(wait).await;
            for endpoint in self
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.may_recover())
            {
                if probe(endpoint.url.clone()).await {
                    self.recover(endpoint);
                }
            }
        }
    }

    /// Records an answer to a request under the agreement `sent`.
    pub fn record_answer(
        &self,
        endpoint: &Endpoint,
        sent: Agreement,
        is_complete: bool,
        with_logprobs: bool,
    ) {
        if is_complete && sent.format != Format::Plain && sent == endpoint.agreement.get() {
            endpoint.takes_format.set(true);
        }
        if sent.logprobs && !with_logprobs {
            self.report_without_logprobs(&endpoint.url);
        }
    }

    /// Returns a reduced agreement for an item whose request was refused; `None` if nothing can be
    /// dropped. All later requests to the server use it too, unless the server only fails to support
    /// this item's schema.
    pub fn reduce_agreement(
        &self,
        endpoint: &Endpoint,
        sent: Agreement,
        refused: Refusal,
    ) -> Option<Agreement> {
        // A request sent before the last reduction says nothing about the current agreement.
        let current = sent == endpoint.agreement.get();
        let known = current && refused != Refusal::Logprobs && endpoint.takes_format.get();
        if known && refused == Refusal::Ignored {
            return None;
        }
        let reduced = sent.without(refused)?;
        if current && !known {
            endpoint.agreement.set(reduced);
            let (from, to) = (sent.format.name(), reduced.format.name());
            let url = endpoint.url.clone();
            match refused {
                Refusal::Format => self.report(ServerNotice::SchemaRefused { url, from, to }),
                Refusal::Ignored => self.report(ServerNotice::SchemaIgnored { url, from, to }),
                Refusal::Logprobs => self.report_without_logprobs(&url),
                Refusal::Other => {}
            }
        }
        Some(reduced)
    }

    /// Reports missing probabilities once per run.
    fn report_without_logprobs(&self, url: &str) {
        if !self.is_without_logprobs.replace(true) {
            let url = url.to_owned();
            self.report(ServerNotice::NoProbabilities { url });
        }
    }

    fn report(&self, notice: ServerNotice) {
        self.notices.borrow_mut().push(notice);
    }

    pub fn take_notices(&self) -> Vec<ServerNotice> {
        self.notices.take()
    }

    /// Describes the agreements for the user: the formats in use, and whether probabilities are
    /// missing.
    pub fn agreement_summary(&self) -> String {
        let mut formats: Vec<Format> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.agreement.get().format)
            .collect();
        formats.sort_unstable();
        formats.dedup();
        let mut names: Vec<_> = formats.into_iter().map(Format::name).collect();
        if self.is_without_logprobs.get() {
            names.push("no probabilities");
        }
        names.join(", ")
    }
}
