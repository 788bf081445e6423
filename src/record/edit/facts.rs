//! What an edit needs to know besides the labels.

use crate::record::{Labels, Vocabulary};

/// What a change needs to know besides the labels.
#[derive(Debug, Clone, Copy)]
pub struct EditFacts<'a> {
    pub vocabulary: &'a Vocabulary,
    /// Replacing a text leaves it alone.
    pub item_name: &'a str,
    /// The labels of the version that the change names; for `UpdateName` those under the item's
    /// current name.
    pub taken: Option<&'a Labels>,
}
