//! The fixes that need nobody's eye.

use super::context::FixContext;
use super::offer::{fix, reasons_after};
use super::ways::{mistakes_colors, mistakes_kind};
use crate::record::{FixKind, Labels, Reason};

/// Fixes that follow from the item, the pixels and the record itself, in the order in which they
/// are done.
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

/// Those of the safe fixes that do something for this record, and the labels that they give. A
/// record that somebody has to look at never loses its last reason by them.
pub fn safe_fixes(labels: &Labels, context: &FixContext) -> (Vec<(Reason, FixKind)>, Labels) {
    let mistaken = Mistaken {
        kind: mistakes_kind(labels, context),
        colors: mistakes_colors(labels, context),
    };
    let mut fixed = labels.clone();
    let mut done = Vec::new();
    for (reason, kind) in SAFE_FIXES {
        let context = &context.under(context.names().of_text(&fixed));
        let next = fix(reason, kind, &fixed, context).filter(|next| {
            let hides = mistaken.any() && reasons_after(labels, next, context).is_empty();
            !hides && mistaken.allows(kind, &fixed, next)
        });
        if let Some(next) = next {
            fixed = next;
            done.push((reason, kind));
        }
    }
    (done, fixed)
}

/// What the label of a record takes the icon for, and should not: it needs an eye, and must not be
/// made presentable.
struct Mistaken {
    kind: bool,
    colors: bool,
}

impl Mistaken {
    fn any(&self) -> bool {
        self.kind || self.colors
    }

    fn allows(&self, kind: FixKind, before: &Labels, after: &Labels) -> bool {
        match kind {
            FixKind::CorrectName | FixKind::InsertName => !self.kind,
            FixKind::SetColors | FixKind::FillAttributes => !self.colors,
            FixKind::JoinList => !self.any(),
            // The label is what somebody has said of the picture.
            FixKind::ReplaceColors | FixKind::RemoveColors | FixKind::DropWords => {
                before.label_ko() == after.label_ko()
            }
            _ => true,
        }
    }
}
