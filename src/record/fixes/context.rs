//! What fixes are computed from.

use crate::record::{FixKind, Labels, Names, RuleContext};

/// What fixes are computed from, besides the labels.
#[derive(Debug, Clone, Copy)]
pub struct FixContext<'a> {
    pub rules: RuleContext<'a>,
    /// `part/slot` of the item.
    pub part: Option<&'a str>,
    /// What other answers say of the icon.
    pub others: &'a [Labels],
    /// The text that fixes alone have made these labels of, and the name that it goes by.
    pub before_fixes: Option<(&'a Labels, &'a str)>,
}

impl<'a> FixContext<'a> {
    pub fn names(&self) -> Names<'a> {
        Names {
            original: self.rules.item_name,
            current: self.rules.current_name,
        }
    }

    /// The same where the text goes by this name.
    pub fn under(&self, item_name: &'a str) -> Self {
        let rules = RuleContext {
            item_name,
            ..self.rules
        };
        Self { rules, ..*self }
    }

    /// What a fix of this kind goes by: one that writes the name writes the current one.
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
