//! Previews a change on many records, with counts and examples.

use super::StepReport;
use crate::record::edit::replaced_text;
use crate::record::{Change, EditFacts, Field, GroupSummary, Vocabulary, apply};
use std::borrow::Borrow;
use std::collections::HashMap;

/// The effect that a change would have on some groups.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePreview {
    /// The report that the step would give.
    pub report: StepReport,
    /// Each distinct text change, most frequent first.
    pub changes: Vec<TextChange>,
    /// Records in which the text occurs in the item's name, which stays unchanged.
    pub in_names: usize,
}

/// A text before and after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChange {
    pub field: Field,
    /// A value, or an entire list joined by commas.
    pub before: String,
    pub after: String,
    pub records: usize,
    /// Item name of the first record.
    pub name: String,
}

impl ChangePreview {
    /// Computes the preview from the drafts of these records.
    pub fn of<S: Borrow<GroupSummary>>(
        records: impl IntoIterator<Item = S>,
        change: &Change,
        vocabulary: &Vocabulary,
    ) -> Self {
        let mut preview = Self {
            report: StepReport::new(change.clone()),
            changes: Vec::new(),
            in_names: 0,
        };
        let mut places = HashMap::new();
        for summary in records {
            preview.add(summary.borrow(), change, vocabulary, &mut places);
        }
        // A stable sort keeps ties in queue order.
        preview
            .changes
            .sort_by_key(|place| std::cmp::Reverse(place.records));
        preview
    }

    fn add(
        &mut self,
        summary: &GroupSummary,
        change: &Change,
        vocabulary: &Vocabulary,
        places: &mut HashMap<(Field, String, String), usize>,
    ) {
        let before = &summary.labels;
        if before.label_ko().is_empty() {
            self.report.without_draft += 1;
            return;
        }
        let facts = EditFacts {
            vocabulary,
            item_name: &summary.name,
            taken: None,
        };
        let after = match apply(before, change, &facts) {
            Ok(after) => after,
            Err(error) => return self.report.refused(&error),
        };
        let mut pairs = Vec::new();
        if let Change::Replace(what) = change {
            let mut in_name = false;
            for field in what.fields() {
                for text in before.values(field) {
                    let replaced = replaced_text(text, what, &summary.name);
                    in_name |= replaced.in_name;
                    pairs.extend(replaced.after.map(|after| (field, text.clone(), after)));
                }
            }
            self.in_names += usize::from(in_name);
        }
        let fields = before.differing(&after);
        if fields.is_empty() {
            self.report.untouched += 1;
            return;
        }
        if pairs.is_empty() {
            let list = |values: &[String]| values.join(", ");
            pairs.extend(fields.iter().map(|&field| {
                let (before, after) = (before.values(field), after.values(field));
                (field, list(before), list(after))
            }));
        }
        self.report.changed(&fields);
        for (field, before, after) in pairs {
            let key = (field, before, after);
            match places.get(&key) {
                Some(&at) => self.changes[at].records += 1,
                None => {
                    places.insert(key.clone(), self.changes.len());
                    let (field, before, after) = key;
                    self.changes.push(TextChange {
                        field,
                        before,
                        after,
                        records: 1,
                        name: summary.name.clone(),
                    });
                }
            }
        }
    }
}
