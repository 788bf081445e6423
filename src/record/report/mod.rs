//! Reports on changes: what a step did, and previews of what it would do.

mod preview;

pub use preview::{ChangePreview, TextChange};

use crate::error::Error;
use crate::record::{Change, Field, LineEffects};
use crate::text::Said;

/// The effect of one change on some groups.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    pub change: Change,
    /// Number of groups changed.
    pub records: usize,
    /// The changed fields with the number of groups.
    pub fields: Vec<(Field, usize)>,
    /// Groups that the change leaves as they are.
    pub untouched: usize,
    /// Groups without a draft.
    pub without_draft: usize,
    /// Number of groups that refused the change (for example a full list), with the first error.
    pub refused: Option<(usize, Said)>,
    pub lines: LineEffects,
}

/// An earlier step that undo or redo would act on.
#[derive(Debug, Clone, PartialEq)]
pub struct PastStep {
    /// The step name from the journal.
    pub done: String,
    /// `None` if this version of the program cannot read it.
    pub change: Option<Box<Change>>,
    /// Number of groups changed.
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

    /// Counts a group in which these fields changed.
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

    /// Counts a group that refused the change.
    pub fn refused(&mut self, why: &Error) {
        self.refused.get_or_insert_with(|| (0, why.to_said())).0 += 1;
    }
}
