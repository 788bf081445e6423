//! What the fixes of one record are computed from.

use super::context::FixContext;
use super::offer::{Fix, fixes};
use crate::record::{ColorHistogram, FieldConfidence, Labels, Reason, RuleContext, Vocabulary};

/// All but the labels themselves and the vocabulary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FixFacts {
    /// The name that the text goes by.
    pub item_name: String,
    /// What the item is called now.
    pub current_name: String,
    /// `part/slot` of the item.
    pub part: Option<String>,
    /// `None` where they are not known, or where the model saw no image.
    pub colors: Option<ColorHistogram>,
    pub with_metadata: bool,
    pub confidence: Vec<FieldConfidence>,
    /// What other answers say of the icon.
    pub others: Vec<Labels>,
    /// The text that fixes alone have made these labels of, and the name that it goes by.
    pub before_fixes: Option<(Labels, String)>,
    /// Whether another image has the very same label.
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

    /// The fixes for all these reasons: first of the record as a whole, then field by field.
    pub fn offered(
        &self,
        reasons: &[Reason],
        labels: &Labels,
        vocabulary: &Vocabulary,
    ) -> Vec<Fix> {
        let context = self.context(vocabulary);
        let mut reasons = reasons.to_vec();
        reasons.sort_by_key(|reason| (reason.field(), *reason));
        reasons
            .iter()
            .flat_map(|reason| fixes(*reason, labels, &context))
            .collect()
    }
}
