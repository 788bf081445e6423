//! What fixes are computed from.

use crate::record::{Labels, RuleContext};

/// What fixes are computed from, besides the labels.
#[derive(Debug, Clone, Copy)]
pub struct FixContext<'a> {
    pub rules: RuleContext<'a>,
    /// `part/slot` of the item.
    pub part: Option<&'a str>,
    /// What other answers say of the icon.
    pub others: &'a [Labels],
}
