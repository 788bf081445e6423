//! What a change over some groups came to.

mod preview;

pub use preview::{ChangePreview, TextChange};

use crate::error::Error;
use crate::record::{Change, Field, LineEffects};
use crate::text::Said;

/// What one change over some groups came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    pub change: Change,
    /// Groups that it changed.
    pub records: usize,
    /// The fields that it changed, each in how many of those.
    pub fields: Vec<(Field, usize)>,
    /// Groups that were so already.
    pub untouched: usize,
    /// Groups that have no draft to do it to.
    pub without_draft: usize,
    /// How many groups it could not be done to (a full list), and why the first.
    pub refused: Option<(usize, Said)>,
    pub lines: LineEffects,
}

/// A step that was done before: what undo and redo would take.
#[derive(Debug, Clone, PartialEq)]
pub struct PastStep {
    /// As the journal logs it.
    pub done: String,
    /// `None` where it cannot be read any more.
    pub change: Option<Box<Change>>,
    /// Groups that it changed.
    pub records: usize,
}

impl StepReport {
    pub fn new(change: Change) -> Self {
        Self {
            change,
            records: 0,
            fields: Vec::new(),
            untouched: 0,
            without_draft: 0,
            refused: None,
            lines: LineEffects::default(),
        }
    }

    /// Counts one more group, in which these fields are different now.
    pub fn changed(&mut self, fields: &[Field]) {
        self.records += 1;
        for field in fields {
            match self.fields.iter_mut().find(|(counted, _)| counted == field) {
                Some((_, records)) => *records += 1,
                None => self.fields.push((*field, 1)),
            }
        }
        self.fields.sort_unstable();
    }

    /// Counts one more group that the change cannot be made to.
    pub fn refused(&mut self, why: &Error) {
        self.refused.get_or_insert_with(|| (0, why.to_said())).0 += 1;
    }
}
