//! Tracks the servers of a run: load, availability, and the features that each supports.

use super::http::RetryPolicy;
use super::wire::{RefusedFeature, SchemaFormat, ServerAgreement};
use crate::labeler::{RequestedPause, ServerNotice};
use crate::record::{FailureDetail, ServerError};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Consecutive failed requests after which a server is unavailable until it answers on trial.
const MAX_FAILURES: u32 = 3;
/// Different items without a usable answer after which the server is the cause. Neighbors in the
/// source may fail alike, as recolors of one icon do, but hardly five of them; and five are fewer
/// than the requests in flight by default, so one round of them decides.
pub const ITEMS_TO_EXCLUDE: usize = 5;
/// Refused items after which a server that has never answered is excluded.
const REFUSALS_AT_START: u32 = 8;
/// Consecutive refusals about the key, the credit, the URL or the model that exclude a server.
const SERVER_REFUSALS_IN_A_ROW: u32 = 5;
/// Consecutive other refusals that exclude a server; similar items may be refused one after another.
const REFUSALS_IN_A_ROW: u32 = 32;
/// Longer requested pauses are reported to the user.
const LONG_WAIT: Duration = Duration::from_secs(30);
/// Rate-limited requests of one item before the first report. Each report doubles it, so a server
/// that is busy again and again is not reported each time.
const BUSY_TO_REPORT: u32 = 4;

/// Interruptions of a server that are reported to the user; later ones are logged.
const REPORTED_INTERRUPTIONS: u32 = 10;

/// The next request to an unavailable server, which decides whether it is available again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    /// A probe has to succeed first.
    Closed,
    Open,
    Running,
}

pub struct Endpoint {
    /// Base URL without a trailing slash, for example `http://host:8000/v1`.
    pub url: String,
    in_flight: Cell<usize>,
    failures: Cell<u32>,
    unavailable: Cell<bool>,
    /// Unavailable, although it responds.
    responds: Cell<bool>,
    trial: Cell<Trial>,
    agreement: Cell<ServerAgreement>,
    /// Has answered with the schema that it was sent, so it supports schemas.
    takes_format: Cell<bool>,
    /// Number of answered items.
    answers: Cell<u64>,
    /// Items refused since the last answer.
    refusals: Cell<u32>,
    /// Some of the items without a usable answer since the last one.
    unanswered: RefCell<BTreeSet<u64>>,
    /// Time of the first failure since the last usable answer.
    failing_since: Cell<Option<Instant>>,
    /// Gets no requests until it is known whether those in flight are answered.
    is_suspect: Cell<bool>,
    /// Why it is excluded for good.
    excluded: RefCell<Option<ServerError>>,
    /// Rate-limited requests since the last answer.
    busy: Cell<u32>,
    /// Rate-limited requests of one item before the next report.
    busy_to_report: Cell<u32>,
    /// Reported as busy since the last answer.
    is_reported_busy: Cell<bool>,
    /// End of the last reported pause.
    reported_wait: Cell<Option<Instant>>,
    is_reported_slow: Cell<bool>,
    /// How often it became unavailable.
    interruptions: Cell<u32>,
}

/// All servers of a run. Used on one thread only.
pub struct ServerPool {
    endpoints: Vec<Endpoint>,
    /// Maximum number of requests in flight.
    concurrency: usize,
    /// Wakes the prober.
    became_unavailable: Notify,
    /// Ends a delay of the prober.
    recovered: Notify,
    /// Notified when a request has ended or a server has become available or excluded.
    changed: Notify,
    /// Delay before the first probe.
    first_wait: Duration,
    /// Delay before the next probe; grows until an item is answered.
    wait: Cell<Duration>,
    /// How long a server may respond without a usable answer.
    patience: Duration,
    notices: RefCell<Vec<ServerNotice>>,
    is_without_logprobs: Cell<bool>,
}

/// Counts a request as in flight until it is dropped, even if the request is abandoned.
pub struct ServerLease<'a> {
    pub endpoint: &'a Endpoint,
    is_trial: bool,
    changed: &'a Notify,
}

impl Drop for ServerLease<'_> {
    fn drop(&mut self) {
        let in_flight = &self.endpoint.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
        if self.is_trial {
            self.endpoint.trial.set(Trial::Closed);
        }
        self.changed.notify_waiters();
    }
}

impl Endpoint {
    fn new(url: String) -> Self {
        Self {
            url,
            in_flight: Cell::new(0),
            failures: Cell::new(0),
            unavailable: Cell::new(false),
            responds: Cell::new(true),
            trial: Cell::new(Trial::Closed),
            agreement: Cell::new(ServerAgreement::default()),
            takes_format: Cell::new(false),
            answers: Cell::new(0),
            refusals: Cell::new(0),
            unanswered: RefCell::default(),
            failing_since: Cell::new(None),
            is_suspect: Cell::new(false),
            excluded: RefCell::default(),
            busy: Cell::new(0),
            busy_to_report: Cell::new(BUSY_TO_REPORT),
            is_reported_busy: Cell::new(false),
            reported_wait: Cell::new(None),
            is_reported_slow: Cell::new(false),
            interruptions: Cell::new(0),
        }
    }

    pub fn agreement(&self) -> ServerAgreement {
        self.agreement.get()
    }

    /// Whether it is unavailable but may recover.
    fn may_recover(&self) -> bool {
        self.unavailable.get() && !self.is_excluded()
    }

    fn is_excluded(&self) -> bool {
        self.excluded.borrow().is_some()
    }

    fn takes_requests(&self) -> bool {
        let is_available = !self.unavailable.get() || self.trial.get() == Trial::Open;
        is_available && !self.is_suspect.get() && !self.is_excluded()
    }
}

impl ServerPool {
    /// `urls` have no trailing slash.
    pub fn new(urls: Vec<String>, concurrency: usize, retry: &RetryPolicy) -> Self {
        Self {
            endpoints: urls.into_iter().map(Endpoint::new).collect(),
            concurrency: concurrency.max(1),
            became_unavailable: Notify::new(),
            recovered: Notify::new(),
            changed: Notify::new(),
            first_wait: retry.backoff,
            wait: Cell::new(retry.backoff),
            patience: retry.patience,
            notices: RefCell::default(),
            is_without_logprobs: Cell::new(false),
        }
    }

    /// Number of items to have in flight. While no server is available, more items would only wait,
    /// but a server that responds is tried with different ones.
    pub fn room(&self) -> usize {
        let mut unavailable = self.endpoints.iter().filter(|each| each.may_recover());
        match self.all_unavailable() {
            false => self.concurrency,
            true if unavailable.any(|each| each.responds.get()) => ITEMS_TO_EXCLUDE,
            true => 1,
        }
    }

    /// Chooses the least busy available server; waits if there is none. `None` if all are excluded.
    pub async fn choose(&self) -> Option<ServerLease<'_>> {
        loop {
            let changed = self.changed.notified();
            if self.endpoints.iter().all(Endpoint::is_excluded) {
                return None;
            }
            let in_flight: usize = self.endpoints.iter().map(|each| each.in_flight.get()).sum();
            let best = self
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.takes_requests())
                .min_by_key(|endpoint| endpoint.in_flight.get());
            if let Some(endpoint) = best
                && in_flight < self.concurrency
            {
                endpoint.in_flight.set(endpoint.in_flight.get() + 1);
                let is_trial = endpoint.unavailable.get();
                if is_trial {
                    endpoint.trial.set(Trial::Running);
                }
                return Some(ServerLease {
                    endpoint,
                    is_trial,
                    changed: &self.changed,
                });
            }
            changed.await;
        }
    }

    /// Whether a refusal is about the item. After several in a row without an answer it is about the
    /// server, which is excluded. Before the first answer one refusal `about_server` is enough.
    pub async fn is_item_error(
        &self,
        endpoint: &Endpoint,
        about_server: bool,
        why: &ServerError,
    ) -> bool {
        let refusals = endpoint.refusals.get() + 1;
        endpoint.refusals.set(refusals);
        let limit = match (about_server, endpoint.answers.get()) {
            (true, 0) => 1,
            (false, 0) => REFUSALS_AT_START,
            (true, _) => SERVER_REFUSALS_IN_A_ROW,
            (false, _) => REFUSALS_IN_A_ROW,
        };
        refusals < limit || !self.give_up(endpoint, why).await
    }

    /// Excludes a server for good, unless a request still in flight is answered.
    async fn give_up(&self, endpoint: &Endpoint, why: &ServerError) -> bool {
        endpoint.is_suspect.set(true);
        let answers = endpoint.answers.get();
        loop {
            let changed = self.changed.notified();
            if endpoint.answers.get() > answers {
                return false;
            }
            if endpoint.in_flight.get() == 0 {
                break;
            }
            changed.await;
        }
        self.exclude(endpoint, why);
        true
    }

    fn exclude(&self, endpoint: &Endpoint, why: &ServerError) {
        if endpoint.is_excluded() {
            return;
        }
        endpoint.excluded.replace(Some(why.clone()));
        endpoint.unavailable.set(true);
        let others = self.endpoints.iter().filter(|other| !other.is_excluded());
        let others = others.count();
        if others > 0 {
            self.report(ServerNotice::Excluded {
                url: endpoint.url.clone(),
                why: why.clone(),
                others,
            });
        }
        self.changed.notify_waiters();
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

    /// Whether any server has answered an item.
    pub fn has_answered(&self) -> bool {
        self.endpoints.iter().any(|each| each.answers.get() > 0)
    }

    /// Records that a server has answered an item. On trial it is available again.
    pub fn labeled(&self, lease: &ServerLease) {
        let endpoint = lease.endpoint;
        endpoint.answers.set(endpoint.answers.get() + 1);
        endpoint.failures.set(0);
        endpoint.refusals.set(0);
        endpoint.unanswered.borrow_mut().clear();
        endpoint.failing_since.set(None);
        endpoint.busy.set(0);
        self.wait.set(self.first_wait);
        let url = || endpoint.url.clone();
        if endpoint.is_reported_busy.replace(false) {
            self.report(ServerNotice::NoLongerBusy { url: url() });
        }
        if lease.is_trial && endpoint.may_recover() {
            endpoint.unavailable.set(false);
            // The next failed request makes it unavailable again.
            endpoint.failures.set(MAX_FAILURES - 1);
            let interruptions = endpoint.interruptions.get();
            if interruptions <= REPORTED_INTERRUPTIONS {
                let is_last = interruptions == REPORTED_INTERRUPTIONS;
                self.report(ServerNotice::Recovered {
                    url: url(),
                    is_last,
                });
            }
            self.recovered.notify_one();
        }
        endpoint.is_suspect.set(false);
        self.changed.notify_waiters();
    }

    /// Records that a server was too busy for an item, for the `times`th time, and the pause that it
    /// requested.
    pub fn rate_limited(
        &self,
        endpoint: &Endpoint,
        status: u16,
        times: u32,
        pause: Option<RequestedPause>,
    ) {
        let busy = endpoint.busy.get() + 1;
        endpoint.busy.set(busy);
        let now = Instant::now();
        let is_known = endpoint
            .reported_wait
            .get()
            .is_some_and(|until| until > now);
        let url = endpoint.url.clone();
        if let Some(pause) = pause.filter(|pause| pause.wait > LONG_WAIT) {
            if !is_known {
                endpoint.reported_wait.set(now.checked_add(pause.wait));
                endpoint.is_reported_busy.set(true);
                self.report(ServerNotice::RetryLater { url, pause });
            }
            return;
        }
        let limit = endpoint.busy_to_report.get();
        if times >= limit && busy >= limit && !endpoint.is_reported_busy.replace(true) {
            endpoint.busy_to_report.set(limit.saturating_mul(2));
            self.report(ServerNotice::Busy {
                url,
                status,
                times: busy,
            });
        }
    }

    /// Records that an answer is slow. It is reported once per server.
    pub fn slow_answer(&self, endpoint: &Endpoint, bytes: usize, elapsed: Duration) {
        if !endpoint.is_reported_slow.replace(true) {
            let url = endpoint.url.clone();
            self.report(ServerNotice::SlowAnswer {
                url,
                bytes,
                elapsed,
            });
        }
    }

    /// Records that a server has responded, if only with a refusal.
    pub fn answered(&self, endpoint: &Endpoint) {
        endpoint.failures.set(0);
    }

    /// Counts a failed request of an item; returns whether the server is excluded. After several
    /// failures in a row the server is unavailable. It is excluded if no item gets a usable answer: at
    /// the start after different items, later and for an error that may pass after some time.
    pub async fn record_failure(&self, endpoint: &Endpoint, item: u64, why: &ServerError) -> bool {
        let failures = endpoint.failures.get() + 1;
        endpoint.failures.set(failures);
        if failures >= MAX_FAILURES {
            self.mark_unavailable(endpoint, why, true);
        }
        let items = {
            let mut unanswered = endpoint.unanswered.borrow_mut();
            if unanswered.len() < ITEMS_TO_EXCLUDE {
                unanswered.insert(item);
            }
            unanswered.len()
        };
        let now = Instant::now();
        let since = endpoint.failing_since.get().unwrap_or(now);
        endpoint.failing_since.set(Some(since));
        let is_over = match endpoint.answers.get() == 0 && !why.may_pass() {
            true => true,
            false => now.duration_since(since) >= self.patience,
        };
        items >= ITEMS_TO_EXCLUDE && is_over && self.give_up(endpoint, why).await
    }

    /// Records that a server cannot be reached.
    pub fn record_unreachable(&self, endpoint: &Endpoint, why: &ServerError) {
        self.mark_unavailable(endpoint, why, false);
    }

    /// Sends no requests to a server until a probe succeeds, and then one until an item is answered.
    fn mark_unavailable(&self, endpoint: &Endpoint, why: &ServerError, responds: bool) {
        endpoint.responds.set(responds);
        if endpoint.unavailable.replace(true) {
            return;
        }
        let others = self
            .endpoints
            .iter()
            .filter(|other| !other.unavailable.get());
        let notice = ServerNotice::Unavailable {
            url: endpoint.url.clone(),
            why: why.clone(),
            responds,
            others: others.count(),
        };
        endpoint.interruptions.set(endpoint.interruptions.get() + 1);
        match endpoint.interruptions.get() <= REPORTED_INTERRUPTIONS {
            true => self.report(notice),
            false => tracing::warn!(?notice, "server"),
        }
        self.became_unavailable.notify_one();
    }

    pub fn all_unavailable(&self) -> bool {
        self.endpoints
            .iter()
            .all(|endpoint| endpoint.unavailable.get())
    }

    /// Probes unavailable servers for the duration of the run, and opens one that responds for a
    /// trial. `probe` returns whether one responds.
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
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.recovered.notified() => continue,
            }
            for endpoint in &self.endpoints {
                let is_waiting = endpoint.may_recover() && endpoint.trial.get() == Trial::Closed;
                if is_waiting && probe(endpoint.url.clone()).await {
                    endpoint.responds.set(true);
                    endpoint.trial.set(Trial::Open);
                    self.changed.notify_waiters();
                }
            }
        }
    }

    /// Records an answer to a request under the agreement `sent`.
    pub fn record_answer(
        &self,
        endpoint: &Endpoint,
        sent: ServerAgreement,
        is_complete: bool,
        with_logprobs: bool,
    ) {
        if is_complete && sent.format != SchemaFormat::Plain && sent == endpoint.agreement.get() {
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
        sent: ServerAgreement,
        refused: RefusedFeature,
    ) -> Option<ServerAgreement> {
        // A request sent before the last reduction says nothing about the current agreement.
        let current = sent == endpoint.agreement.get();
        let known = current && refused != RefusedFeature::Logprobs && endpoint.takes_format.get();
        if known && refused == RefusedFeature::Ignored {
            return None;
        }
        let reduced = sent.without(refused)?;
        if current && !known {
            endpoint.agreement.set(reduced);
            let (from, to) = (sent.format.name(), reduced.format.name());
            let url = endpoint.url.clone();
            match refused {
                RefusedFeature::Format => {
                    self.report(ServerNotice::SchemaRefused { url, from, to })
                }
                RefusedFeature::Ignored => {
                    self.report(ServerNotice::SchemaIgnored { url, from, to })
                }
                RefusedFeature::Logprobs => self.report_without_logprobs(&url),
                RefusedFeature::Other => {}
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
        let mut formats: Vec<SchemaFormat> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.agreement.get().format)
            .collect();
        formats.sort_unstable();
        formats.dedup();
        let mut names: Vec<_> = formats.into_iter().map(SchemaFormat::name).collect();
        if self.is_without_logprobs.get() {
            names.push("no probabilities");
        }
        names.join(", ")
    }
}
