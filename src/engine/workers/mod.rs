//! The threads around the coordinator: one reads the source, one prepares requests, one owns the
//! model. Starts them, gives them work, and shuts them down.

mod messages;
mod model;
mod prepared;
mod preprocess;
mod source;

pub use messages::{ModelEvent, PreprocessEvent, SourceEvent, WorkerMessage};

use super::metrics::Metrics;
use super::queue::Job;
use crate::error::{Error, Result};
use crate::labeler::{Factory, LabelRequest};
use crate::prompt::Prompter;
use crate::record::{GroupId, ImageLocation};
use crate::source::ItemSource;
use crate::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, unbounded};
use prepared::PreparedQueue;
use preprocess::Work;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Messages that wait while the coordinator is busy.
const MESSAGES: usize = 256;
/// How long a shutdown waits for a thread whose work is no longer wanted: it may be in the middle
/// of a file on a drive that does not answer, and ends with the process.
const GRACE: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub struct Workers {
    messages: Receiver<WorkerMessage>,
    /// Dropped to have the source read; nothing is ever sent.
    start_reading: Option<Sender<()>>,
    stop_reading: Arc<AtomicBool>,
    /// `None` once nothing more is to be prepared.
    preprocess: Option<Sender<Work>>,
    prepared: Arc<PreparedQueue>,
    threads: Vec<JoinHandle<()>>,
    model: Option<JoinHandle<()>>,
}

/// How a run comes to its end.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// Requests are on their way whose answers are no longer wanted.
    pub cancel: bool,
    /// The model is being loaded, which cannot be interrupted.
    pub is_loading: bool,
    pub by_error: bool,
}

impl Workers {
    /// Starts all threads; the model's only with a labeler.
    pub fn start(
        items: Box<dyn ItemSource>,
        max_groups: Option<u64>,
        prompter: &Arc<Prompter>,
        labeler: Option<Factory>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self> {
        let (out, messages) = bounded(MESSAGES);
        let (preprocess_tx, preprocess_rx) = unbounded();
        let (start_tx, start_rx) = bounded(0);
        let prepared = Arc::new(PreparedQueue::default());
        let stop_reading = Arc::new(AtomicBool::new(false));
        let source = threads::spawn(
            "source",
            {
                let (stop, out) = (Arc::clone(&stop_reading), out.clone());
                move || source::run(items, max_groups, &start_rx, &stop, &out)
            },
            report_panic(&out),
        )?;
        // One is enough: an icon takes a millisecond, and they stay in source order.
        let preprocess = threads::spawn(
            "preprocess",
            {
                let (prompter, out) = (Arc::clone(prompter), out.clone());
                move || preprocess::run(&prompter, &preprocess_rx, &out)
            },
            report_panic(&out),
        )?;
        let model = labeler.map(|factory| {
            let (prepared, metrics) = (Arc::clone(&prepared), Arc::clone(metrics));
            let broken = out.clone();
            threads::spawn(
                "model",
                move || model::run(factory, &prepared, &out, &metrics),
                move |error| {
                    // The coordinator outlives this thread unless it has panicked itself.
                    let _ = broken.send(WorkerMessage::Model(ModelEvent::Broken(error)));
                },
            )
        });
        Ok(Self {
            messages,
            start_reading: Some(start_tx),
            stop_reading,
            preprocess: Some(preprocess_tx),
            prepared,
            threads: vec![source, preprocess],
            model: model.transpose()?,
        })
    }

    pub fn has_model(&self) -> bool {
        self.model.is_some()
    }

    pub fn messages(&self) -> &Receiver<WorkerMessage> {
        &self.messages
    }

    /// Every thread has ended: no message will come.
    pub fn all_ended(&mut self) {
        self.messages = never();
    }

    pub fn start_reading(&mut self) {
        self.start_reading = None;
    }

    /// Has a request prepared.
    pub fn prepare(&self, job: Job) {
        self.preprocess(Work::Attempt(Box::new(job)));
    }

    /// Has pictures measured that the model is not asked about now.
    pub fn measure(&self, files: Vec<(GroupId, ImageLocation)>) {
        self.preprocess(Work::Measure(files));
    }

    /// Has the colors of one picture compared with those of another, pixel for pixel.
    pub fn recolor(&self, from: (GroupId, ImageLocation), to: (GroupId, ImageLocation)) {
        self.preprocess(Work::Recolor { from, to });
    }

    fn preprocess(&self, work: Work) {
        if let Some(preprocess) = &self.preprocess {
            // A thread that has panicked has reported that.
            let _ = preprocess.send(work);
        }
    }

    /// Passes a prepared request to the model.
    pub fn ask(&self, request: LabelRequest, urgent: bool) {
        self.prepared.push(request, urgent);
    }

    pub fn pause(&self, paused: bool) {
        self.prepared.pause(paused);
    }

    /// Tells all threads to end; the messages that they still send are the iterator's.
    pub fn shut_down(&mut self, how: Shutdown) -> ShuttingDown {
        match how.cancel {
            true => self.prepared.cancel(),
            false => self.prepared.close(),
        }
        self.stop_reading.store(true, Ordering::Relaxed);
        self.start_reading = None;
        self.preprocess = None;
        // A model that is being loaded ends with the process.
        let model = self.model.take().filter(|_| !how.is_loading);
        ShuttingDown {
            messages: self.messages.clone(),
            threads: std::mem::take(&mut self.threads),
            model,
            patient_until: Instant::now() + GRACE,
            by_error: how.by_error,
        }
    }
}

/// Reports the panic of a thread that the run cannot go on without.
fn report_panic(out: &Sender<WorkerMessage>) -> impl FnOnce(Error) + Send + 'static {
    let out = out.clone();
    move |error| {
        // The coordinator outlives that thread unless it has panicked itself.
        let _ = out.send(WorkerMessage::Panicked(error));
    }
}

/// Gives the last messages of the threads until all of them have ended. A run that ends by an
/// error waits for none of them for long.
#[derive(Debug)]
pub struct ShuttingDown {
    messages: Receiver<WorkerMessage>,
    threads: Vec<JoinHandle<()>>,
    model: Option<JoinHandle<()>>,
    patient_until: Instant,
    by_error: bool,
}

impl ShuttingDown {
    fn waits(&self) -> bool {
        let runs = |thread: &JoinHandle<()>| !thread.is_finished();
        let is_patient = Instant::now() < self.patient_until;
        let answers = self.model.as_ref().is_some_and(runs);
        (is_patient && self.threads.iter().any(runs)) || (answers && (is_patient || !self.by_error))
    }
}

impl Iterator for ShuttingDown {
    type Item = WorkerMessage;

    fn next(&mut self) -> Option<WorkerMessage> {
        while self.waits() {
            match self.messages.recv_timeout(Duration::from_millis(20)) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) => {}
                // Each of them holds a sender to its end.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.messages.try_recv().ok()
    }
}
