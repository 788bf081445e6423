//! Which records have been on screen, and since which frame. A key decides about a record only where
//! the operator could see it when the key was pressed.

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
    /// How many frames have been drawn.
    frames: u64,
    /// The first frames that showed the text and the whole of a record as it is now.
    seen: HashMap<GroupId, First>,
}

#[derive(Debug, Clone, Copy)]
struct First {
    text: u64,
    whole: Option<u64>,
}

impl SeenRecords {
    /// How many frames have been drawn so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// One more frame was drawn, which shows so much of a record.
    pub fn drawn(&mut self, record: Option<GroupId>, shown: Visibility) {
        self.frames += 1;
        let Some(id) = record.filter(|_| shown >= Visibility::Text) else {
            return;
        };
        let now = First {
            text: self.frames,
            whole: None,
        };
        let first = self.seen.entry(id).or_insert(now);
        if shown == Visibility::Full {
            first.whole.get_or_insert(self.frames);
        }
    }

    /// The text of a record is another one now.
    pub fn forget(&mut self, id: GroupId) {
        self.seen.remove(&id);
    }

    /// Whether so much of a record had been drawn when so many frames had been.
    pub fn was_seen(&self, id: GroupId, much: Visibility, frames: u64) -> bool {
        let first = self.seen.get(&id);
        let first = match much {
            Visibility::Hidden => return true,
            Visibility::Text => first.map(|first| first.text),
            Visibility::Full => first.and_then(|first| first.whole),
        };
        first.is_some_and(|first| first <= frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_for_what_was_drawn_before_it_was_read() {
        let (first, second) = (GroupId(1), GroupId(2));
        let mut sight = SeenRecords::default();
        sight.drawn(Some(first), Visibility::Hidden);
        let early = sight.frames();
        sight.drawn(Some(first), Visibility::Text);
        let text = sight.frames();
        sight.drawn(Some(first), Visibility::Full);
        let whole = sight.frames();
        for (much, since) in [(Visibility::Text, text), (Visibility::Full, whole)] {
            assert!(!sight.was_seen(first, much, since - 1));
            assert!(sight.was_seen(first, much, since));
        }
        assert!(!sight.was_seen(first, Visibility::Text, early));
        sight.drawn(Some(second), Visibility::Full);
        assert!(sight.was_seen(first, Visibility::Full, sight.frames()));
        assert!(sight.was_seen(second, Visibility::Text, sight.frames()));
        sight.forget(first);
        assert!(!sight.was_seen(first, Visibility::Text, sight.frames()));
    }
}
