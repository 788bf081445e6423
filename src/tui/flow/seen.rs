//! Tracks since which frame each record has been on screen. A key decides on a record only if the
//! operator could see the record when the key was pressed.

use crate::record::GroupId;
use std::collections::HashMap;

/// A part of a record that the operator must see before deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Name,
    Label,
    Picture,
}

impl Part {
    const COUNT: usize = 3;
}

#[derive(Debug, Default)]
pub struct SeenRecords {
    /// Number of frames drawn.
    frames: u64,
    /// For each record, the first frame that showed each part of its current state.
    first_frames: HashMap<GroupId, [Option<u64>; Part::COUNT]>,
}

impl SeenRecords {
    /// Number of frames drawn so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Counts a frame that shows these parts of a record.
    pub fn drawn(&mut self, record: Option<GroupId>, shown: &[Part]) {
        self.frames += 1;
        let Some(id) = record.filter(|_| !shown.is_empty()) else {
            return;
        };
        let first = self.first_frames.entry(id).or_default();
        for part in shown {
            first[*part as usize].get_or_insert(self.frames);
        }
    }

    /// Marks a record as unseen because its text changed.
    pub fn forget(&mut self, id: GroupId) {
        self.first_frames.remove(&id);
    }

    /// The first of the `needed` parts of a record that was not shown by frame `frames`.
    pub fn unseen(&self, id: GroupId, needed: &[Part], frames: u64) -> Option<Part> {
        let first = self.first_frames.get(&id).copied().unwrap_or_default();
        let is_seen = |part: &&Part| first[**part as usize].is_some_and(|first| first <= frames);
        needed.iter().find(|part| !is_seen(part)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_as_seen_only_if_drawn_before_the_key() {
        let (first, second) = (GroupId(1), GroupId(2));
        let all = [Part::Label, Part::Picture];
        let mut seen = SeenRecords::default();
        seen.drawn(Some(first), &[]);
        let early = seen.frames();
        seen.drawn(Some(first), &[Part::Picture]);
        let picture = seen.frames();
        seen.drawn(Some(first), &[Part::Label]);
        let label = seen.frames();
        assert_eq!(seen.unseen(first, &all, early), Some(Part::Label));
        assert_eq!(
            seen.unseen(first, &[Part::Picture], early),
            Some(Part::Picture)
        );
        assert_eq!(seen.unseen(first, &[Part::Picture], picture), None);
        assert_eq!(seen.unseen(first, &all, picture), Some(Part::Label));
        // Parts shown one after the other are both seen.
        assert_eq!(seen.unseen(first, &all, label), None);
        seen.drawn(Some(second), &all);
        assert_eq!(seen.unseen(first, &all, seen.frames()), None);
        assert_eq!(seen.unseen(second, &all, label), Some(Part::Label));
        assert_eq!(seen.unseen(second, &[], early), None);
        seen.forget(first);
        assert_eq!(seen.unseen(first, &all, seen.frames()), Some(Part::Label));
    }
}
