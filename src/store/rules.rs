//! Where the journal asks the rules, after every edit.

use crate::error::Result;
use crate::record::{
    Attempt, Change, ColorHistogram, Field, FieldConfidence, Labels, Reason, RuleContext,
    Vocabulary, check, clean_text,
};

/// What the rules look at besides the labels.
pub(super) struct Facts<'a> {
    pub vocabulary: &'a Vocabulary,
    pub item_name: &'a str,
    pub histogram: Option<&'a ColorHistogram>,
    pub confidence: &'a [FieldConfidence],
    pub with_image: bool,
    pub with_metadata: bool,
    /// Reasons that no text can show: `truncated`, `quality_retry_failed`.
    pub kept: &'a [Reason],
}

/// The reasons in the order of the codes, without `duplicate_label`, which depends on others.
pub(super) fn reasons(labels: &Labels, facts: &Facts) -> Vec<Reason> {
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

/// The labels after `change`; `attempt` is the one that the change names.
pub(super) fn edit(
    labels: &Labels,
    change: &Change,
    attempt: Option<&Attempt>,
    _vocabulary: &Vocabulary,
) -> Result<Labels> {
    let mut labels = labels.clone();
    let taken = attempt.and_then(|attempt| attempt.labels.as_ref());
    match change {
        Change::Set { field, values } if *field == Field::LabelKo => {
            labels.label_ko = values.first().cloned().unwrap_or_default();
        }
        Change::Set { field, values } if *field == Field::TagsKo => labels.tags_ko = values.clone(),
        Change::Add { value, .. } if !labels.tags_ko.contains(value) => {
            labels.tags_ko.push(value.clone());
        }
        Change::Remove { value, .. } => labels.tags_ko.retain(|tag| tag != value),
        Change::Replace { find, with } => labels.label_ko = labels.label_ko.replace(find, with),
        Change::TakeField { .. } => {
            if let Some(taken) = taken {
                labels.label_ko.clone_from(&taken.label_ko);
            }
        }
        _ => {}
    }
    Ok(labels)
}

/// Two labels with the same key are duplicates.
pub(super) fn label_key(label: &str) -> Option<String> {
    let key = clean_text(label);
    (!key.is_empty()).then_some(key)
}
