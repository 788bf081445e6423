//! Previews a fix on many records.

use super::offer::{fix, reasons_fixed};
use crate::record::{Field, FixKind, Labels, Reason, RecordContext};

/// The maximum number of examples.
const EXAMPLES: usize = 5;

/// The effect that one kind of fix would have on some records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixPreview {
    /// Number of records that it fixes.
    pub records: usize,
    /// Number of records with the reason that it cannot fix.
    pub left: usize,
    /// Each reason, in order, with the number of records that have it before and after.
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

impl FixPreview {
    /// Adds the effect of `kind` on a record with these labels and reasons, if it has `reason`.
    pub fn add(
        &mut self,
        reason: Reason,
        kind: FixKind,
        labels: &Labels,
        reasons: &[Reason],
        context: &RecordContext,
    ) {
        if !reasons.contains(&reason) {
            return;
        }
        let after = match fix(reason, kind, labels, context) {
            Some(fixed) => {
                self.records += 1;
                if self.examples.len() < EXAMPLES {
                    let example = FixExample::new(kind, labels, &fixed);
                    self.examples.extend(example);
                }
                reasons_fixed(labels, reasons, &fixed, context)
            }
            None => {
                self.left += 1;
                reasons.to_vec()
            }
        };
        for &reason in reasons {
            self.of(reason).1 += 1;
        }
        for reason in after {
            self.of(reason).2 += 1;
        }
    }

    fn of(&mut self, reason: Reason) -> &mut (Reason, usize, usize) {
        let found = self
            .reasons
            .binary_search_by_key(&reason, |(other, ..)| *other);
        let at = found.unwrap_or_else(|at| {
            self.reasons.insert(at, (reason, 0, 0));
            at
        });
        &mut self.reasons[at]
    }
}
