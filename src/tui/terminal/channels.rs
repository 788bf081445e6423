//! The channels between the loop and the threads around it.

use super::keyboard::{self, Continued};
use super::probe::Capabilities;
use crate::engine::{Event, Handle};
use crate::error::{Error, Result};
use crate::tui::message::Message;
use crate::tui::options::PictureChoice;
use crate::tui::picture::{self, Graphics, LoadedPicture, PictureRequest};
use crate::tui::records::{Task, TaskResult, worker};
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, tick, unbounded};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// The shortest time between two updates of the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// How often the terminal's size is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// An event that wakes the loop.
pub enum LoopEvent {
    Message(Box<Message>),
    /// The progress has changed.
    Progress,
    /// The terminal may have been resized without a signal.
    Check,
    /// What the terminal can show; sent again if a later reply changes it.
    Terminal(Box<Capabilities>),
    /// The engine has closed its channel.
    EngineGone,
    /// A thread of the workstation has panicked.
    Failed(Error),
}

/// Everything that the loop receives from and sends to.
pub struct Channels {
    input: Receiver<Message>,
    events: Receiver<Event>,
    results: Receiver<TaskResult>,
    pictures: Receiver<LoadedPicture>,
    changes: Receiver<()>,
    /// Time of the last [`LoopEvent::Progress`].
    updated: Instant,
    /// Delivers a message when the progress, which has changed, is due.
    due: Option<Receiver<Instant>>,
    check: Receiver<Instant>,
    pub tasks: Sender<Task>,
    pub requests: Sender<Vec<PictureRequest>>,
    capabilities: Receiver<Capabilities>,
    /// How many frames have been drawn, for the thread that reads keys.
    pub frames: Arc<AtomicU64>,
    failed: Receiver<Error>,
    /// Cloned for threads that start later.
    fail: Sender<Error>,
}

impl Channels {
    /// Starts the threads. `frames` is how many frames have been drawn so far.
    pub fn connect(
        handle: &Handle,
        pictures: PictureChoice,
        frames: u64,
    ) -> Result<(Self, Continued)> {
        let (input_tx, input) = unbounded();
        let (tasks, task_rx) = unbounded();
        let (result_tx, results) = unbounded();
        let (capabilities_tx, capabilities) = unbounded();
        let (fail, failed) = unbounded();
        // No pictures are loaded until the terminal has reported what it can show.
        let (requests, _) = unbounded();
        let continued = keyboard::signals(input_tx.clone(), fail.clone())?;
        let frames = Arc::new(AtomicU64::new(frames));
        keyboard::read(
            input_tx,
            capabilities_tx,
            pictures,
            Arc::clone(&frames),
            fail.clone(),
        )?;
        worker::spawn(task_rx, result_tx, keyboard::report_to(fail.clone()))?;
        let channels = Self {
            input,
            events: handle.events(),
            results,
            pictures: never(),
            changes: handle.progress_changes(),
            updated: Instant::now(),
            due: None,
            check: tick(CHECK_INTERVAL),
            tasks,
            requests,
            capabilities,
            frames,
            failed,
            fail,
        };
        Ok((channels, continued))
    }

    /// Starts the thread that loads pictures for this kind of terminal. The application repeats its
    /// earlier requests.
    pub fn load_pictures_for(&mut self, graphics: Graphics) -> Result<()> {
        tracing::info!(?graphics, "image protocol");
        let (requests, request_rx) = unbounded();
        let (pictures_tx, pictures) = bounded(64);
        picture::spawn(
            graphics,
            request_rx,
            pictures_tx,
            keyboard::report_to(self.fail.clone()),
        )?;
        (self.requests, self.pictures) = (requests, pictures);
        Ok(())
    }

    /// The next event without waiting; keys come before everything else.
    pub fn try_next(&mut self) -> Option<LoopEvent> {
        let message = |message| Some(LoopEvent::Message(Box::new(message)));
        if let Ok(key) = self.input.try_recv() {
            return message(key);
        }
        if let Ok(error) = self.failed.try_recv() {
            return Some(LoopEvent::Failed(error));
        }
        if let Ok(capabilities) = self.capabilities.try_recv() {
            return Some(LoopEvent::Terminal(Box::new(capabilities)));
        }
        if let Ok(result) = self.results.try_recv() {
            return message(Message::TaskDone(result));
        }
        if let Ok(picture) = self.pictures.try_recv() {
            return message(Message::Picture(picture));
        }
        if let Ok(event) = self.events.try_recv() {
            return message(Message::Engine(event));
        }
        if self.due.is_none() && self.changes.try_recv().is_ok() {
            self.schedule_progress();
        }
        if self.due.as_ref().is_some_and(|due| due.try_recv().is_ok()) {
            return Some(self.progress());
        }
        self.check.try_recv().ok().map(|_| LoopEvent::Check)
    }

    /// Waits for the next event. Returns `None` after `limit`.
    pub fn wait(&mut self, limit: Option<Duration>) -> Option<LoopEvent> {
        if let Some(event) = self.try_next() {
            return Some(event);
        }
        let timeout = limit.map_or_else(never, after);
        let (changes, due) = match &self.due {
            Some(due) => (never(), due.clone()),
            None => (self.changes.clone(), never()),
        };
        let message = |message| Some(LoopEvent::Message(Box::new(message)));
        // A thread that panicked closes its channel, and `failed` holds the reason.
        select! {
            recv(self.input) -> key => match key {
                Ok(key) => message(key),
                Err(_) => self.close(|channels| channels.input = never()),
            },
            recv(self.events) -> event => match event {
                Ok(event) => message(Message::Engine(event)),
                Err(_) => {
                    self.events = never();
                    Some(LoopEvent::EngineGone)
                }
            },
            recv(self.capabilities) -> capabilities => match capabilities {
                Ok(capabilities) => Some(LoopEvent::Terminal(Box::new(capabilities))),
                Err(_) => self.close(|channels| channels.capabilities = never()),
            },
            recv(self.results) -> result => match result {
                Ok(result) => message(Message::TaskDone(result)),
                Err(_) => self.close(|channels| channels.results = never()),
            },
            recv(self.pictures) -> picture => match picture {
                Ok(picture) => message(Message::Picture(picture)),
                Err(_) => self.close(|channels| channels.pictures = never()),
            },
            recv(self.failed) -> error => error.ok().map(LoopEvent::Failed),
            recv(changes) -> _ => {
                self.schedule_progress();
                None
            }
            recv(due) -> _ => Some(self.progress()),
            recv(self.check) -> _ => Some(LoopEvent::Check),
            recv(timeout) -> _ => None,
        }
    }

    fn schedule_progress(&mut self) {
        let wait = PROGRESS_INTERVAL.saturating_sub(self.updated.elapsed());
        self.due = Some(after(wait));
    }

    fn progress(&mut self) -> LoopEvent {
        (self.updated, self.due) = (Instant::now(), None);
        LoopEvent::Progress
    }

    fn close(&mut self, replace: impl FnOnce(&mut Self)) -> Option<LoopEvent> {
        replace(self);
        None
    }
}
