//! Keeps track of the servers of a run: the least busy one, those left out, and what each
//! agreed to.

use super::wire::{Agreement, Format, Refusal};
use crate::labeler::ServerNotice;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::Notify;

/// Broken answers in a row after which a server is left out until a probe succeeds.
const FAILURES_TO_LEAVE_OUT: u32 = 3;

pub struct Endpoint {
    /// Ends in the API's version, without a slash, for example `http://host:8000/v1`.
    pub url: String,
    in_flight: Cell<usize>,
    failures: Cell<u32>,
    out: Cell<bool>,
    agreement: Cell<Agreement>,
    /// It has answered under the schema that it was sent, so it supports schemas.
    takes_format: Cell<bool>,
}

/// All servers of a run; lives on one thread.
pub struct Pool {
    endpoints: Vec<Endpoint>,
    /// Woken when a server went out (the prober waits) or came back (requests wait).
    went_out: Notify,
    came_back: Notify,
    /// First wait before a probe, and the next one; it grows until a request is answered.
    first_wait: Duration,
    wait: Cell<Duration>,
    notices: RefCell<Vec<ServerNotice>>,
    is_without_logprobs: Cell<bool>,
}

/// Counts a request as in flight until it is dropped, also when the request is abandoned.
pub struct Turn<'a> {
    pub endpoint: &'a Endpoint,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let in_flight = &self.endpoint.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
    }
}

impl Endpoint {
    pub fn agreement(&self) -> Agreement {
        self.agreement.get()
    }
}

impl Pool {
    /// `urls` without a slash at their end.
    pub fn new(urls: Vec<String>, first_wait: Duration) -> Self {
        let endpoints = urls
            .into_iter()
            .map(|url| Endpoint {
                url,
                in_flight: Cell::new(0),
                failures: Cell::new(0),
                out: Cell::new(false),
                agreement: Cell::new(Agreement::default()),
                takes_format: Cell::new(false),
            })
            .collect();
        Self {
            endpoints,
            went_out: Notify::new(),
            came_back: Notify::new(),
            first_wait,
            wait: Cell::new(first_wait),
            notices: RefCell::default(),
            is_without_logprobs: Cell::new(false),
        }
    }

    /// The least busy server that answers; waits while there is none.
    pub async fn choose(&self) -> Turn<'_> {
        loop {
            let back = self.came_back.notified();
            let best = self
                .endpoints
                .iter()
                .filter(|endpoint| !endpoint.out.get())
                .min_by_key(|endpoint| endpoint.in_flight.get());
            if let Some(endpoint) = best {
                endpoint.in_flight.set(endpoint.in_flight.get() + 1);
                return Turn { endpoint };
            }
            back.await;
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
            self.gone(endpoint, why);
        }
    }

    /// Leaves out a server until a probe succeeds.
    pub fn gone(&self, endpoint: &Endpoint, why: &str) {
        if endpoint.out.replace(true) {
            return;
        }
        let others = self.endpoints.iter().filter(|other| !other.out.get());
        self.report(ServerNotice::Gone {
            url: endpoint.url.clone(),
            why: why.to_owned(),
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
            if !self.endpoints.iter().any(|endpoint| endpoint.out.get()) {
                noticed.await;
            }
            let wait = self.wait.get();
            self.wait.set((wait * 2).min(longest_wait));
            tokio::time::sleep(wait).await;
            for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.out.get()) {
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
