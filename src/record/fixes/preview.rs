//! Previews a fix on many records.

use super::facts::FixFacts;
use super::offer::{fix, reasons_after};
use crate::record::{Field, FixKind, Labels, Reason, Vocabulary, check};

/// The maximum number of examples.
const EXAMPLES: usize = 5;

/// The effect that one kind of fix would have on some records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixPreview {
    /// Number of records that it fixes.
    pub records: usize,
    /// Number of records with the reason that it cannot fix.
    pub left: usize,
    /// Each reason with the number of records that have it before and after.
    pub reasons: Vec<(Reason, usize, usize)>,
    /// Examples from the first records.
    pub examples: Vec<FixExample>,
}

/// The effect of a fix on its main field, or on the first changed field if that one stays.
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

/// A record with the inputs of a preview.
#[derive(Debug, Clone, PartialEq)]
pub struct FixableRecord {
    pub labels: Labels,
    /// All reasons of the record.
    pub reasons: Vec<Reason>,
    pub facts: FixFacts,
}

impl FixableRecord {
    /// The reasons that the record would have with other labels.
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
    /// Computes the preview.
    ///
    /// # Errors
    /// The first error that `records` yields.
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
