//! Where the journal asks the rules, after every edit.

use crate::record::{
    ColorHistogram, FieldConfidence, Labels, Reason, RuleContext, Vocabulary, check,
};
use crate::text::clean_text;

/// What the rules look at besides the labels.
pub struct Facts<'a> {
    pub vocabulary: &'a Vocabulary,
    pub item_name: &'a str,
    pub histogram: Option<&'a ColorHistogram>,
    pub confidence: &'a [FieldConfidence],
    pub with_image: bool,
    pub with_metadata: bool,
    /// Reasons that no text can show: `truncated`, `quality_retry_failed`, `unread_line`.
    pub kept: &'a [Reason],
}

/// The reasons in the order of the codes, without `duplicate_label`, which depends on others.
pub fn reasons(labels: &Labels, facts: &Facts) -> Vec<Reason> {
    let mut reasons = check(
        labels,
        &RuleContext {
            vocabulary: facts.vocabulary,
            item_name: facts.item_name,
            with_metadata: facts.with_metadata,
            colors: facts.histogram.filter(|_| facts.with_image),
            confidence: facts.confidence,
            truncated: false,
            label_count: 1,
        },
    );
    reasons.extend_from_slice(facts.kept);
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// Two labels with the same key are duplicates.
pub fn label_key(label: &str) -> Option<String> {
    let key = clean_text(label);
    (!key.is_empty()).then_some(key)
}
