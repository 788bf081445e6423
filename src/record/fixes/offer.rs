//! Computes the fixes offered for a reason.

use super::FixContext;
use super::kinds::try_fix;
use crate::record::rules::{is_readable, is_readable_name, weight};
use crate::record::{Change, EditFacts, Field, FixKind, Labels, Reason, RuleContext, apply, check};

/// The maximum number of fixes offered for one reason.
const MAX: usize = 3;

/// A change that clears a reason, with the resulting values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub reason: Reason,
    pub kind: FixKind,
    /// The changed fields with their new values, the main one first.
    pub fields: Vec<(Field, Vec<String>)>,
}

impl Fix {
    /// The labels with this fix applied.
    pub fn applied(&self, labels: &Labels) -> Labels {
        let mut fixed = labels.clone();
        for (field, values) in &self.fields {
            fixed.set(*field, values.iter().cloned());
        }
        fixed
    }
}

/// Up to three fixes for one reason of labels that can be fixed and have the reasons `before`, best
/// first. Each clears the reason and adds no equally serious one.
pub(super) fn fixes(
    reason: Reason,
    before: &[Reason],
    labels: &Labels,
    context: &FixContext,
) -> Vec<Fix> {
    let mut found: Vec<Fix> = Vec::new();
    for &kind in FixKind::of(reason) {
        let Some(fixed) = fix_given(reason, kind, before, labels, context) else {
            continue;
        };
        let fields = changed(kind, labels, &fixed);
        if !found.iter().any(|other| other.fields == fields) {
            found.push(Fix {
                reason,
                kind,
                fields,
            });
        }
        if found.len() == MAX {
            break;
        }
    }
    found
}

/// Whether the labels and names are short enough to be fixed. Labels far over the limits of a
/// record have to be rewritten.
pub(super) fn can_fix(labels: &Labels, context: &FixContext) -> bool {
    let names = [context.rules.item_name, context.rules.current_name];
    is_readable(labels) && names.into_iter().all(is_readable_name)
}

/// Applies a kind of fix to the labels. `None` if the record does not have the reason, the fix
/// does not apply or does not clear the reason, or it would add an equally serious reason.
pub fn fix(reason: Reason, kind: FixKind, labels: &Labels, context: &FixContext) -> Option<Labels> {
    if !can_fix(labels, context) {
        return None;
    }
    fix_given(
        reason,
        kind,
        &check(labels, &context.rules),
        labels,
        context,
    )
}

/// [`fix`] for labels that can be fixed and have the reasons `before`.
pub(super) fn fix_given(
    reason: Reason,
    kind: FixKind,
    before: &[Reason],
    labels: &Labels,
    context: &FixContext,
) -> Option<Labels> {
    if !before.contains(&reason) {
        return None;
    }
    let fixed = with_valid_edits(
        labels,
        &try_fix(kind, labels, &context.of_kind(kind))?,
        context,
    )?;
    if fixed == *labels {
        return None;
    }
    let after = reasons_after(labels, &fixed, context);
    let remains = after.contains(&reason) && !kind.is_part();
    let worse = after
        .iter()
        .any(|new| !before.contains(new) && weight(*new) >= weight(reason));
    (!remains && !worse).then_some(fixed)
}

/// The labels with each differing field set as an operator's edit would set it. `None` if a
/// value is not allowed.
fn with_valid_edits(labels: &Labels, wanted: &Labels, context: &FixContext) -> Option<Labels> {
    let facts = EditFacts {
        vocabulary: context.rules.vocabulary,
        item_name: context.rules.current_name,
        taken: None,
    };
    let mut fixed = labels.clone();
    for field in labels.differing(wanted) {
        let values = wanted.values(field).to_vec();
        let change = Change::Set { field, values };
        fixed = apply(&fixed, &change, &facts).ok()?;
    }
    Some(fixed)
}

/// The reasons of fixed labels. Changed fields count as certain, and a changed label as unique.
pub(super) fn reasons_after(labels: &Labels, fixed: &Labels, context: &FixContext) -> Vec<Reason> {
    let fields = labels.differing(fixed);
    let confidence = context.rules.confidence.iter();
    let confidence: Vec<_> = confidence
        .filter(|known| !fields.contains(&known.field))
        .cloned()
        .collect();
    let label_count = match fields.contains(&Field::LabelKo) {
        true => 1,
        false => context.rules.label_count,
    };
    let rules = RuleContext {
        confidence: &confidence,
        label_count,
        item_name: context.names().of_text(fixed),
        ..context.rules
    };
    check(fixed, &rules)
}

fn changed(kind: FixKind, labels: &Labels, fixed: &Labels) -> Vec<(Field, Vec<String>)> {
    let mut fields = labels.differing(fixed);
    fields.sort_by_key(|field| *field != kind.field());
    let fields = fields.into_iter();
    fields
        .map(|field| (field, fixed.values(field).to_vec()))
        .collect()
}
