//! The fixes that need nobody's eye.

use super::context::FixContext;
use super::offer::fix;
use super::ways::{misses_largest_color, mistakes_kind};
use crate::record::{FixKind, Labels, Reason};

/// Fixes that follow from the item, the pixels and the record itself, in the order in which they
/// are done.
pub const SAFE_FIXES: [(Reason, FixKind); 12] = [
    (Reason::NameMismatch, FixKind::UpdateName),
    (Reason::Repetition, FixKind::DropRepetition),
    (Reason::MixedScript, FixKind::TranslateWords),
    (Reason::ItemNameMissing, FixKind::CorrectName),
    (Reason::ItemNameMissing, FixKind::InsertName),
    (Reason::ColorMismatch, FixKind::ReplaceColors),
    (Reason::ColorMismatch, FixKind::RemoveColors),
    (Reason::AttributesMissing, FixKind::SetColors),
    (Reason::AttributesMissing, FixKind::SetType),
    (Reason::AttributesMissing, FixKind::FillAttributes),
    (Reason::FewTags, FixKind::AddTags),
    (Reason::FewQueries, FixKind::AddQueries),
];

/// Those of the safe fixes that do something for this record, and the labels that they give.
pub fn safe_fixes(labels: &Labels, context: &FixContext) -> (Vec<(Reason, FixKind)>, Labels) {
    let mut fixed = labels.clone();
    let mut done = Vec::new();
    for (reason, kind) in SAFE_FIXES {
        let context = &context.under(context.names().of_text(&fixed));
        let next = fix(reason, kind, &fixed, context);
        if let Some(next) = next.filter(|next| is_safe(kind, &fixed, next, context)) {
            fixed = next;
            done.push((reason, kind));
        }
    }
    (done, fixed)
}

/// Whether a fix leaves a record that somebody has to look at in the queue: a label that takes the
/// item for another thing, or sees colors that are not there, is not made presentable.
fn is_safe(kind: FixKind, before: &Labels, after: &Labels, context: &FixContext) -> bool {
    match kind {
        FixKind::CorrectName | FixKind::InsertName => !mistakes_kind(before, context),
        FixKind::ReplaceColors | FixKind::RemoveColors => before.label_ko() == after.label_ko(),
        FixKind::SetColors | FixKind::FillAttributes => !misses_largest_color(before, context),
        _ => true,
    }
}
