//! The inputs of an edit besides the labels and the change.

use crate::record::{Labels, Vocabulary};

/// The inputs of an edit besides the labels and the change.
#[derive(Debug, Clone, Copy)]
pub struct EditFacts<'a> {
    pub vocabulary: &'a Vocabulary,
    /// The item's current name, which find and replace leaves unchanged.
    pub item_name: &'a str,
    /// The labels of the version that the change takes, or the result that the caller computed for
    /// `Fix` and `UpdateName`.
    pub taken: Option<&'a Labels>,
}
