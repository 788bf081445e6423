//! Repeats the last edit on another record, and records and plays keys.

use crate::record::Change;
use crossterm::event::KeyEvent;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Repeats {
    last: Option<Change>,
    /// The edit before the last one.
    earlier: Option<Change>,
    /// The keys of the last recording.
    keys: Vec<KeyEvent>,
    /// The keys of the running recording.
    recording: Option<Vec<KeyEvent>>,
    /// The keys that are still to be played; `None` while nothing is played.
    playing: Option<VecDeque<KeyEvent>>,
    /// Keys pressed during a playback, each with the number of frames drawn when it was read.
    held: VecDeque<(KeyEvent, u64)>,
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
            self.earlier = self.last.replace(change.clone());
        }
    }

    /// Returns to the edit before `change`, which changed nothing.
    pub fn forget(&mut self, change: &Change) {
        if self.last.as_ref() == Some(change) {
            self.last = self.earlier.take();
        }
    }

    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Adds a key to the recording.
    pub fn add(&mut self, key: &KeyEvent) {
        if let Some(keys) = &mut self.recording {
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

    /// Starts a playback of the recorded keys and returns their number; `None` while keys are being
    /// recorded or played.
    pub fn start_playing(&mut self) -> Option<usize> {
        if self.is_playing() || self.is_recording() {
            return None;
        }
        if !self.keys.is_empty() {
            self.playing = Some(self.keys.iter().copied().collect());
        }
        Some(self.keys.len())
    }

    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Takes the next key of the playback.
    pub fn next_key(&mut self) -> Option<KeyEvent> {
        self.playing.as_mut()?.pop_front()
    }

    /// Whether the playback has played its last key.
    pub fn is_played(&self) -> bool {
        self.playing.as_ref().is_some_and(VecDeque::is_empty)
    }

    /// Ends a playback; the keys pressed meanwhile follow.
    pub fn end_playing(&mut self) {
        self.playing = None;
    }

    /// Stops a playback. The keys pressed meanwhile were meant for its end, so they are dropped.
    pub fn stop_playing(&mut self) {
        self.playing = None;
        self.held.clear();
    }

    /// Keeps a key that was pressed during a playback.
    pub fn hold(&mut self, key: KeyEvent, frames: u64) {
        self.held.push_back((key, frames));
    }

    /// Takes the next key that was pressed during the last playback.
    pub fn next_held(&mut self) -> Option<(KeyEvent, u64)> {
        match self.is_playing() {
            true => None,
            false => self.held.pop_front(),
        }
    }
}
