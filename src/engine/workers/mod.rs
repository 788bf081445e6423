//! Starts the worker threads, passes work to them, and shuts them down. One reads the source, one
//! prepares requests, and one owns the model.

mod messages;
mod model;
mod prepared_queue;
mod preprocess;
mod source;

pub use messages::{ModelEvent, PreprocessEvent, SourceEvent, WorkerMessage};

use super::metrics::Metrics;
use super::queue::{Job, ModelStatus};
use crate::error::{Error, Result};
use crate::labeler::{Factory, LabelRequest};
use crate::prompt::Prompter;
use crate::record::{GroupId, ImageLocation};
use crate::source::ItemSource;
use crate::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, unbounded};
use prepared_queue::PreparedQueue;
use preprocess::Work;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Capacity of the message channel to the coordinator.
const MESSAGE_CAPACITY: usize = 256;
/// How long a shutdown waits for a thread that reads the source or its pictures, whose work is no
/// longer needed. The thread may be reading from a drive that does not respond; it ends with the
/// process.
const READING_GRACE_PERIOD: Duration = Duration::from_millis(60);
/// How long a shutdown after an error waits for the model.
const GRACE_PERIOD: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub struct Workers {
    messages: Receiver<WorkerMessage>,
    /// Dropping it starts reading the source; nothing is ever sent.
    start_reading: Option<Sender<()>>,
    stop_reading: Arc<AtomicBool>,
    /// `None` after the shutdown has started.
    preprocess: Option<Sender<Work>>,
    prepared: Arc<PreparedQueue>,
    threads: Vec<JoinHandle<()>>,
    model: Option<JoinHandle<()>>,
}

/// How to shut down the workers.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// Cancel outstanding requests, whose answers are no longer needed.
    pub cancel: bool,
    /// The model is being loaded, which cannot be interrupted.
    pub is_loading: bool,
    pub by_error: bool,
}

impl Workers {
    /// Starts all threads. The model's thread is started only if there is a labeler.
    pub fn start(
        items: Box<dyn ItemSource>,
        max_groups: Option<u64>,
        prompter: &Arc<Prompter>,
        labeler: Option<Factory>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self> {
        let (out, messages) = bounded(MESSAGE_CAPACITY);
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
        // One thread is enough, since an icon takes a millisecond, and it keeps the source order.
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
                    // Fails only if the coordinator has panicked.
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

    /// The status of the model before it has loaded.
    pub fn model_status(&self) -> ModelStatus {
        match self.model {
            Some(_) => ModelStatus::Loading,
            None => ModelStatus::None,
        }
    }

    pub fn messages(&self) -> &Receiver<WorkerMessage> {
        &self.messages
    }

    /// Stops receiving messages after every thread has ended.
    pub fn all_ended(&mut self) {
        self.messages = never();
    }

    pub fn start_reading(&mut self) {
        self.start_reading = None;
    }

    /// Queues a request for preparation.
    pub fn prepare(&self, job: Job) {
        self.preprocess(Work::Attempt(Box::new(job)));
    }

    /// Queues pictures to be measured without a request.
    pub fn measure(&self, files: Vec<(GroupId, ImageLocation)>) {
        self.preprocess(Work::Measure(files));
    }

    /// Queues the pixel-by-pixel comparison of two pictures' colors.
    pub fn recolor(&self, from: (GroupId, ImageLocation), to: (GroupId, ImageLocation)) {
        self.preprocess(Work::Recolor { from, to });
    }

    fn preprocess(&self, work: Work) {
        if let Some(preprocess) = &self.preprocess {
            // Fails only if the thread has panicked, which it has reported.
            let _ = preprocess.send(work);
        }
    }

    pub fn send_to_model(&self, request: LabelRequest, urgent: bool) {
        self.prepared.push(request, urgent);
    }

    pub fn set_paused(&self, paused: bool) {
        self.prepared.set_paused(paused);
    }

    /// Tells all threads to end. The iterator returns their remaining messages.
    pub fn shut_down(&mut self, how: Shutdown) -> ShuttingDown {
        match how.cancel {
            true => self.prepared.cancel(),
            false => self.prepared.close(),
        }
        self.stop_reading.store(true, Ordering::Relaxed);
        self.start_reading = None;
        self.preprocess = None;
        // Loading cannot be interrupted, so a model that is being loaded ends with the process.
        let model = self.model.take().filter(|_| !how.is_loading);
        ShuttingDown {
            messages: self.messages.clone(),
            threads: std::mem::take(&mut self.threads),
            model,
            started: Instant::now(),
            by_error: how.by_error,
        }
    }
}

/// Reports the panic of a thread that the run depends on.
fn report_panic(out: &Sender<WorkerMessage>) -> impl FnOnce(Error) + Send + 'static {
    let out = out.clone();
    move |error| {
        // Fails only if the coordinator has panicked.
        let _ = out.send(WorkerMessage::Panicked(error));
    }
}

/// Iterates over the last messages of the threads until all of them have ended. A run that ends with
/// an error does not wait long.
#[derive(Debug)]
pub struct ShuttingDown {
    messages: Receiver<WorkerMessage>,
    threads: Vec<JoinHandle<()>>,
    model: Option<JoinHandle<()>>,
    started: Instant,
    by_error: bool,
}

impl ShuttingDown {
    fn should_wait(&self) -> bool {
        let is_running = |thread: &JoinHandle<()>| !thread.is_finished();
        let waited = self.started.elapsed();
        let model_runs = self.model.as_ref().is_some_and(is_running);
        (waited < READING_GRACE_PERIOD && self.threads.iter().any(is_running))
            || (model_runs && (waited < GRACE_PERIOD || !self.by_error))
    }
}

impl Iterator for ShuttingDown {
    type Item = WorkerMessage;

    fn next(&mut self) -> Option<WorkerMessage> {
        while self.should_wait() {
            match self.messages.recv_timeout(Duration::from_millis(20)) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Timeout) => {}
                // All threads have ended, and with them their senders.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.messages.try_recv().ok()
    }
}
