//! Where the journal asks the rules, after every edit.

use crate::error::Result;
use crate::record::{
    Change, ColorHistogram, FieldConfidence, Labels, Reason, RuleContext, Vocabulary, about, apply,
    check,
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

impl<'a> Facts<'a> {
    fn context(&self) -> RuleContext<'a> {
        RuleContext {
            vocabulary: self.vocabulary,
            item_name: self.item_name,
            with_metadata: self.with_metadata,
            colors: self.histogram.filter(|_| self.with_image),
            confidence: self.confidence,
            truncated: false,
            label_count: 1,
        }
    }
}

/// What each of the labels' reasons points at, where it points at something.
pub fn about_reasons(labels: &Labels, facts: &Facts) -> Vec<(Reason, Vec<String>)> {
    let context = facts.context();
    let all = Reason::ALL.iter().copied();
    all.map(|reason| (reason, about(reason, labels, &context)))
        .filter(|(_, about)| !about.is_empty())
        .collect()
}

/// The reasons in the order of the codes, without `duplicate_label`, which depends on others.
pub fn reasons(labels: &Labels, facts: &Facts) -> Vec<Reason> {
    let mut reasons = check(labels, &facts.context());
    reasons.extend_from_slice(facts.kept);
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// The labels after `change`; `None` where it finds nothing to do.
pub fn edit(
    labels: &Labels,
    change: &Change,
    taken: Option<&Labels>,
    vocabulary: &Vocabulary,
) -> Result<Option<Labels>> {
    let edited = apply(labels, change, taken, vocabulary)?;
    Ok((edited != *labels).then_some(edited))
}

/// Two labels with the same key are duplicates.
pub fn label_key(label: &str) -> Option<String> {
    let key = clean_text(label);
    (!key.is_empty()).then_some(key)
}
