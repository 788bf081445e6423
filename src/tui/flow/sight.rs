//! Which records have been on screen, and since which frame. A key decides about a record only where
//! the operator could see it when the key was pressed.

use crate::record::GroupId;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Sight {
    /// How many frames have been drawn.
    frames: u64,
    /// The first frame that showed a record as it is now: its text and its picture.
    seen: HashMap<GroupId, u64>,
}

impl Sight {
    /// How many frames have been drawn so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// One more frame was drawn; `whole` is the record whose text and picture it shows.
    pub fn drawn(&mut self, whole: Option<GroupId>) {
        self.frames += 1;
        if let Some(id) = whole {
            self.seen.entry(id).or_insert(self.frames);
        }
    }

    /// The text of a record is another one now.
    pub fn forget(&mut self, id: GroupId) {
        self.seen.remove(&id);
    }

    /// Whether a record had been drawn when so many frames had been.
    pub fn had_seen(&self, id: GroupId, frames: u64) -> bool {
        self.seen.get(&id).is_some_and(|first| *first <= frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_for_what_was_drawn_before_it_was_read() {
        let (first, second) = (GroupId(1), GroupId(2));
        let mut sight = Sight::default();
        sight.drawn(None);
        let early = sight.frames();
        sight.drawn(Some(first));
        assert!(!sight.had_seen(first, early));
        assert!(sight.had_seen(first, sight.frames()));
        sight.drawn(Some(second));
        assert!(sight.had_seen(first, sight.frames()));
        sight.forget(first);
        assert!(!sight.had_seen(first, sight.frames()));
    }
}
