//! Repeats the last edit on another record, and records and plays keys.

use crate::record::Change;
use crossterm::event::KeyEvent;

#[derive(Debug, Default)]
pub struct Repeats {
    last: Option<Change>,
    /// The keys of the last recording.
    keys: Vec<KeyEvent>,
    /// The keys of the running recording.
    recording: Option<Vec<KeyEvent>>,
    playing: bool,
}

/// Whether a change can apply to another record and has no key of its own.
fn can_repeat(change: &Change) -> bool {
    !matches!(
        change,
        Change::TakeVersion { .. }
            | Change::TakeField { .. }
            | Change::Accept
            | Change::Reopen
            | Change::Commit
    )
}

impl Repeats {
    pub fn last(&self) -> Option<&Change> {
        self.last.as_ref()
    }

    /// Remembers a change, if it can be repeated.
    pub fn remember(&mut self, change: &Change) {
        if can_repeat(change) {
            self.last = Some(change.clone());
        }
    }

    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Adds a key to the recording.
    pub fn add(&mut self, key: &KeyEvent) {
        if let Some(keys) = self.recording.as_mut().filter(|_| !self.playing) {
            keys.push(*key);
        }
    }

    /// Starts a recording, or stops it and returns its number of keys. A recording without keys
    /// does not replace the earlier one.
    pub fn toggle(&mut self) -> Option<usize> {
        let Some(keys) = self.recording.take() else {
            self.recording = Some(Vec::new());
            return None;
        };
        let count = keys.len();
        if count > 0 {
            self.keys = keys;
        }
        Some(count)
    }

    /// Starts playing and returns the recorded keys; `None` while keys are being recorded or
    /// played.
    pub fn start_playing(&mut self) -> Option<Vec<KeyEvent>> {
        if self.playing || self.is_recording() {
            return None;
        }
        self.playing = true;
        Some(self.keys.clone())
    }

    pub fn stop_playing(&mut self) {
        self.playing = false;
    }
}
