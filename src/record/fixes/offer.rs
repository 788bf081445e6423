//! Which fixes are offered for a reason, and what each gives.

use super::FixContext;
use super::kinds::attempt;
use crate::record::rules::{is_readable, is_readable_name, weight};
use crate::record::{Change, EditFacts, Field, FixKind, Labels, Reason, RuleContext, apply, check};

/// The most fixes that are offered for one reason.
const MOST: usize = 3;

/// A change that clears a reason, with the texts that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub reason: Reason,
    pub kind: FixKind,
    /// The fields that it changes, with their new values; the one that it is about first.
    pub fields: Vec<(Field, Vec<String>)>,
}

impl Fix {
    /// The labels with this done.
    pub fn applied(&self, labels: &Labels) -> Labels {
        let mut fixed = labels.clone();
        for (field, values) in &self.fields {
            fixed.set(*field, values.iter().cloned());
        }
        fixed
    }
}

/// Up to three fixes for one reason of a record, the best first. Each clears its reason and adds
/// none that is as grave.
pub fn fixes(reason: Reason, labels: &Labels, context: &FixContext) -> Vec<Fix> {
    let mut found: Vec<Fix> = Vec::new();
    for &kind in FixKind::of(reason) {
        let Some(fixed) = fix(reason, kind, labels, context) else {
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
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// Whether the labels are of a size that fixes look through. One far over what a record may hold is
/// written anew.
pub(super) fn can_fix(labels: &Labels, context: &FixContext) -> bool {
    let names = [context.rules.item_name, context.rules.current_name];
    is_readable(labels) && names.into_iter().all(is_readable_name)
}

/// What a fix makes of the labels; `None` where the reason does not stand or would stand all the
/// same, where there is nothing to do, or one that is as grave would come up.
pub fn fix(reason: Reason, kind: FixKind, labels: &Labels, context: &FixContext) -> Option<Labels> {
    if !can_fix(labels, context) {
        return None;
    }
    let before = check(labels, &context.rules);
    if !before.contains(&reason) {
        return None;
    }
    let fixed = lawful(
        labels,
        &attempt(kind, labels, &context.of_kind(kind))?,
        context,
    )?;
    if fixed == *labels {
        return None;
    }
    let after = reasons_after(labels, &fixed, context);
    let leaves = after.contains(&reason) && !kind.is_part();
    let worse = after
        .iter()
        .any(|new| !before.contains(new) && weight(*new) >= weight(reason));
    (!leaves && !worse).then_some(fixed)
}

/// The labels with each differing field set as an operator would set it; `None` where a record
/// cannot hold it.
fn lawful(labels: &Labels, wanted: &Labels, context: &FixContext) -> Option<Labels> {
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

/// What the rules say of fixed labels: what a person has chosen is certain, and a label that has
/// changed is taken to be its own.
pub(super) fn reasons_after(labels: &Labels, fixed: &Labels, context: &FixContext) -> Vec<Reason> {
    let fields = labels.differing(fixed);
    let confidence = context.rules.confidence.iter();
    let confidence: Vec<_> = confidence
        .filter(|held| !fields.contains(&held.field))
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
