//! Keeps track of the servers of a run: the least busy one, those left out, and what each
//! agreed to.

use super::wire::{Agreement, Format, Refusal};
use crate::labeler::ServerNotice;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Broken answers in a row after which a server is left out until a probe succeeds.
const FAILURES_TO_LEAVE_OUT: u32 = 3;
/// A server that refuses so many items and has never answered one refuses all.
const REFUSALS_TO_BAR: u32 = 8;
/// A longer wait that a server asks for is told.
const LONG_WAIT: Duration = Duration::from_secs(30);

pub struct Endpoint {
    /// Ends in the API's version, without a slash, for example `http://host:8000/v1`.
    pub url: String,
    in_flight: Cell<usize>,
    failures: Cell<u32>,
    out: Cell<bool>,
    agreement: Cell<Agreement>,
    /// It has answered under the schema that it was sent, so it supports schemas.
    takes_format: Cell<bool>,
    /// It has answered an item.
    has_answered: Cell<bool>,
    /// Items that it has refused before it answered one.
    refusals: Cell<u32>,
    /// It is asked nothing more until it is known whether it refuses everything.
    is_suspect: Cell<bool>,
    /// Why it is left out for good.
    barred: RefCell<Option<String>>,
    /// Until when it has been told that it wants to be left alone.
    told_wait: Cell<Option<Instant>>,
}

/// All servers of a run; lives on one thread.
pub struct Pool {
    endpoints: Vec<Endpoint>,
    /// Woken when a server went out (the prober waits) or came back (requests wait).
    went_out: Notify,
    came_back: Notify,
    /// Woken when a request has ended.
    ended: Notify,
    /// First wait before a probe, and the next one; it grows until a request is answered.
    first_wait: Duration,
    wait: Cell<Duration>,
    notices: RefCell<Vec<ServerNotice>>,
    is_without_logprobs: Cell<bool>,
}

/// Counts a request as in flight until it is dropped, also when the request is abandoned.
pub struct Turn<'a> {
    pub endpoint: &'a Endpoint,
    ended: &'a Notify,
}

impl Drop for Turn<'_> {
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
            out: Cell::new(false),
            agreement: Cell::new(Agreement::default()),
            takes_format: Cell::new(false),
            has_answered: Cell::new(false),
            refusals: Cell::new(0),
            is_suspect: Cell::new(false),
            barred: RefCell::default(),
            told_wait: Cell::new(None),
        }
    }

    pub fn agreement(&self) -> Agreement {
        self.agreement.get()
    }

    /// It may come back.
    fn is_away(&self) -> bool {
        self.out.get() && !self.is_barred()
    }

    fn is_barred(&self) -> bool {
        self.barred.borrow().is_some()
    }
}

impl Pool {
    /// `urls` without a slash at their end.
    pub fn new(urls: Vec<String>, first_wait: Duration) -> Self {
        Self {
            endpoints: urls.into_iter().map(Endpoint::new).collect(),
            went_out: Notify::new(),
            came_back: Notify::new(),
            ended: Notify::new(),
            first_wait,
            wait: Cell::new(first_wait),
            notices: RefCell::default(),
            is_without_logprobs: Cell::new(false),
        }
    }

    /// The least busy server that answers; waits while there is none. `None` where all are barred.
    pub async fn choose(&self) -> Option<Turn<'_>> {
        loop {
            let back = self.came_back.notified();
            if self.endpoints.iter().all(Endpoint::is_barred) {
                return None;
            }
            let best = self
                .endpoints
                .iter()
                .filter(|endpoint| !endpoint.out.get() && !endpoint.is_suspect.get())
                .min_by_key(|endpoint| endpoint.in_flight.get());
            if let Some(endpoint) = best {
                endpoint.in_flight.set(endpoint.in_flight.get() + 1);
                let ended = &self.ended;
                return Some(Turn { endpoint, ended });
            }
            back.await;
        }
    }

    /// Whether a refusal is the item's: a server that has answered none yet may refuse them all.
    /// `about_server`: no item is to blame for such a refusal, so that it counts at once, if
    /// nothing that is still in flight there is answered.
    pub async fn is_items_own(&self, endpoint: &Endpoint, about_server: bool, why: &str) -> bool {
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
        } else if endpoint.refusals.get() < REFUSALS_TO_BAR {
            return true;
        }
        self.bar(endpoint, why);
        false
    }

    /// Leaves a server out for good.
    fn bar(&self, endpoint: &Endpoint, why: &str) {
        let is_known = endpoint
            .barred
            .borrow_mut()
            .replace(why.to_owned())
            .is_some();
        endpoint.out.set(true);
        let others = self.endpoints.iter().filter(|other| !other.is_barred());
        let others = others.count();
        if !is_known && others > 0 {
            self.report(ServerNotice::Barred {
                url: endpoint.url.clone(),
                why: why.to_owned(),
                others,
            });
        }
        self.came_back.notify_waiters();
    }

    /// Why no server is left; `None` while one is.
    pub fn all_barred(&self) -> Option<String> {
        let reason = |endpoint: &Endpoint| {
            let barred = endpoint.barred.borrow();
            barred.as_ref().map(|why| format!("{} {why}", endpoint.url))
        };
        let reasons: Option<Vec<String>> = self.endpoints.iter().map(reason).collect();
        reasons.map(|reasons| reasons.join("; "))
    }

    /// Notes that a server has answered an item.
    pub fn labeled(&self, endpoint: &Endpoint) {
        endpoint.has_answered.set(true);
        if endpoint.is_suspect.replace(false) {
            self.came_back.notify_waiters();
        }
    }

    /// Notes that a server asks to be left alone for a while.
    pub fn asked_to_wait(&self, endpoint: &Endpoint, wait: Duration) {
        let now = Instant::now();
        let is_told = endpoint.told_wait.get().is_some_and(|until| until > now);
        if wait > LONG_WAIT && !is_told {
            endpoint.told_wait.set(now.checked_add(wait));
            self.report(ServerNotice::AsksToWait {
                url: endpoint.url.clone(),
                wait,
            });
        }
    }

    /// Notes that a server has answered, if only with a refusal.
    pub fn answered(&self, endpoint: &Endpoint) {
        endpoint.failures.set(0);
        self.wait.set(self.first_wait);
    }

    /// Counts a broken answer; after some in a row the server is left out.
    pub fn broke(&self, endpoint: &Endpoint, why: &str) {
        let failures = endpoint.failures.get() + 1;
        endpoint.failures.set(failures);
        if failures >= FAILURES_TO_LEAVE_OUT {
            self.leave_out(endpoint, why, true);
        }
    }

    /// Leaves out a server that cannot be reached.
    pub fn gone(&self, endpoint: &Endpoint, why: &str) {
        self.leave_out(endpoint, why, false);
    }

    /// Leaves out a server until a probe succeeds.
    fn leave_out(&self, endpoint: &Endpoint, why: &str, is_there: bool) {
        if endpoint.out.replace(true) {
            return;
        }
        let others = self.endpoints.iter().filter(|other| !other.out.get());
        self.report(ServerNotice::Gone {
            url: endpoint.url.clone(),
            why: why.to_owned(),
            is_there,
            others: others.count(),
        });
        self.went_out.notify_one();
    }

    pub fn all_out(&self) -> bool {
        self.endpoints.iter().all(|endpoint| endpoint.out.get())
    }

    fn back(&self, endpoint: &Endpoint) {
        endpoint.out.set(false);
        // On trial: the next broken answer leaves it out again.
        endpoint.failures.set(FAILURES_TO_LEAVE_OUT - 1);
        let url = endpoint.url.clone();
        self.report(ServerNotice::Back { url });
        self.came_back.notify_waiters();
    }

    /// Looks after servers that are out, for as long as the run lasts; `probe` finds out if one
    /// answers.
    pub async fn watch<F: Future<Output = bool>>(
        &self,
        longest_wait: Duration,
        probe: impl Fn(String) -> F,
    ) {
        loop {
            let noticed = self.went_out.notified();
            if !self.endpoints.iter().any(Endpoint::is_away) {
                noticed.await;
            }
            let wait = self.wait.get();
            self.wait.set((wait * 2).min(longest_wait));
            tokio::time::sleep(wait).await;
            for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.is_away()) {
                if probe(endpoint.url.clone()).await {
                    self.back(endpoint);
                }
            }
        }
    }

    /// Notes an answer to a request under the agreement `asked`.
    pub fn kept(
        &self,
        endpoint: &Endpoint,
        asked: Agreement,
        whole_record: bool,
        with_logprobs: bool,
    ) {
        if whole_record && asked.format != Format::Plain && asked == endpoint.agreement.get() {
            endpoint.takes_format.set(true);
        }
        if asked.logprobs && !with_logprobs {
            self.report_without_logprobs(&endpoint.url);
        }
    }

    /// The agreement to send an item under whose request was refused; `None` if there is nothing
    /// left to give up. The server is asked for less from now on, unless it is only this item's
    /// schema that it does not support.
    pub fn ask_for_less(
        &self,
        endpoint: &Endpoint,
        asked: Agreement,
        refused: Refusal,
    ) -> Option<Agreement> {
        // One that was asked before the server agreed on less says nothing of what it agreed on.
        let current = asked == endpoint.agreement.get();
        let known = current && refused != Refusal::Logprobs && endpoint.takes_format.get();
        if known && refused == Refusal::Ignored {
            return None;
        }
        let less = asked.without(refused)?;
        if current && !known {
            endpoint.agreement.set(less);
            let (from, to) = (asked.format.name(), less.format.name());
            let url = endpoint.url.clone();
            match refused {
                Refusal::Format => self.report(ServerNotice::SchemaRefused { url, from, to }),
                Refusal::Ignored => self.report(ServerNotice::SchemaIgnored { url, from, to }),
                Refusal::Logprobs => self.report_without_logprobs(&url),
                Refusal::Other => {}
            }
        }
        Some(less)
    }

    /// Reports it once a run.
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

    /// The agreements, for people: one word if all servers agreed on the same, and a note if
    /// there are no probabilities.
    pub fn agreed(&self) -> String {
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
