//! Computes the fixes offered for a reason.

use super::kinds::try_fix;
use crate::record::rules::{is_readable, is_readable_name, weight};
use crate::record::{
    Change, EditFacts, Field, FixKind, Labels, Reason, RecordContext, apply, check,
};

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

/// The fixes for all these reasons: those for the record as a whole, then field by field.
pub fn offered(reasons: &[Reason], labels: &Labels, context: &RecordContext) -> Vec<Fix> {
    if reasons.is_empty() || !can_fix(labels, context) {
        return Vec::new();
    }
    let present = check(labels, context);
    let mut reasons = reasons.to_vec();
    reasons.sort_by_key(|reason| (reason.field(), *reason));
    reasons
        .iter()
        .flat_map(|reason| fixes(*reason, &present, labels, context))
        .collect()
}

/// Up to three fixes for one reason of labels that can be fixed and have the reasons `before`, best
/// first. Each clears the reason and adds no equally serious one.
fn fixes(reason: Reason, before: &[Reason], labels: &Labels, context: &RecordContext) -> Vec<Fix> {
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
pub(super) fn can_fix(labels: &Labels, context: &RecordContext) -> bool {
    let names = [context.item_name, context.current_name];
    is_readable(labels) && names.into_iter().all(is_readable_name)
}

/// Applies a kind of fix to the labels. `None` if the record does not have the reason, the fix
/// does not apply or does not clear the reason, or it would add an equally serious reason.
pub fn fix(
    reason: Reason,
    kind: FixKind,
    labels: &Labels,
    context: &RecordContext,
) -> Option<Labels> {
    if !can_fix(labels, context) {
        return None;
    }
    fix_given(reason, kind, &check(labels, context), labels, context)
}

/// [`fix`] for labels that can be fixed and have the reasons `before`.
pub(super) fn fix_given(
    reason: Reason,
    kind: FixKind,
    before: &[Reason],
    labels: &Labels,
    context: &RecordContext,
) -> Option<Labels> {
    if !before.contains(&reason) {
        return None;
    }
    let fixed = with_valid_edits(
        labels,
        &try_fix(kind, labels, &of_kind(kind, context))?,
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

/// The context for a kind of fix. Kinds that write the name write the current one.
fn of_kind<'a>(kind: FixKind, context: &RecordContext<'a>) -> RecordContext<'a> {
    match kind {
        FixKind::CorrectName
        | FixKind::InsertName
        | FixKind::Describe
        | FixKind::JoinList
        | FixKind::TellApart
        | FixKind::KeepConfirmed => context.under(context.current_name),
        _ => *context,
    }
}

/// The labels with each differing field set as an operator's edit would set it. `None` if a
/// value is not allowed.
fn with_valid_edits(labels: &Labels, wanted: &Labels, context: &RecordContext) -> Option<Labels> {
    let facts = EditFacts {
        vocabulary: context.vocabulary,
        item_name: context.current_name,
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
pub(super) fn reasons_after(
    labels: &Labels,
    fixed: &Labels,
    context: &RecordContext,
) -> Vec<Reason> {
    let fields = labels.differing(fixed);
    let confidence = context.confidence.iter();
    let confidence: Vec<_> = confidence
        .filter(|known| !fields.contains(&known.field))
        .cloned()
        .collect();
    let context = RecordContext {
        confidence: &confidence,
        is_duplicate: context.is_duplicate && !fields.contains(&Field::LabelKo),
        ..context.of_labels(fixed)
    };
    check(fixed, &context)
}

/// The reasons that a record with these labels and reasons would have with the fixed labels.
/// Reasons that the rules do not find stay.
pub fn reasons_fixed(
    labels: &Labels,
    reasons: &[Reason],
    fixed: &Labels,
    context: &RecordContext,
) -> Vec<Reason> {
    let before = check(labels, context);
    let after = reasons_after(labels, fixed, context);
    let is_cleared = |reason: &Reason| before.contains(reason) && !after.contains(reason);
    let is_new = |reason: &&Reason| !before.contains(reason);
    let mut reasons = reasons.to_vec();
    reasons.retain(|reason| !is_cleared(reason));
    reasons.extend(after.iter().filter(is_new));
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

fn changed(kind: FixKind, labels: &Labels, fixed: &Labels) -> Vec<(Field, Vec<String>)> {
    let mut fields = labels.differing(fixed);
    fields.sort_by_key(|field| *field != kind.field());
    let fields = fields.into_iter();
    fields
        .map(|field| (field, fixed.values(field).to_vec()))
        .collect()
}
