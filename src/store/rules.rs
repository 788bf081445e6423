//! Applies the record rules to drafts in the journal.

use crate::record::{
    self, ColorHistogram, FieldConfidence, Labels, Names, Reason, RetrievalResult, RuleContext,
    Vocabulary, check,
};
use crate::text::clean_text;

/// Measurements of a group's image that the rules use.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub colors: Option<ColorHistogram>,
    pub retrieved: Option<RetrievalResult>,
}

/// Inputs of the rules besides the labels.
pub struct Facts<'a> {
    pub vocabulary: &'a Vocabulary,
    pub names: Names<'a>,
    pub observed: &'a Observed,
    pub confidence: &'a [FieldConfidence],
    pub with_image: bool,
    pub with_metadata: bool,
    /// Reasons that cannot be found again, see [`super::tables::drafts::DraftRow`].
    pub kept: &'a [Reason],
}

impl<'a> Facts<'a> {
    fn context(&self, labels: &Labels) -> RuleContext<'a> {
        RuleContext {
            vocabulary: self.vocabulary,
            item_name: self.names.of_text(labels),
            current_name: self.names.current,
            with_metadata: self.with_metadata,
            colors: self.observed.colors.as_ref().filter(|_| self.with_image),
            confidence: self.confidence,
            truncated: false,
            label_count: 1,
            retrieved: self.observed.retrieved.as_ref(),
        }
    }
}

/// Returns the values that each reason is about; reasons without such values are left out.
pub fn about_reasons(labels: &Labels, facts: &Facts) -> Vec<(Reason, Vec<String>)> {
    record::about_reasons(labels, &facts.context(labels))
}

/// Returns the reasons in code order, without `duplicate_label`, which depends on other groups.
pub fn reasons(labels: &Labels, facts: &Facts) -> Vec<Reason> {
    let mut reasons = check(labels, &facts.context(labels));
    reasons.extend_from_slice(facts.kept);
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// Normalizes a label for the duplicate check: equal keys are duplicates. `None` if it is empty.
pub fn label_key(label: &str) -> Option<String> {
    let key = clean_text(label);
    (!key.is_empty()).then_some(key)
}
