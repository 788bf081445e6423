//! The servers of a run: which is least busy, which is out, and what each agreed to.

use super::wire::{Agreement, Format, Refusal};
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
}

/// All servers of a run; lives on one thread.
pub struct Pool {
    endpoints: Vec<Endpoint>,
    /// Woken when a server went out (the prober waits) or came back (requests wait).
    went_out: Notify,
    came_back: Notify,
    notices: RefCell<Vec<String>>,
    told_without_logprobs: Cell<bool>,
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
    pub fn new(urls: &[String]) -> Self {
        let endpoints = urls
            .iter()
            .map(|url| Endpoint {
                url: url.trim_end_matches('/').to_owned(),
                in_flight: Cell::new(0),
                failures: Cell::new(0),
                out: Cell::new(false),
                agreement: Cell::new(Agreement::default()),
            })
            .collect();
        Self {
            endpoints,
            went_out: Notify::new(),
            came_back: Notify::new(),
            notices: RefCell::default(),
            told_without_logprobs: Cell::new(false),
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

    pub fn answered(&self, endpoint: &Endpoint) {
        endpoint.failures.set(0);
    }

    /// A broken answer. A server that cannot even be connected to is `gone` at once.
    pub fn broke(&self, endpoint: &Endpoint, gone: bool, words: &str) {
        let failures = endpoint.failures.get() + 1;
        endpoint.failures.set(failures);
        if endpoint.out.get() || !(gone || failures >= FAILURES_TO_LEAVE_OUT) {
            return;
        }
        endpoint.out.set(true);
        let rest = self
            .endpoints
            .iter()
            .filter(|other| !other.out.get())
            .count();
        self.tell(if rest == 0 {
            format!(
                "{} does not answer ({words}); the run is paused until it is back",
                endpoint.url
            )
        } else {
            format!(
                "{} does not answer ({words}); going on with {rest} other server(s)",
                endpoint.url
            )
        });
        self.went_out.notify_one();
    }

    fn back(&self, endpoint: &Endpoint) {
        endpoint.out.set(false);
        endpoint.failures.set(0);
        self.tell(format!("{} is back, going on", endpoint.url));
        self.came_back.notify_waiters();
    }

    /// Looks after servers that are out, for as long as the run lasts; `probe` tells whether one
    /// answers.
    pub async fn watch<F: Future<Output = bool>>(
        &self,
        first: Duration,
        longest: Duration,
        probe: impl Fn(String) -> F,
    ) {
        let mut wait = first;
        loop {
            let noticed = self.went_out.notified();
            if !self.endpoints.iter().any(|endpoint| endpoint.out.get()) {
                noticed.await;
                wait = first;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(longest);
            for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.out.get()) {
                if probe(endpoint.url.clone()).await {
                    self.back(endpoint);
                    wait = first;
                }
            }
        }
    }

    /// Gives up what the server refused; false where nothing is left to give up. Requests that
    /// were on their way with the same demand when the first refusal came see it settled already.
    pub fn settle(&self, endpoint: &Endpoint, asked: Agreement, refused: Refusal) -> bool {
        let mut now = endpoint.agreement.get();
        if now != asked {
            return true;
        }
        match refused {
            Refusal::Logprobs => {
                now.logprobs = false;
                self.tell_without_logprobs(&endpoint.url);
            }
            Refusal::Format => {
                let Some(next) = asked.format.next() else {
                    return false;
                };
                now.format = next;
                self.tell(format!(
                    "{} refuses {}, going on with {}",
                    endpoint.url,
                    asked.format.name(),
                    next.name()
                ));
            }
            Refusal::Other => return false,
        }
        endpoint.agreement.set(now);
        true
    }

    /// Said once a run.
    pub fn tell_without_logprobs(&self, url: &str) {
        if !self.told_without_logprobs.replace(true) {
            self.tell(format!(
                "{url} gives no token probabilities; records have no confidence"
            ));
        }
    }

    fn tell(&self, notice: String) {
        self.notices.borrow_mut().push(notice);
    }

    pub fn take_notices(&self) -> Vec<String> {
        self.notices.take()
    }

    /// What was agreed, for people: one word where all servers agreed on the same.
    pub fn agreed(&self) -> String {
        let mut formats: Vec<Format> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.agreement.get().format)
            .collect();
        formats.sort_unstable();
        formats.dedup();
        let names: Vec<_> = formats.into_iter().map(Format::name).collect();
        names.join(", ")
    }
}
