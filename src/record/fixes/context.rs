//! The borrowed inputs for computing fixes.

use crate::record::{FixKind, Labels, Names, RuleContext};

/// The inputs for computing fixes besides the labels.
#[derive(Debug, Clone, Copy)]
pub struct FixContext<'a> {
    pub rules: RuleContext<'a>,
    /// `part/slot` of the item.
    pub part: Option<&'a str>,
    /// The labels of other answers for the icon.
    pub others: &'a [Labels],
    /// The labels from before the fixes, if only fixes have changed them since, and the item name
    /// that they use.
    pub before_fixes: Option<(&'a Labels, &'a str)>,
}

impl<'a> FixContext<'a> {
    pub fn names(&self) -> Names<'a> {
        Names {
            original: self.rules.item_name,
            current: self.rules.current_name,
        }
    }

    /// The context for labels that use this item name.
    pub fn under(&self, item_name: &'a str) -> Self {
        let rules = RuleContext {
            item_name,
            ..self.rules
        };
        Self { rules, ..*self }
    }

    /// The context for a kind of fix. Kinds that write the name write the current one.
    pub fn of_kind(&self, kind: FixKind) -> Self {
        match kind {
            FixKind::CorrectName
            | FixKind::InsertName
            | FixKind::Describe
            | FixKind::JoinList
            | FixKind::TellApart => self.under(self.rules.current_name),
            _ => *self,
        }
    }
}
