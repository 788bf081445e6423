//! Tracks since which frame each record has been on screen. A key decides on a record only if the
//! operator could see the record when the key was pressed.

use crate::record::GroupId;
use std::collections::HashMap;

/// How much of a record a frame shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    #[default]
    Hidden,
    Text,
    /// The text and the picture, as far as the screen has room for them.
    Full,
}

#[derive(Debug, Default)]
pub struct SeenRecords {
    /// Number of frames drawn.
    frames: u64,
    /// For each record, the first frames that showed its current state.
    first_frames: HashMap<GroupId, FirstFrames>,
}

#[derive(Debug, Clone, Copy)]
struct FirstFrames {
    text: u64,
    full: Option<u64>,
}

impl SeenRecords {
    /// Number of frames drawn so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Counts a frame that shows a record as far as `shown`.
    pub fn drawn(&mut self, record: Option<GroupId>, shown: Visibility) {
        self.frames += 1;
        let Some(id) = record.filter(|_| shown >= Visibility::Text) else {
            return;
        };
        let now = FirstFrames {
            text: self.frames,
            full: None,
        };
        let first = self.first_frames.entry(id).or_insert(now);
        if shown == Visibility::Full {
            first.full.get_or_insert(self.frames);
        }
    }

    /// Marks a record as unseen because its text changed.
    pub fn forget(&mut self, id: GroupId) {
        self.first_frames.remove(&id);
    }

    /// Whether a record had been shown as far as `needed` by frame `frames`.
    pub fn was_seen(&self, id: GroupId, needed: Visibility, frames: u64) -> bool {
        let first = self.first_frames.get(&id);
        let first = match needed {
            Visibility::Hidden => return true,
            Visibility::Text => first.map(|first| first.text),
            Visibility::Full => first.and_then(|first| first.full),
        };
        first.is_some_and(|first| first <= frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_as_seen_only_if_drawn_before_the_key() {
        let (first, second) = (GroupId(1), GroupId(2));
        let mut seen = SeenRecords::default();
        seen.drawn(Some(first), Visibility::Hidden);
        let early = seen.frames();
        seen.drawn(Some(first), Visibility::Text);
        let text = seen.frames();
        seen.drawn(Some(first), Visibility::Full);
        let full = seen.frames();
        for (needed, since) in [(Visibility::Text, text), (Visibility::Full, full)] {
            assert!(!seen.was_seen(first, needed, since - 1));
            assert!(seen.was_seen(first, needed, since));
        }
        assert!(!seen.was_seen(first, Visibility::Text, early));
        seen.drawn(Some(second), Visibility::Full);
        assert!(seen.was_seen(first, Visibility::Full, seen.frames()));
        assert!(seen.was_seen(second, Visibility::Text, seen.frames()));
        seen.forget(first);
        assert!(!seen.was_seen(first, Visibility::Text, seen.frames()));
    }
}
