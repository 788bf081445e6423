//! The fixes that need nobody's eye.

use super::context::FixContext;
use super::kinds::{mistakes_colors, mistakes_kind};
use super::offer::{can_fix, fix, reasons_after};
use crate::record::{FixKind, Labels, Reason};

/// Two fixes that undo each other would go on for ever.
const MOST_PASSES: usize = 4;

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

/// One safe fix that does something for a record.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeFix {
    pub reason: Reason,
    pub kind: FixKind,
    /// How often all of them were gone through before: one may need what a later one does.
    pub pass: usize,
    /// The record's labels behind it.
    pub after: Labels,
}

/// The safe fixes that do something for this record, one after another; behind them none does any
/// more. A record that somebody has to look at never loses its last reason by them.
pub fn safe_fixes(labels: &Labels, context: &FixContext) -> Vec<SafeFix> {
    if !can_fix(labels, context) {
        return Vec::new();
    }
    let mistaken = Mistaken::by(labels, context);
    let mut done: Vec<SafeFix> = Vec::new();
    for pass in 0..MOST_PASSES {
        let before = done.len();
        for (reason, kind) in SAFE_FIXES {
            let fixed = done.last().map_or(labels, |last| &last.after);
            let context = &context.under(context.names().of_text(fixed));
            let after = fix(reason, kind, fixed, context).filter(|after| {
                let hides = mistaken.any() && reasons_after(labels, after, context).is_empty();
                after != fixed && !hides && mistaken.allows(kind, fixed, after)
            });
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
    done
}

/// What the label of a record takes the icon for, and should not: it needs an eye, and must not be
/// made presentable.
struct Mistaken {
    kind: bool,
    colors: bool,
}

impl Mistaken {
    /// What fixes have made is also judged by what stood there before.
    fn by(labels: &Labels, context: &FixContext) -> Self {
        let mut mistaken = Self {
            kind: mistakes_kind(labels, context),
            colors: mistakes_colors(labels, context),
        };
        if let Some((labels, item_name)) = context.before_fixes {
            let context = &context.under(item_name);
            mistaken.kind |= mistakes_kind(labels, context);
            mistaken.colors |= mistakes_colors(labels, context);
        }
        mistaken
    }

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
