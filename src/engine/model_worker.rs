//! The one thread that owns the labeler, and with it the weights.

use super::messages::{ModelInfo, Stage};
use super::meter::Meter;
use super::ready::Ready;
use crate::error::{Error, ErrorKind};
use crate::labeler::{Answer, Factory, Jobs, LabelEvent, LabelRequest, Pull};
use crate::threads;
use crossbeam_channel::Sender;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// So many jobs in a row that break the labeler mean that the labeler is broken, not the jobs.
const BREAKS: usize = 16;

/// What the labeler's thread tells the pipeline.
#[derive(Debug)]
pub enum FromModel {
    Ready(ModelInfo),
    /// No more answers will come; the jobs in flight are as if never asked.
    Broken(Error),
    Started(u64),
    Answered {
        ticket: u64,
        answer: Box<Answer>,
    },
    Refused {
        ticket: u64,
        error: Error,
    },
    /// For people: not about a job.
    Notice(String),
}

/// Runs until the queue is closed or cancelled, or the labeler is beyond help.
pub fn run<T: From<FromModel>>(
    factory: Factory,
    ready: &Ready,
    out: &Sender<T>,
    meter: &Arc<Meter>,
) {
    let tell = |message: FromModel| {
        // The pipeline outlives this thread unless it has broken itself.
        let _ = out.send(message.into());
    };
    let mut on_load = |stage, done| meter.stage(stage, done);
    let loaded = catch_unwind(AssertUnwindSafe(|| factory(&mut on_load)));
    let mut labeler = match loaded.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
        Ok(labeler) => labeler,
        Err(error) => {
            meter.stage(Stage::Failed, None);
            tell(FromModel::Broken(error));
            return;
        }
    };
    meter.stage(Stage::Idle, None);
    tell(FromModel::Ready(labeler.info()));
    let mut breaks = 0;
    loop {
        let mut jobs = Worker {
            ready,
            tell: &tell,
            meter,
            in_flight: BTreeMap::new(),
            waiting: false,
            finished: 0,
        };
        let ended = catch_unwind(AssertUnwindSafe(|| labeler.run(&mut jobs)));
        let (left, finished) = (std::mem::take(&mut jobs.in_flight), jobs.finished);
        meter.in_flight(0);
        let error = match ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
            Ok(()) if left.is_empty() || ready.cancelled() => break,
            Ok(()) => Error::new(ErrorKind::Internal, "the model left work unfinished"),
            Err(error) => error,
        };
        tracing::error!(error = %error, in_flight = left.len(), "the model broke off");
        breaks = if finished > 0 { 1 } else { breaks + 1 };
        if left.is_empty() || breaks > BREAKS {
            meter.stage(Stage::Failed, None);
            tell(FromModel::Broken(error));
            return;
        }
        if left.len() == 1 {
            for ticket in left.into_keys() {
                let error = error.clone();
                tell(FromModel::Refused { ticket, error });
            }
        } else {
            ready.suspect(left.into_values());
        }
    }
}

/// A panic of the model is an error like any other that it gives.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let error = threads::panicked("the model", panic);
    Error::new(ErrorKind::Model, error.cause)
}

struct Worker<'a> {
    ready: &'a Ready,
    tell: &'a dyn Fn(FromModel),
    meter: &'a Meter,
    in_flight: BTreeMap<u64, LabelRequest>,
    waiting: bool,
    finished: usize,
}

impl Worker<'_> {
    fn show_stage(&self) {
        let stage = match self.waiting {
            true => Stage::Waiting,
            false => Stage::Decode,
        };
        self.meter.stage(stage, None);
    }

    /// Whether `ticket` was in flight: a labeler answers each job once.
    fn end(&mut self, ticket: u64) -> bool {
        let known = self.in_flight.remove(&ticket).is_some();
        self.meter.in_flight(self.in_flight.len());
        self.finished += usize::from(known);
        known
    }
}

impl Jobs for Worker<'_> {
    fn pull(&mut self, wait: bool) -> Pull {
        let pull = match self.ready.pull(false, self.in_flight.len()) {
            Pull::Empty if wait && self.in_flight.is_empty() => {
                self.meter.stage(Stage::Idle, None);
                self.ready.pull(true, 0)
            }
            pull => pull,
        };
        if let Pull::Request(request) = &pull {
            self.in_flight.insert(request.ticket, (**request).clone());
            self.meter.in_flight(self.in_flight.len());
            self.show_stage();
            (self.tell)(FromModel::Started(request.ticket));
        }
        pull
    }

    fn cancelled(&self) -> bool {
        self.ready.cancelled()
    }

    fn push(&mut self, event: LabelEvent) {
        match event {
            LabelEvent::Partial { ticket, text } => {
                if let Some(request) = self.in_flight.get(&ticket) {
                    self.meter.in_hand(request.group, text);
                }
            }
            LabelEvent::Done { ticket, answer } => {
                if self.end(ticket) {
                    (self.tell)(FromModel::Answered { ticket, answer });
                }
            }
            LabelEvent::Notice(text) => (self.tell)(FromModel::Notice(text)),
            LabelEvent::Changed(info) => (self.tell)(FromModel::Ready(info)),
            LabelEvent::Counts(counts) => self.meter.remote(counts),
            LabelEvent::Waiting(waiting) => {
                self.waiting = waiting;
                self.show_stage();
            }
            LabelEvent::Failed { ticket, error } => {
                if self.end(ticket) {
                    (self.tell)(FromModel::Refused { ticket, error });
                }
            }
        }
    }
}
