//! Counts what one fix would do to many records, before it is taken.

use super::facts::FixFacts;
use super::offer::{fix, reasons_after};
use crate::record::{Field, FixKind, Labels, Reason, Vocabulary, check};

/// The most records that are shown with their texts before and after.
const EXAMPLES: usize = 5;

/// What one kind of fix would do to some records; nothing is changed by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixPreview {
    /// Records that it changes.
    pub records: usize,
    /// Records with the reason that it cannot fix.
    pub left: usize,
    /// How many of the records have each reason now, and how many afterwards.
    pub reasons: Vec<(Reason, usize, usize)>,
    /// Of the first records.
    pub examples: Vec<FixExample>,
}

/// What a fix does to the field that it is about, or, where that stays, to the first that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixExample {
    pub field: Field,
    pub before: String,
    pub after: String,
}

impl FixExample {
    fn new(kind: FixKind, before: &Labels, after: &Labels) -> Option<Self> {
        let changed = before.differing(after);
        let field = match changed.contains(&kind.field()) {
            true => kind.field(),
            false => *changed.first()?,
        };
        let text = |labels: &Labels| labels.values(field).join(", ");
        Some(Self {
            field,
            before: text(before),
            after: text(after),
        })
    }
}

/// A record as a preview looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct FixableRecord {
    pub labels: Labels,
    /// All reasons that the record shows.
    pub reasons: Vec<Reason>,
    pub facts: FixFacts,
}

impl FixableRecord {
    /// What would speak against the record with other labels.
    pub fn reasons_with(&self, labels: &Labels, vocabulary: &Vocabulary) -> Vec<Reason> {
        let context = self.facts.context(vocabulary);
        let before = check(&self.labels, &context.rules);
        let after = reasons_after(&self.labels, labels, &context);
        let is_cleared = |reason: &Reason| before.contains(reason) && !after.contains(reason);
        let is_new = |reason: &&Reason| !before.contains(reason);
        let mut reasons = self.reasons.clone();
        reasons.retain(|reason| !is_cleared(reason));
        reasons.extend(after.iter().filter(is_new));
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }
}

impl FixPreview {
    /// # Errors
    /// The first that `records` gives.
    pub fn count<E>(
        records: impl IntoIterator<Item = Result<FixableRecord, E>>,
        reason: Reason,
        kind: FixKind,
        vocabulary: &Vocabulary,
    ) -> Result<Self, E> {
        let mut preview = Self::default();
        for record in records {
            let record = record?;
            if !record.reasons.contains(&reason) {
                continue;
            }
            let context = record.facts.context(vocabulary);
            let after = match fix(reason, kind, &record.labels, &context) {
                Some(fixed) => {
                    preview.records += 1;
                    if preview.examples.len() < EXAMPLES {
                        let example = FixExample::new(kind, &record.labels, &fixed);
                        preview.examples.extend(example);
                    }
                    record.reasons_with(&fixed, vocabulary)
                }
                None => {
                    preview.left += 1;
                    record.reasons.clone()
                }
            };
            for &reason in &record.reasons {
                preview.of(reason).1 += 1;
            }
            for reason in after {
                preview.of(reason).2 += 1;
            }
        }
        preview.reasons.sort_unstable_by_key(|(reason, ..)| *reason);
        Ok(preview)
    }

    fn of(&mut self, reason: Reason) -> &mut (Reason, usize, usize) {
        let found = self.reasons.iter().position(|(other, ..)| *other == reason);
        let at = found.unwrap_or_else(|| {
            self.reasons.push((reason, 0, 0));
            self.reasons.len() - 1
        });
        &mut self.reasons[at]
    }
}
