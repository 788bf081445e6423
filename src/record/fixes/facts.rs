//! The owned inputs for computing the fixes of a record.

use super::context::FixContext;
use super::offer::{Fix, can_fix, fixes};
use crate::record::{
    ColorHistogram, FieldConfidence, Labels, Reason, RuleContext, Vocabulary, check,
};

/// The inputs for computing fixes, except the labels and the vocabulary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FixFacts {
    /// The item name that the text uses.
    pub item_name: String,
    /// The item's current name.
    pub current_name: String,
    /// `part/slot` of the item.
    pub part: Option<String>,
    /// `None` if they are unknown or the model saw no image.
    pub colors: Option<ColorHistogram>,
    pub with_metadata: bool,
    pub confidence: Vec<FieldConfidence>,
    /// The labels of other answers for the icon.
    pub others: Vec<Labels>,
    /// The labels from before the fixes, if only fixes have changed them since, and the item name
    /// that they use.
    pub before_fixes: Option<(Labels, String)>,
    /// Whether another image has the same label.
    pub is_duplicate: bool,
}

impl FixFacts {
    pub fn context<'a>(&'a self, vocabulary: &'a Vocabulary) -> FixContext<'a> {
        let before_fixes = self.before_fixes.as_ref();
        FixContext {
            rules: RuleContext {
                vocabulary,
                item_name: &self.item_name,
                current_name: &self.current_name,
                with_metadata: self.with_metadata,
                colors: self.colors.as_ref(),
                confidence: &self.confidence,
                truncated: false,
                label_count: 1 + usize::from(self.is_duplicate),
                retrieved: None,
            },
            part: self.part.as_deref(),
            others: &self.others,
            before_fixes: before_fixes.map(|(labels, name)| (labels, name.as_str())),
        }
    }

    /// The fixes for all these reasons: those for the record as a whole, then field by field.
    pub fn offered(
        &self,
        reasons: &[Reason],
        labels: &Labels,
        vocabulary: &Vocabulary,
    ) -> Vec<Fix> {
        let context = self.context(vocabulary);
        if reasons.is_empty() || !can_fix(labels, &context) {
            return Vec::new();
        }
        let present = check(labels, &context.rules);
        let mut reasons = reasons.to_vec();
        reasons.sort_by_key(|reason| (reason.field(), *reason));
        reasons
            .iter()
            .flat_map(|reason| fixes(*reason, &present, labels, &context))
            .collect()
    }
}
