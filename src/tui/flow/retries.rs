//! Records that the model was asked about again, until the operator has looked at the answer.

use crate::record::GroupId;
use std::collections::HashMap;

/// What an answer has changed: the reasons of the draft when it was asked for, and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub before: usize,
    pub after: usize,
}

#[derive(Debug, Default)]
pub struct Retries {
    waiting: HashMap<GroupId, usize>,
    answered: HashMap<GroupId, Answer>,
}

impl Retries {
    /// The model is asked about a record with so many reasons.
    pub fn ask(&mut self, id: GroupId, reasons: usize) {
        self.answered.remove(&id);
        self.waiting.insert(id, reasons);
    }

    /// It has answered, with so many reasons; `None` where this session did not ask.
    pub fn answer(&mut self, id: GroupId, reasons: usize) -> Option<Answer> {
        let answer = Answer {
            before: self.waiting.remove(&id)?,
            after: reasons,
        };
        self.answered.insert(id, answer);
        Some(answer)
    }

    /// It has failed; whether this session had asked.
    pub fn fail(&mut self, id: GroupId) -> bool {
        self.waiting.remove(&id).is_some()
    }

    pub fn is_waiting(&self, id: GroupId) -> bool {
        self.waiting.contains_key(&id)
    }

    pub fn answered(&self, id: GroupId) -> Option<Answer> {
        self.answered.get(&id).copied()
    }

    /// The operator has looked at the answer, or decided.
    pub fn acknowledge(&mut self, id: GroupId) {
        self.answered.remove(&id);
    }
}
