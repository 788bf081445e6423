//! Runs the labeler on the thread that owns it and its weights.

use super::messages::{ModelEvent, WorkerMessage};
use super::prepared_queue::PreparedQueue;
use crate::engine::messages::Stage;
use crate::engine::metrics::Metrics;
use crate::error::{Error, ErrorKind};
use crate::labeler::{Factory, Jobs, LabelEvent, LabelRequest, Loading, Pull};
use crate::record::FailureDetail;
use crate::threads;
use crossbeam_channel::Sender;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Consecutive requests that may crash the labeler. After more of them the labeler itself is broken.
const MAX_FAILURES: usize = 16;

/// Runs until the queue is closed or canceled, or the labeler fails for good.
pub fn run(
    factory: Factory,
    prepared: &PreparedQueue,
    out: &Sender<WorkerMessage>,
    metrics: &Metrics,
) {
    let send = |event: ModelEvent| {
        // Fails only if the coordinator has panicked.
        let _ = out.send(WorkerMessage::Model(event));
    };
    let mut on_load = |loading: Loading, done| metrics.stage(loading.into(), done);
    let loaded = catch_unwind(AssertUnwindSafe(|| factory(&mut on_load)));
    let mut labeler =
        match loaded.unwrap_or_else(|panic| Err(panicked(panic.as_ref()).into_error())) {
            Ok(labeler) => labeler,
            Err(error) => {
                metrics.stage(Stage::Failed, None);
                send(ModelEvent::Broken(error));
                return;
            }
        };
    metrics.stage(Stage::Idle, None);
    send(ModelEvent::Ready(labeler.info()));
    let mut failures = 0;
    loop {
        let mut jobs = Worker {
            prepared,
            send: &send,
            metrics,
            in_flight: BTreeMap::new(),
            waiting: false,
            finished: 0,
        };
        let ended = catch_unwind(AssertUnwindSafe(|| labeler.run(&mut jobs)));
        let (unfinished, finished) = (std::mem::take(&mut jobs.in_flight), jobs.finished);
        metrics.all_ended();
        let (error, detail) = match ended {
            Ok(Ok(())) if unfinished.is_empty() || prepared.cancelled() => break,
            Ok(Ok(())) => failed(FailureDetail::ModelUnfinished),
            Ok(Err(error)) => {
                let why = error.cause.clone();
                (error, FailureDetail::ModelFailed { why })
            }
            Err(panic) => failed(panicked(panic.as_ref())),
        };
        tracing::error!(error = %error, in_flight = unfinished.len(), "the model failed");
        failures = if finished > 0 { 1 } else { failures + 1 };
        // Servers that have refused every request will refuse again, and wrong options stay wrong.
        let is_final = matches!(error.kind, ErrorKind::Network | ErrorKind::Usage);
        if unfinished.is_empty() || is_final || failures > MAX_FAILURES {
            metrics.stage(Stage::Failed, None);
            send(ModelEvent::Broken(error));
            return;
        }
        if unfinished.len() == 1 {
            for ticket in unfinished.into_keys() {
                let detail = detail.clone();
                send(ModelEvent::Refused { ticket, detail });
            }
        } else {
            prepared.retry_alone(unfinished.into_values());
        }
    }
}

fn failed(detail: FailureDetail) -> (Error, FailureDetail) {
    (detail.clone().into_error(), detail)
}

fn panicked(panic: &(dyn Any + Send)) -> FailureDetail {
    FailureDetail::ModelPanicked {
        why: threads::panic_text(panic).to_owned(),
    }
}

struct Worker<'a> {
    prepared: &'a PreparedQueue,
    send: &'a dyn Fn(ModelEvent),
    metrics: &'a Metrics,
    in_flight: BTreeMap<u64, LabelRequest>,
    waiting: bool,
    finished: usize,
}

impl Worker<'_> {
    fn update_stage(&self) {
        let stage = match self.waiting {
            true => Stage::Waiting,
            false => Stage::Decode,
        };
        self.metrics.stage(stage, None);
    }

    fn begin(&mut self, request: &LabelRequest) {
        self.in_flight.insert(request.ticket, request.clone());
        self.metrics
            .started(Instant::now(), request.ticket, request.group);
        self.update_stage();
        (self.send)(ModelEvent::Started(request.ticket));
    }

    /// Ends a request; `false` if it was not in flight, so that each request is answered once.
    fn end(&mut self, ticket: u64) -> bool {
        let known = self.in_flight.remove(&ticket).is_some();
        self.metrics.ended(ticket);
        self.finished += usize::from(known);
        known
    }
}

impl Jobs for Worker<'_> {
    fn pull(&mut self, wait: bool) -> Pull {
        let pull = match self.prepared.pull(self.in_flight.len()) {
            Pull::Empty if wait && self.in_flight.is_empty() => {
                self.metrics.stage(Stage::Idle, None);
                self.prepared.wait()
            }
            pull => pull,
        };
        if let Pull::Request(request) = &pull {
            self.begin(request);
        }
        pull
    }

    fn pull_urgent(&mut self) -> Option<Box<LabelRequest>> {
        let request = self.prepared.pull_urgent()?;
        self.begin(&request);
        Some(request)
    }

    fn cancelled(&self) -> bool {
        self.prepared.cancelled()
    }

    fn push(&mut self, event: LabelEvent) {
        match event {
            LabelEvent::Partial {
                ticket,
                text,
                tokens,
            } => self.metrics.generated(Instant::now(), ticket, text, tokens),
            LabelEvent::Done { ticket, answer } => {
                if self.end(ticket) {
                    (self.send)(ModelEvent::Answered { ticket, answer });
                }
            }
            LabelEvent::Notice(notice) => (self.send)(ModelEvent::Notice(notice)),
            LabelEvent::ModelNotice(notice) => (self.send)(ModelEvent::ModelNotice(notice)),
            LabelEvent::Changed(info) => (self.send)(ModelEvent::Ready(info)),
            LabelEvent::Counts(counts) => self.metrics.remote(counts),
            LabelEvent::Waiting(waiting) => {
                self.waiting = waiting;
                self.update_stage();
            }
            LabelEvent::Failed { ticket, detail } => {
                if self.end(ticket) {
                    (self.send)(ModelEvent::Refused { ticket, detail });
                }
            }
        }
    }
}
