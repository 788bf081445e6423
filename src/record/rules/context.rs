//! The inputs of the rules and of the fixes besides the labels.

use super::ColorHistogram;
use crate::record::{FieldConfidence, Labels, RetrievalResult, Vocabulary};

/// What is known about a record besides its labels: all inputs of the rules and of the fixes.
///
/// Everything is borrowed, from rows of the journal or from a request that was just answered, so
/// that a copy in which one fact differs is cheap.
#[derive(Debug, Clone, Copy)]
pub struct RecordContext<'a> {
    pub vocabulary: &'a Vocabulary,
    /// The item name that the labels use.
    pub item_name: &'a str,
    /// The item's current name in the source.
    pub current_name: &'a str,
    /// `part/slot` of the item. Only fixes use it.
    pub part: Option<&'a str>,
    /// The colors of the image. `None` if they are unknown or the model saw no image; colors are
    /// then neither required nor checked.
    pub colors: Option<&'a ColorHistogram>,
    /// `None` until a retriever has searched for the image.
    pub retrieved: Option<&'a RetrievalResult>,
    /// Whether the model was given the name. Only then must the label contain it.
    pub with_metadata: bool,
    /// Empty if the labeler reports no probabilities.
    pub confidence: &'a [FieldConfidence],
    pub truncated: bool,
    /// Whether another image in the outdir has the same label.
    pub is_duplicate: bool,
    /// The labels of other answers for the image. Only fixes use them.
    pub others: &'a [Labels],
    /// The labels from before the fixes, if only fixes have changed them since, and the item name
    /// that they use. Only fixes use them.
    pub before_fixes: Option<(&'a Labels, &'a str)>,
    /// Whether a person has edited the labels. Only fixes use it.
    pub edited_by_person: bool,
}

impl<'a> RecordContext<'a> {
    /// The context of labels for which the model was given this name, and of which nothing else is
    /// known.
    pub fn new(vocabulary: &'a Vocabulary, item_name: &'a str) -> Self {
        Self {
            vocabulary,
            item_name,
            current_name: item_name,
            part: None,
            colors: None,
            retrieved: None,
            with_metadata: true,
            confidence: &[],
            truncated: false,
            is_duplicate: false,
            others: &[],
            before_fixes: None,
            edited_by_person: false,
        }
    }

    /// The context for labels that use this item name.
    pub fn under(self, item_name: &'a str) -> Self {
        Self { item_name, ..self }
    }
}
