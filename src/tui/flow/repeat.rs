//! Edits done again: the last one on another record, and recorded keys.

use crate::record::Change;
use crossterm::event::KeyEvent;

#[derive(Debug, Default)]
pub struct Repeats {
    last: Option<Change>,
    /// The keys that were recorded last.
    keys: Vec<KeyEvent>,
    /// The keys since the recording began, while there is one.
    recording: Option<Vec<KeyEvent>>,
    playing: bool,
}

/// Whether a change means something on another record too, and has no key of its own.
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

    /// Keeps a change that was done, if it can be done again.
    pub fn done(&mut self, change: &Change) {
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

    /// Begins a recording, or ends it; then how many keys it has. One without keys leaves the
    /// earlier one.
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

    /// The recorded keys, to be played now; `None` while they are being recorded or played.
    pub fn begin_to_play(&mut self) -> Option<Vec<KeyEvent>> {
        if self.playing || self.is_recording() {
            return None;
        }
        self.playing = true;
        Some(self.keys.clone())
    }

    pub fn end_playing(&mut self) {
        self.playing = false;
    }
}
