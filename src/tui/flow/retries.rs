//! Tracks retried records until the operator sees the new answer.

use crate::record::GroupId;
use std::collections::HashMap;

/// Number of reasons before and after an answer: of the draft at the request, and of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCounts {
    pub before: usize,
    pub after: usize,
}

#[derive(Debug, Default)]
pub struct Retries {
    /// Each record's number of reasons at the request.
    waiting: HashMap<GroupId, usize>,
    answered: HashMap<GroupId, ReasonCounts>,
}

impl Retries {
    /// Records a request for a record with this number of reasons.
    pub fn request(&mut self, id: GroupId, reasons: usize) {
        self.answered.remove(&id);
        self.waiting.insert(id, reasons);
    }

    /// Records an answer with this number of reasons; `None` if this session did not request it.
    pub fn complete(&mut self, id: GroupId, reasons: usize) -> Option<ReasonCounts> {
        let counts = ReasonCounts {
            before: self.waiting.remove(&id)?,
            after: reasons,
        };
        self.answered.insert(id, counts);
        Some(counts)
    }

    /// Records a failure; returns whether this session had requested the answer.
    pub fn fail(&mut self, id: GroupId) -> bool {
        self.waiting.remove(&id).is_some()
    }

    pub fn is_waiting(&self, id: GroupId) -> bool {
        self.waiting.contains_key(&id)
    }

    pub fn answered(&self, id: GroupId) -> Option<ReasonCounts> {
        self.answered.get(&id).copied()
    }

    /// Forgets an answer that the operator has seen or decided on.
    pub fn acknowledge(&mut self, id: GroupId) {
        self.answered.remove(&id);
    }
}
