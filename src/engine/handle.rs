//! Connects a front end to a running engine: commands, events, progress.

use super::{Command, Event, Progress};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Capacity of the event channel. The engine waits when a slow front end has let it fill up.
const EVENT_CAPACITY: usize = 1024;

/// Shares the latest value: writers never wait, readers see the newest.
#[derive(Debug, Clone)]
pub struct Watch<T> {
    value: Arc<Mutex<T>>,
    /// Contains a message if the value has changed since the reader last received one.
    changes: (Sender<()>, Receiver<()>),
}

impl<T: Default> Default for Watch<T> {
    fn default() -> Self {
        Self {
            value: Arc::default(),
            changes: bounded(1),
        }
    }
}

impl<T: Clone + PartialEq> Watch<T> {
    pub fn set(&self, value: T) {
        let mut current = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != value {
            *current = value;
            // Fails if the reader has not yet received an earlier message.
            let _ = self.changes.0.try_send(());
        }
    }

    /// Receives one message for any number of changes. Meant for a single reader.
    pub fn changes(&self) -> Receiver<()> {
        self.changes.1.clone()
    }

    pub fn get(&self) -> T {
        self.value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A running engine: commands in, events and the latest progress out. Dropping it stops the
/// engine and waits until everything is saved.
#[derive(Debug)]
pub struct Handle {
    /// `None` only while dropping.
    commands: Option<Sender<Command>>,
    events: Option<Receiver<Event>>,
    progress: Watch<Progress>,
    thread: Option<JoinHandle<()>>,
}

/// The engine's end of a [`Handle`], owned by the engine's thread or by a test that acts as one.
#[derive(Debug, Clone)]
pub struct EngineEnd {
    pub commands: Receiver<Command>,
    pub events: Sender<Event>,
    pub progress: Watch<Progress>,
}

/// Creates a connected pair of ends.
pub fn connect() -> (Handle, EngineEnd) {
    // Commands come from a person, one at a time. A bounded channel could deadlock both sides.
    let (command_tx, command_rx) = unbounded();
    let (event_tx, event_rx) = bounded(EVENT_CAPACITY);
    let progress = Watch::default();
    let handle = Handle {
        commands: Some(command_tx),
        events: Some(event_rx),
        progress: progress.clone(),
        thread: None,
    };
    let end = EngineEnd {
        commands: command_rx,
        events: event_tx,
        progress,
    };
    (handle, end)
}

impl EngineEnd {
    /// Sends an event. Without a front end it is dropped, and the closed command channel stops the
    /// engine.
    pub fn emit(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

impl Handle {
    /// Sets the thread that is joined when the handle is dropped.
    pub fn attach_thread(&mut self, thread: JoinHandle<()>) {
        self.thread = Some(thread);
    }

    /// Sends a command without waiting. It is dropped if the engine has ended.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The last event says how the engine ended.
            let _ = commands.send(command);
        }
    }

    /// The event channel, which ends after `Stopped` or `Broken`.
    pub fn events(&self) -> Receiver<Event> {
        match &self.events {
            Some(events) => events.clone(),
            None => crossbeam_channel::never(),
        }
    }

    pub fn progress(&self) -> Progress {
        self.progress.get()
    }

    /// Receives one message for any number of changes of the progress.
    pub fn progress_changes(&self) -> Receiver<()> {
        self.progress.changes()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The engine treats a closed command channel as `Stop`.
        self.commands = None;
        self.events = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported by `Broken` or the panic hook.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_events_are_delivered_and_progress_is_the_latest() {
        let (handle, end) = connect();
        handle.send(Command::Undo);
        assert_eq!(end.commands.recv(), Ok(Command::Undo));
        end.events.send(Event::Idle).unwrap();
        assert_eq!(handle.events().recv(), Ok(Event::Idle));
        for done in [1, 2] {
            end.progress.set(Progress {
                done,
                ..Progress::default()
            });
        }
        assert_eq!(handle.progress().done, 2);
        assert_eq!(handle.progress_changes().try_iter().count(), 1);
        end.progress.set(handle.progress());
        assert!(handle.progress_changes().is_empty(), "nothing has changed");
        drop(handle);
        assert!(end.commands.recv().is_err());
    }
}
