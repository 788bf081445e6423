//! Safe fixes: those that need no review.

use super::kinds::{has_suspect_colors, has_suspect_kind};
use super::offer::{can_fix, fix_given, reasons_after};
use crate::record::rules::is_about_form;
use crate::record::{FixKind, Labels, Reason, RecordContext, check};

/// Limits the passes, in case two fixes undo each other.
const MAX_PASSES: usize = 4;

/// The safe fixes in the order in which they are applied. They follow from the item, the pixels and
/// the record itself.
pub const SAFE_FIXES: [(Reason, FixKind); 14] = [
    (Reason::NameMismatch, FixKind::UpdateName),
    (Reason::MixedScript, FixKind::TranslateWords),
    (Reason::MixedScript, FixKind::DropWords),
    (Reason::ItemNameMissing, FixKind::CorrectName),
    (Reason::CommaList, FixKind::JoinList),
    (Reason::ItemNameMissing, FixKind::InsertName),
    (Reason::ColorMismatch, FixKind::ReplaceColors),
    (Reason::ColorMismatch, FixKind::RemoveColors),
    (Reason::AttributesMissing, FixKind::SetColors),
    (Reason::AttributesMissing, FixKind::SetType),
    (Reason::AttributesMissing, FixKind::FillAttributes),
    (Reason::FewTags, FixKind::AddTags),
    (Reason::Repetition, FixKind::DropRepetition),
    (Reason::FewQueries, FixKind::AddQueries),
];

/// A safe fix that changed a record.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeFix {
    pub reason: Reason,
    pub kind: FixKind,
    /// The pass in which it was applied, from 0. A fix may depend on a later one in the list.
    pub pass: usize,
    /// The record's labels after the fix.
    pub after: Labels,
}

/// Applies the safe fixes to a record until none changes it. A record that a person must look at
/// never loses its last reason, unless it keeps only what the item and the pixels confirm.
pub fn safe_fixes(labels: &Labels, context: &RecordContext) -> Vec<SafeFix> {
    if !can_fix(labels, context) {
        return Vec::new();
    }
    let suspect = Suspect::of(labels, context);
    let mut done = Vec::new();
    passes(labels, context, &suspect, &mut done);
    if suspect.any() && !suspect.kind && !context.edited_by_person {
        let confirmed = confirmed(labels, context, done.clone());
        return confirmed.unwrap_or(done);
    }
    done
}

/// The fixes `done` and further ones, after which the record keeps only what is confirmed. `None` if
/// it has other reasons than formal ones, or if any would be left.
fn confirmed(
    labels: &Labels,
    context: &RecordContext,
    mut done: Vec<SafeFix>,
) -> Option<Vec<SafeFix>> {
    let left = |fixed: &Labels| reasons_after(labels, fixed, context);
    let fixed = done.last().map_or(labels, |last| &last.after);
    let present = left(fixed);
    if !present.iter().all(|reason| is_about_form(*reason)) {
        return None;
    }
    let (reason, kind) = (*present.first()?, FixKind::KeepConfirmed);
    let after = fix_given(reason, kind, &present, fixed, &context.of_labels(fixed))?;
    let suspect = Suspect::of_text(&after, &context.of_labels(&after));
    if suspect.any() {
        return None;
    }
    done.push(SafeFix {
        reason,
        kind,
        // After the passes of all records, so that it is one step.
        pass: MAX_PASSES,
        after,
    });
    passes(labels, context, &suspect, &mut done);
    left(&done.last()?.after).is_empty().then_some(done)
}

/// Adds the safe fixes that follow on those `done`.
fn passes(labels: &Labels, context: &RecordContext, suspect: &Suspect, done: &mut Vec<SafeFix>) {
    // The reasons of the labels as fixed so far.
    let mut reasons: Option<Vec<Reason>> = None;
    let first = done.last().map_or(0, |last| last.pass + 1);
    for pass in first..first + MAX_PASSES {
        let before = done.len();
        for (reason, kind) in SAFE_FIXES {
            let fixed = done.last().map_or(labels, |last| &last.after);
            let context = &context.of_labels(fixed);
            if !can_fix(fixed, context) {
                continue;
            }
            let present = reasons.get_or_insert_with(|| check(fixed, context));
            let after = fix_given(reason, kind, present, fixed, context).filter(|after| {
                let hides = suspect.any() && reasons_after(labels, after, context).is_empty();
                after != fixed && !hides && suspect.allows(kind, fixed, after)
            });
            if after.is_some() {
                reasons = None;
            }
            done.extend(after.map(|after| SafeFix {
                reason,
                kind,
                pass,
                after,
            }));
        }
        if done.len() == before {
            break;
        }
    }
}

/// Signs that the author of a label has misseen the icon. Such a record needs review, so fixes
/// must not make it look right.
struct Suspect {
    kind: bool,
    colors: bool,
    /// Nouns that may be invented.
    details: bool,
}

impl Suspect {
    /// Also considers the labels from before earlier fixes.
    fn of(labels: &Labels, context: &RecordContext) -> Self {
        let now = Self::of_text(labels, context);
        let Some((labels, item_name)) = context.before_fixes else {
            return now;
        };
        let before = Self::of_text(labels, &context.under(item_name));
        Self {
            kind: now.kind || before.kind,
            colors: now.colors || before.colors,
            details: now.details || before.details,
        }
    }

    fn of_text(labels: &Labels, context: &RecordContext) -> Self {
        let details = labels.unexplained_words(context.item_name, context.vocabulary);
        Self {
            kind: has_suspect_kind(labels, context),
            colors: has_suspect_colors(labels, context),
            details: !details.is_empty(),
        }
    }

    fn any(&self) -> bool {
        self.kind || self.colors || self.details
    }

    fn allows(&self, kind: FixKind, before: &Labels, after: &Labels) -> bool {
        match kind {
            FixKind::CorrectName | FixKind::InsertName => !self.kind,
            FixKind::SetColors | FixKind::FillAttributes => !self.colors,
            FixKind::JoinList => !self.kind && !self.colors,
            // The label describes the picture and must stay.
            FixKind::ReplaceColors | FixKind::RemoveColors | FixKind::DropWords => {
                before.label_ko() == after.label_ko()
            }
            _ => true,
        }
    }
}
